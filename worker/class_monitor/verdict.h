// SPDX-License-Identifier: Apache-2.0
// What becomes of a mail that was taken from the outbox, and the counts of it.
#pragma once

#include <string>

#include "proto/base/metrics.h"

namespace edged::mail {

struct Verdict {
  // kDropped: this is recorded already. kLost: another deliverer took the row over.
  enum class Kind { kSend, kDrop, kDropAndRelease, kDropped, kDead, kRetry, kLost };
  Kind kind = Kind::kSend;
  std::string reason;
};

struct OutboxCounts {
  int sent = 0;
  int dropped = 0;  // recorded with the reason
  int dead = 0;     // will never be tried again
  int retried = 0;  // will be tried later
  int lost = 0;     // another deliverer took the row over
};

class VerdictCounter {
 public:
  // `registry` outlives the object.
  explicit VerdictCounter(MetricsRegistry& registry);

  void count(Verdict::Kind kind, OutboxCounts& counts);

 private:
  Counter& sent_;
  Counter& dropped_;
  Counter& dead_;
  Counter& retried_;
};

// `reason` as a log may have it. Addresses are not logged, so the recipient's is replaced by the
// column of edged.mails that has it.
std::string without_address(std::string reason, const std::string& recipient);

}  // namespace edged::mail
