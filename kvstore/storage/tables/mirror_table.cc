// SPDX-License-Identifier: Apache-2.0
// States, and the order in which they replace each other.
#include "kvstore/storage/tables/mirror_table.h"

#include <algorithm>
#include <string>
#include <utility>

#include "kvstore/storage/engine/rocks_status.h"
#include "kvstore/storage/format/record.h"
#include "proto/base/log.h"

namespace edged::storage {
namespace {

std::chrono::milliseconds age_of(WallTime fresh_as_of, WallTime now) {
  return std::chrono::milliseconds(to_unix_ms(now) - to_unix_ms(fresh_as_of));
}

// The value under a reserved key; nothing if it is absent. Errors: kCorruption, kIoError.
Result<std::optional<std::string>> read_reserved(const Database& database,
                                                 std::uint32_t prefix,
                                                 std::string_view key) {
  const std::string stored_key = encode_key(prefix, key);
  rocksdb::PinnableSlice stored;
  const auto status = database.db().Get({}, database.entries(), stored_key, &stored);
  if (status.IsNotFound()) return std::optional<std::string>();
  if (!status.ok()) return from_rocksdb(status, "could not read a mirror's rules");
  const auto record = decode_record(stored_key, {stored.data(), stored.size()});
  if (!record) return record.error();
  return std::optional<std::string>(record->value);
}

}  // namespace

std::optional<WallTime> MirrorState::fresh_as_of() const {
  const std::int64_t ms = fresh_ms_.load(std::memory_order_acquire);
  return ms >= 0 ? std::optional(from_unix_ms(ms)) : std::nullopt;
}

Status MirrorState::judge(const MirrorRule& rule, WallTime now) const {
  if (!rule.loaded) {
    return {Code::kStale,
            "stale: the mirror has not loaded " + shown_prefix(rule.prefix) + " completely"};
  }
  const auto fresh = fresh_as_of();
  if (!fresh) {
    return {Code::kStale,
            "stale: the mirror of " + shown_prefix(rule.prefix) +
                " has not reported how fresh its entries are"};
  }
  const auto age = age_of(*fresh, now);
  if (rule.ttl.count() > 0 && age > rule.ttl) {
    return {Code::kStale,
            "stale: the mirror of " + shown_prefix(rule.prefix) + " is " +
                std::to_string(age.count()) + " ms behind, its rule allows " +
                std::to_string(rule.ttl.count())};
  }
  return Status();
}

Status MirrorState::judge_prefix(std::string_view prefix, WallTime now) const {
  if (const MirrorRule* outer = rules_->owner_of(prefix)) {
    if (Status status = judge(*outer, now); !status.ok()) return status;
  }
  for (const MirrorRule& rule : rules_->all()) {
    if (!rule.prefix.starts_with(prefix)) continue;
    if (Status status = judge(rule, now); !status.ok()) return status;
  }
  return Status();
}

Status MirrorTable::load(const Database& database, const NamespaceTable& namespaces) {
  const std::lock_guard lock(mutex_);
  for (const Namespace& ns : namespaces.list()) {
    const auto prefix = namespaces.prefix_of(ns.number);
    if (!prefix) continue;
    if (Status status = load_mirror(database, ns.number, *prefix); !status.ok()) return status;
  }
  return Status();
}

Status MirrorTable::load_mirror(const Database& database,
                                NamespaceNumber ns,
                                std::uint32_t prefix) {
  const auto damaged = [ns](const Status& why) {
    log::error("storage: the mirror of namespace " + std::to_string(ns) +
               " is damaged, reads of its keys are stale: " + why.message());
  };
  Mirror mirror;
  const auto rules = read_reserved(database, prefix, kMirrorRulesKey);
  if (!rules && rules.code() != Code::kCorruption) return rules.error();
  if (!rules || *rules) {
    auto parsed = rules ? MirrorRules::parse(**rules) : Result<MirrorRules>(rules.error());
    if (!parsed) damaged(parsed.error());
    mirror.rules =
        std::make_shared<const MirrorRules>(parsed ? *std::move(parsed) : MirrorRules::unknown());
  }
  const auto position = read_reserved(database, prefix, kMirrorPositionKey);
  if (!position && position.code() != Code::kCorruption) return position.error();
  if (!position || *position) {
    auto decoded =
        position ? decode_position(**position) : Result<MirrorPosition>(position.error());
    if (!decoded) damaged(decoded.error());
    if (decoded) mirror.position = *std::move(decoded);
  }
  if (!mirror.rules && !mirror.position.fresh_as_of) return Status();
  Mirror& kept = mirrors_[ns] = std::move(mirror);
  publish(ns, kept, kept.position.fresh_as_of);
  return Status();
}

void MirrorTable::publish(NamespaceNumber ns, Mirror& mirror, std::optional<WallTime> fresh_as_of) {
  mirror.state = nullptr;
  if (mirror.rules) {
    states_.push_back(std::make_unique<MirrorState>(mirror.rules, fresh_as_of, ++last_number_));
    mirror.state = states_.back().get();
  }
  if (ns < slots_.size()) {
    slots_[ns].store(mirror.state, std::memory_order_release);
    return;
  }
  const Overflow* old = overflow_.load(std::memory_order_relaxed);
  auto next = old != nullptr ? std::make_unique<Overflow>(*old) : std::make_unique<Overflow>();
  if (mirror.state != nullptr) {
    (*next)[ns] = mirror.state;
  } else {
    next->erase(ns);
  }
  overflow_.store(next.get(), std::memory_order_release);
  overflows_.push_back(std::move(next));
}

std::optional<MirrorFreshness> MirrorTable::freshness_of(NamespaceNumber ns,
                                                         std::string_view key,
                                                         WallTime now) const {
  if (is_reserved(key)) return std::nullopt;
  const std::lock_guard lock(mutex_);
  const auto found = mirrors_.find(ns);
  if (found == mirrors_.end() || found->second.state == nullptr) return std::nullopt;
  const MirrorState& state = *found->second.state;
  const MirrorRule* rule = state.rules().owner_of(key);
  if (rule == nullptr) return std::nullopt;
  MirrorFreshness freshness;
  freshness.fresh_as_of = state.fresh_as_of();
  // A state that says less than is stored is one under change: then the position is not known.
  if (freshness.fresh_as_of) {
    freshness.position = found->second.position.position;
    freshness.age = age_of(*freshness.fresh_as_of, now);
  }
  freshness.ttl = rule->ttl;
  freshness.loaded = rule->loaded;
  freshness.state = state.number();
  return freshness;
}

std::vector<MirrorStatus> MirrorTable::all(WallTime now) const {
  const std::lock_guard lock(mutex_);
  std::vector<MirrorStatus> all;
  for (const auto& [ns, mirror] : mirrors_) {
    MirrorStatus status;
    status.ns = ns;
    if (mirror.rules) status.rules = mirror.rules->all();
    status.position = mirror.position.position;
    status.fresh_as_of = mirror.position.fresh_as_of;
    if (status.fresh_as_of) status.age = age_of(*status.fresh_as_of, now);
    all.push_back(std::move(status));
  }
  return all;
}

void MirrorTable::begin(const MirrorChanges& changes) {
  if (changes.empty()) return;
  const std::lock_guard lock(mutex_);
  for (const auto& [ns, change] : changes) {
    const auto found = mirrors_.find(ns);
    if (found == mirrors_.end() || found->second.state == nullptr) continue;
    Mirror& mirror = found->second;
    const bool owns_less = change.rules && (*change.rules == nullptr ||
                                            !(*change.rules)->covers_loaded(*mirror.rules));
    const bool goes_back = change.position && mirror.position.fresh_as_of &&
                           (!change.position->fresh_as_of ||
                            *change.position->fresh_as_of < *mirror.position.fresh_as_of ||
                            change.position->position < mirror.position.position);
    if (owns_less || goes_back) publish(ns, mirror, std::nullopt);
  }
}

void MirrorTable::commit(const MirrorChanges& changes) {
  if (changes.empty()) return;
  const std::lock_guard lock(mutex_);
  for (const auto& [ns, change] : changes) {
    Mirror& mirror = mirrors_[ns];
    const bool same_rules = !change.rules || (*change.rules && mirror.rules &&
                                              (*change.rules)->all() == mirror.rules->all());
    if (!same_rules) mirror.rules = *change.rules;
    if (change.position) mirror.position = *change.position;
    if (same_rules && mirror.state != nullptr && mirror.state->fresh_as_of()) {
      mirror.state->fresh_ms_.store(MirrorState::ms_of(mirror.position.fresh_as_of),
                                    std::memory_order_release);
    } else {
      publish(ns, mirror, mirror.position.fresh_as_of);
    }
    if (!mirror.rules && !mirror.position.fresh_as_of) mirrors_.erase(ns);
  }
}

void MirrorTable::fail(const MirrorChanges& changes) {
  const std::lock_guard lock(mutex_);
  for (const auto& [ns, change] : changes) {
    const auto found = mirrors_.find(ns);
    if (found == mirrors_.end()) continue;
    publish(ns, found->second, found->second.position.fresh_as_of);
  }
}

void MirrorTable::begin_drop(NamespaceNumber ns) {
  const std::lock_guard lock(mutex_);
  const auto found = mirrors_.find(ns);
  if (found != mirrors_.end()) publish(ns, found->second, std::nullopt);
}

void MirrorTable::end_drop(NamespaceNumber ns, bool dropped) {
  const std::lock_guard lock(mutex_);
  const auto found = mirrors_.find(ns);
  if (found == mirrors_.end()) return;
  if (dropped) found->second = Mirror();
  publish(ns, found->second, found->second.position.fresh_as_of);
  if (dropped) mirrors_.erase(found);
}

}  // namespace edged::storage
