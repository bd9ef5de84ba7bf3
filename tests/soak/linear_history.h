// SPDX-License-Identifier: Apache-2.0
// What clients asked about one key and were told, with the times, as linear_checker.h judges it.
// Every value is written once, so that a read names the write it saw.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "proto/base/status.h"

namespace edged::soak {

enum class LinearKind {
  kGet,
  kPut,
  kPutIfAbsent,
  kPutIfPresent,
  kPutIfVersion,
  kDelete,
  kDeleteIfVersion
};

struct LinearOp {
  LinearKind kind = LinearKind::kGet;
  std::uint64_t value = 0;       // what is written; never 0 and never twice
  std::uint64_t if_version = 0;  // of the two kinds that have one

  // Times of one clock. An operation that was answered took effect between the two. One that was
  // not may have taken effect between the two, or not at all; `returned` is then when the process
  // it was sent to was dead, or kNever.
  std::int64_t invoked = 0;
  std::int64_t returned = 0;

  bool answered = false;
  Code code = Code::kOk;         // of the answer
  std::uint64_t version = 0;     // in the answer: the new one, the one found, the one read
  std::uint64_t value_read = 0;  // of a get that found something
};

inline constexpr std::int64_t kNever = INT64_MAX;

bool is_put(LinearKind kind);

// An invocation or a return.
struct LinearMoment {
  std::int64_t time = 0;
  bool returns = false;
  std::size_t op = 0;  // in the history
};

// In the order of time. At one time, invocations come first: then the two operations overlap.
std::vector<LinearMoment> moments_of(const std::vector<LinearOp>& history);

// "[12, 15] put_if_version 7 (if 3): version_mismatch, version 5".
std::string text_of(const LinearOp& op);

}  // namespace edged::soak
