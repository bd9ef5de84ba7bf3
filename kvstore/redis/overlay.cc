// SPDX-License-Identifier: Apache-2.0
// See overlay.h.
#include "kvstore/redis/overlay.h"

#include "proto/base/check.h"

namespace edged::redis {
namespace {

using storage::Condition;
using storage::NamespaceNumber;

}  // namespace

void Overlay::clear() {
  keys_.clear();
  events_.clear();
  changes_ = bytes_ = 0;
}

void Overlay::load(const Name& name, Result<storage::Entry> read) {
  State state;
  if (read) {
    bytes_ += read->value.size() + read->metadata.size();
    state.version_read = read->version;
    state.entry = *std::move(read);
  } else if (read.code() != Code::kNotFound && read.code() != Code::kNamespaceNotFound) {
    state.status = read.error();
  }
  keys_.insert_or_assign(name, std::move(state));
}

Overlay::State& Overlay::at(NamespaceNumber ns, std::string_view key) {
  const auto found = keys_.find(Name{ns, std::string(key)});
  KV_CHECK(found != keys_.end());
  return found->second;
}

Result<const storage::Entry*> Overlay::find(NamespaceNumber ns, std::string_view key) {
  const State& state = at(ns, key);
  if (!state.status.ok()) return state.status;
  return state.entry ? &*state.entry : nullptr;
}

storage::Version Overlay::version_read(const Name& name) const {
  const auto found = keys_.find(name);
  return found == keys_.end() ? 0 : found->second.version_read;
}

Status Overlay::may_change(NamespaceNumber ns, std::string_view key) {
  const State& state = at(ns, key);
  if (store_.mirror_of(ns, key)) {
    return {Code::kConflict, "the key belongs to a mirror: change its row in PostgreSQL instead"};
  }
  return state.status;
}

void Overlay::count_change(State& state) {
  if (!state.changed()) ++changes_;
}

void Overlay::put(NamespaceNumber ns, std::string_view key, storage::Entry entry) {
  State& state = at(ns, key);
  count_change(state);
  state.value_changed = true;
  state.entry = std::move(entry);
}

void Overlay::set_expiry(NamespaceNumber ns,
                         std::string_view key,
                         std::optional<WallTime> expires_at) {
  State& state = at(ns, key);
  count_change(state);
  state.expiry_changed = true;
  state.entry->expires_at = expires_at;
}

void Overlay::erase(NamespaceNumber ns, std::string_view key) {
  State& state = at(ns, key);
  count_change(state);
  state.value_changed = true;
  state.entry.reset();
}

storage::Write Overlay::to_write() const {
  storage::Write write;
  for (const auto& [name, state] : keys_) {
    if (!state.status.ok() || name.ns == 0) continue;
    const bool was_there = state.version_read != 0;
    const Condition as_read = was_there ? Condition::kVersion : Condition::kAbsent;
    const bool is_gone = !state.entry && !was_there;
    if (!state.changed() || is_gone) {
      write.operations.emplace_back(storage::Check{name.ns, name.key, as_read, state.version_read});
    } else if (!state.entry) {
      write.operations.emplace_back(
          storage::Delete{name.ns, name.key, Condition::kVersion, state.version_read});
    } else if (!state.value_changed) {
      storage::Touch touch{name.ns, name.key, state.entry->expires_at, {}, {}, 0, false};
      touch.condition = Condition::kVersion;
      touch.version = state.version_read;
      write.operations.emplace_back(std::move(touch));
    } else {
      storage::Put put;
      put.ns = name.ns;
      put.key = name.key;
      put.value = state.entry->value;
      put.metadata = state.entry->metadata;
      put.expires_at = state.entry->expires_at;
      put.condition = as_read;
      put.version = state.version_read;
      write.operations.emplace_back(std::move(put));
    }
  }
  write.atomic = write.operations.size() > 1;
  return write;
}

}  // namespace edged::redis
