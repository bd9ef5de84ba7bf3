// SPDX-License-Identifier: Apache-2.0
#include "worker/queue/batch.h"

#include <algorithm>

#include "proto/base/check.h"

namespace edged::queue {

void Batch::decide(std::size_t index, Decision decision) {
  KV_CHECK(index < messages_.size());
  if (decided_[index]) return;
  decided_[index] = true;
  decision.message = messages_[index];
  sink_(std::move(decision));
}

void Batch::ack(std::size_t index, std::string note) {
  Decision decision;
  decision.note = std::move(note);
  decide(index, std::move(decision));
}

void Batch::retry(std::size_t index, std::optional<WallTime> due_at, std::string note) {
  Decision decision;
  decision.kind = Decision::Kind::kRetry;
  decision.due_at = due_at;
  decision.note = std::move(note);
  decide(index, std::move(decision));
}

void Batch::retry_uncounted(std::size_t index, WallTime due_at, std::string note) {
  Decision decision;
  decision.kind = Decision::Kind::kRetry;
  decision.uncounted = true;
  decision.due_at = due_at;
  decision.note = std::move(note);
  decide(index, std::move(decision));
}

void Batch::bury(std::size_t index, std::string reason, std::string note) {
  Decision decision;
  decision.kind = Decision::Kind::kDead;
  decision.reason = std::move(reason);
  decision.note = std::move(note);
  decide(index, std::move(decision));
}

void Batch::forget(std::size_t index) {
  Decision decision;
  decision.kind = Decision::Kind::kForget;
  decide(index, std::move(decision));
}

void Batch::give_back(std::size_t index) {
  Decision decision;
  decision.kind = Decision::Kind::kRetry;
  decision.uncounted = true;
  decide(index, std::move(decision));
}

std::size_t Batch::undecided() const {
  return static_cast<std::size_t>(std::count(decided_.begin(), decided_.end(), false));
}

}  // namespace edged::queue
