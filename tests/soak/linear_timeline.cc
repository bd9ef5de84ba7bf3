// SPDX-License-Identifier: Apache-2.0
// See linear_timeline.h.
#include "tests/soak/linear_timeline.h"

#include <algorithm>

namespace edged::soak {

using Kind = LinearRole::Kind;

LinearTimeline::LinearTimeline(const std::vector<LinearOp>& history)
    : history_(history), own_versions_(history.size()), roles_(history.size()) {
  note_values();
  for (std::size_t i = 0; i < history.size() && contradiction_.empty(); ++i) note_answer(i);
  if (contradiction_.empty()) note_seen_conditions();
  if (!contradiction_.empty()) return;
  order_writes();
  for (std::size_t i = 0; i < history.size(); ++i) roles_[i] = role_of(i);
}

void LinearTimeline::refuse(const std::string& why, const LinearOp& op) {
  if (contradiction_.empty()) contradiction_ = why + ": " + text_of(op);
}

void LinearTimeline::note_values() {
  for (std::size_t i = 0; i < history_.size(); ++i) {
    const LinearOp& op = history_[i];
    if (!is_put(op.kind) || (op.answered && op.code != Code::kOk)) continue;
    if (!putters_.emplace(op.value, i).second) refuse("a value is written twice", op);
  }
}

void LinearTimeline::note_answer(std::size_t i) {
  const LinearOp& op = history_[i];
  if (!op.answered) return;
  const bool if_version =
      op.kind == LinearKind::kPutIfVersion || op.kind == LinearKind::kDeleteIfVersion;
  const bool needs_entry = op.kind == LinearKind::kGet || op.kind == LinearKind::kPutIfPresent ||
                           op.kind == LinearKind::kDeleteIfVersion;
  switch (op.code) {
    case Code::kOk:
      if (op.kind == LinearKind::kGet) return note_read(op);
      if (if_version) note_named(op.if_version, op);
      if (op.version != 0 || is_put(op.kind)) note_owner(op.version, i);
      return;
    case Code::kNotFound:
      if (!needs_entry) refuse("no register gives this answer", op);
      return;
    case Code::kExists:
      if (op.kind != LinearKind::kPutIfAbsent) refuse("no register gives this answer", op);
      return note_named(op.version, op);
    case Code::kVersionMismatch:
      if (op.kind == LinearKind::kPutIfVersion && op.version == 0) return;
      if (!if_version || op.if_version == 0 || op.version == op.if_version) {
        refuse("no register gives this answer", op);
      }
      return note_named(op.version, op);
    default:
      refuse("no register gives this answer", op);
  }
}

// A read names both the value and the version: it tells the version of a put without an answer.
void LinearTimeline::note_read(const LinearOp& op) {
  const auto putter = putters_.find(op.value_read);
  if (putter == putters_.end()) return refuse("nobody wrote what was read", op);
  if (history_[putter->second].answered && history_[putter->second].version != op.version) {
    return refuse("the value read was written with another version", op);
  }
  note_owner(op.version, putter->second);
}

void LinearTimeline::note_owner(std::uint64_t version, std::size_t i) {
  note_named(version, history_[i]);
  std::size_t& owner = owners_[version];
  if (owner != kNoOp && owner != i) refuse("two writes have one version", history_[i]);
  if (own_versions_[i] != 0 && own_versions_[i] != version) {
    refuse("one write has two versions, " + std::to_string(own_versions_[i]) + " and " +
               std::to_string(version),
           history_[i]);
  }
  owner = i;
  own_versions_[i] = version;
}

void LinearTimeline::note_named(std::uint64_t version, const LinearOp& op) {
  if (version == 0) return refuse("an answer without a version", op);
  owners_.emplace(version, kNoOp);
}

// A conditional put without an answer that took effect proves that its condition's version was
// there.
void LinearTimeline::note_seen_conditions() {
  for (std::size_t i = 0; i < history_.size(); ++i) {
    const LinearOp& op = history_[i];
    if (!op.answered && own_versions_[i] != 0 && op.kind == LinearKind::kPutIfVersion) {
      note_named(op.if_version, op);
    }
  }
}

void LinearTimeline::order_writes() {
  for (const auto& [version, op] : owners_) writes_.push_back({version, op});
  std::sort(writes_.begin(), writes_.end(), [](const LinearWrite& a, const LinearWrite& b) {
    return a.version < b.version;
  });
  for (std::size_t i = 0; i < writes_.size(); ++i) positions_[writes_[i].version] = i;
}

LinearRole LinearTimeline::at_version(Kind kind, std::uint64_t version) const {
  const auto position = positions_.find(version);
  if (position == positions_.end()) return {};
  return {kind, position->second};
}

LinearRole LinearTimeline::role_of(std::size_t i) const {
  const LinearOp& op = history_[i];
  if (own_versions_[i] != 0) return at_version(Kind::kWrite, own_versions_[i]);
  if (op.answered) return role_of_answered(op);
  switch (op.kind) {
    case LinearKind::kGet:
      return {};
    case LinearKind::kPut:
    case LinearKind::kPutIfAbsent:
    case LinearKind::kPutIfPresent:
      return {Kind::kMaybePut, 0};
    case LinearKind::kPutIfVersion:
      return at_version(Kind::kMaybeReplaces, op.if_version);
    case LinearKind::kDelete:
      return {Kind::kMaybeDelete, 0};
    case LinearKind::kDeleteIfVersion:
      return at_version(Kind::kMaybeRemoves, op.if_version);
  }
  return {};
}

LinearRole LinearTimeline::role_of_answered(const LinearOp& op) const {
  if (op.code == Code::kNotFound) return {Kind::kSeesNothing, 0};
  if (op.code == Code::kVersionMismatch && op.version == 0) return {Kind::kSeesNothing, 0};
  if (op.code != Code::kOk) return at_version(Kind::kSeesEntry, op.version);
  if (op.kind == LinearKind::kGet) return at_version(Kind::kSeesEntry, op.version);
  if (op.kind == LinearKind::kDelete) return {Kind::kDeletes, 0};
  return at_version(Kind::kDeletesEntry, op.if_version);
}

}  // namespace edged::soak
