// SPDX-License-Identifier: Apache-2.0
// Writes of which all operations are done or none, and what it takes to undo them.
#include <algorithm>
#include <utility>

#include "kvstore/storage/write/write_group.h"

namespace edged::storage {

std::vector<WriteOutcome> WriteGroup::add_atomic(const Write& write) {
  if (const WriteOutcome bad = check_namespace(write.mirror); bad.code != Code::kOk) {
    return std::vector<WriteOutcome>(write.operations.size(), bad);
  }
  const Checkpoint checkpoint{
      delta_, changes_.size(), consumed_uploads_.size(), min_expiry_ms_, mirror_changes_};
  batch_.SetSavePoint();
  undoable_ = true;
  mirror_ = write.mirror ? &*write.mirror : nullptr;
  std::vector<WriteOutcome> outcomes;
  outcomes.reserve(write.operations.size());
  for (const Operation& operation : write.operations) {
    outcomes.push_back(apply(operation));
    if (outcomes.back().code != Code::kOk) break;
  }
  if (outcomes.back().code == Code::kOk) {
    const WriteOutcome marked = store_position(write.mirror);
    if (marked.code != Code::kOk) outcomes.back() = marked;
  }
  mirror_ = nullptr;
  undoable_ = false;
  if (outcomes.back().code == Code::kOk) {
    batch_.PopSavePoint();
    undo_.clear();
    return outcomes;
  }
  roll_back(checkpoint);
  const std::size_t failed = outcomes.size() - 1;
  const WriteOutcome others = refusal(
      Code::kConflict, "not written: operation " + std::to_string(failed) + " of the batch failed");
  std::fill_n(outcomes.begin(), failed, others);
  outcomes.resize(write.operations.size(), others);
  return outcomes;
}

void WriteGroup::roll_back(const Checkpoint& checkpoint) {
  (void)batch_.RollbackToSavePoint();
  for (; !undo_.empty(); undo_.pop_back()) {
    auto& [key, before] = undo_.back();
    if (before) {
      written_[key] = std::move(*before);
    } else {
      written_.erase(key);
    }
  }
  delta_ = checkpoint.delta;
  changes_.resize(checkpoint.changes);
  consumed_uploads_.resize(checkpoint.consumed);
  min_expiry_ms_ = checkpoint.min_expiry_ms;
  mirror_changes_ = checkpoint.mirrors;
}

void WriteGroup::remember(std::string_view stored_key, Existing existing) {
  if (undoable_) {
    const auto before = written_.find(stored_key);
    undo_.emplace_back(stored_key,
                       before == written_.end() ? std::nullopt : std::optional(before->second));
  }
  written_[stored_key] = existing;
}

}  // namespace edged::storage
