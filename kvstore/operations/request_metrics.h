// SPDX-License-Identifier: Apache-2.0
// What one face of the node counts: requests by operation and class of status, how long they took,
// keys that were there and that were not. Any thread.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kvstore/operations/caller.h"
#include "proto/base/metrics.h"
#include "proto/base/status.h"

namespace edged::operations {

struct KeyCounts {
  std::uint64_t hits = 0;
  std::uint64_t misses = 0;
};

class RequestMetrics {
 public:
  using Instant = std::chrono::steady_clock::time_point;

  // `names`: of the operations, as the label `opcode` has them; the index counts them. The binary
  // face's series have no label `face`: they are older than the other faces.
  RequestMetrics(MetricsRegistry& registry, Face face, const std::vector<std::string_view>& names);
  // With the names of the kinds.
  RequestMetrics(MetricsRegistry& registry, Face face);

  void count(std::size_t operation, Code status, Instant start);
  void count(Kind kind, Code status, Instant start) {
    count(static_cast<std::size_t>(kind), status, start);
  }
  void count(const KeyCounts& keys);
  // Several of one operation that were answered together.
  void count_answered(std::size_t operation, std::uint64_t requests, Instant start);

 private:
  static constexpr std::size_t kClasses = 5;

  Histogram& seconds_;
  Counter& hits_;
  Counter& misses_;
  std::vector<std::array<Counter*, kClasses>> requests_;
};

}  // namespace edged::operations
