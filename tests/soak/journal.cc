// SPDX-License-Identifier: Apache-2.0
#include "tests/soak/journal.h"

#include <algorithm>
#include <charconv>

namespace edged::soak {
namespace {

using storage::Condition;

// What the store holds, or what is wrong with it.
std::string observe(const storage::Store& store,
                    storage::NamespaceNumber ns,
                    std::array<KeyState, kKeys>& seen) {
  for (std::uint32_t key = 0; key < kKeys; ++key) {
    const auto entry = store.get(ns, key_of(key), storage::ReadTier::kDisk);
    seen[key] = {};
    if (!entry && entry.code() == Code::kNotFound) continue;
    if (!entry) return key_of(key) + ": " + entry.error().to_string();
    seen[key].value = number_of(key, entry->value);
    if (seen[key].value == 0) return key_of(key) + " holds a value nobody wrote";
    if (entry->expires_at) seen[key].expires_ms = to_unix_ms(*entry->expires_at);
    seen[key].version = entry->version;
  }
  return "";
}

// How a key differs from the model; empty: not at all. Takes over a version not known before.
std::string compare(std::uint32_t key,
                    KeyState& model,
                    const KeyState& seen,
                    storage::Version base_version,
                    std::int64_t now_ms) {
  if (!model.present(now_ms)) return seen.value == 0 ? "" : key_of(key) + " should be absent";
  if (seen.value == 0) return key_of(key) + " is gone";
  if (seen.value != model.value) return key_of(key) + " has another value";
  if (seen.expires_ms != model.expires_ms) return key_of(key) + " has another expiry";
  if (model.version == 0 && seen.version <= base_version)
    return key_of(key) + ": version went back";
  if (model.version != 0 && seen.version != model.version) return key_of(key) + ": other version";
  model.version = seen.version;
  return "";
}

std::string compare_all(std::array<KeyState, kKeys>& model,
                        const std::array<KeyState, kKeys>& seen,
                        storage::Version base_version,
                        std::int64_t now_ms) {
  for (std::uint32_t key = 0; key < kKeys; ++key) {
    std::string difference = compare(key, model[key], seen[key], base_version, now_ms);
    if (!difference.empty()) return difference;
  }
  return "";
}

storage::Version version_of(const JournalEntry& entry) {
  return entry.acknowledged.load() ? entry.version : 0;
}

}  // namespace

std::string key_of(std::uint32_t key) {
  return "key" + std::to_string(key);
}

std::string value_of(std::uint64_t value) {
  std::string bytes = std::to_string(value) + ":";
  const std::uint64_t mixed = value * 0x9e3779b97f4a7c15U;
  const std::size_t size = (mixed >> 32) % (mixed % 97 == 0 ? 60'000 : 800);
  bytes.resize(bytes.size() + size, static_cast<char>('a' + value % 26));
  return bytes;
}

std::uint64_t number_of(std::uint32_t key, const std::string& value) {
  std::uint64_t number = 0;
  (void)std::from_chars(value.data(), value.data() + value.size(), number);
  const std::string whole = key < kCounters ? std::to_string(number) : value_of(number);
  return value == whole ? number : 0;
}

storage::Operation operation_of(storage::NamespaceNumber ns, const Planned& plan) {
  const auto ttl =
      plan.ttl_ms == 0 ? std::nullopt : std::optional(std::chrono::milliseconds(plan.ttl_ms));
  const std::string key = key_of(plan.key);
  switch (plan.verb) {
    case Verb::kDelete:
      return storage::Delete{ns, key, plan.condition, plan.condition_version};
    case Verb::kTouch:
      return storage::Touch{
          ns, key, std::nullopt, ttl, plan.condition, plan.condition_version, false};
    case Verb::kAdd:
      return storage::Add{ns, key, static_cast<std::int64_t>(plan.value), 1, std::nullopt, ttl};
    case Verb::kPut:
      break;
  }
  storage::Put put;
  put.ns = ns;
  put.key = key;
  put.value = value_of(plan.value);
  put.ttl = ttl;
  put.condition = plan.condition;
  put.version = plan.condition_version;
  return put;
}

Code apply(KeyState& state, const Planned& plan, storage::Version version) {
  const bool present = state.present(plan.now_ms);
  if (plan.condition == Condition::kAbsent && present) return Code::kExists;
  if (plan.condition == Condition::kPresent && !present) return Code::kNotFound;
  if (plan.condition == Condition::kVersion) {
    if (!present) return plan.verb == Verb::kPut ? Code::kVersionMismatch : Code::kNotFound;
    if (state.version != plan.condition_version) return Code::kVersionMismatch;
  }
  if (plan.verb == Verb::kTouch) {
    if (!present) return Code::kNotFound;
    state.expires_ms = plan.ttl_ms == 0 ? 0 : plan.now_ms + plan.ttl_ms;
    state.version = version;
    return Code::kOk;
  }
  if (plan.verb == Verb::kAdd && present) {
    state.value += plan.value;
    state.version = version;
    return Code::kOk;
  }
  state = {};
  if (plan.verb == Verb::kDelete) return Code::kOk;
  state.value = plan.verb == Verb::kAdd ? plan.value + 1 : plan.value;
  state.expires_ms = plan.ttl_ms == 0 ? 0 : plan.now_ms + plan.ttl_ms;
  state.version = version;
  return Code::kOk;
}

std::size_t apply_at(std::array<KeyState, kKeys>& states,
                     const Journal& journal,
                     std::uint64_t index,
                     std::array<Code, 2>& expected) {
  const JournalEntry& first = journal.entries[index];
  const KeyState before = states[first.plan.key];
  expected[0] = apply(states[first.plan.key], first.plan, version_of(first));
  // Its partner may have been about to be written down when the writer was killed.
  if (!first.plan.with_next || index + 1 >= journal.submitted.load()) return 1;
  const JournalEntry& second = journal.entries[index + 1];
  if (expected[0] != Code::kOk) {
    expected[1] = Code::kConflict;
    return 2;
  }
  expected[1] = apply(states[second.plan.key], second.plan, version_of(second));
  if (expected[1] == Code::kOk) return 2;
  states[first.plan.key] = before;
  expected[0] = Code::kConflict;
  return 2;
}

std::uint64_t promised(const Journal& journal, bool only_synced) {
  std::uint64_t least = 0;
  const std::uint64_t submitted = journal.submitted.load();
  for (std::uint64_t i = 0; i < submitted; ++i) {
    const JournalEntry& entry = journal.entries[i];
    // What is refused writes nothing, so nothing is synced for it.
    const bool synced = entry.plan.sync && entry.code == Code::kOk;
    if (entry.acknowledged.load() && (!only_synced || synced)) least = i + 1;
  }
  return least;
}

std::string audit(const storage::Store& store,
                  storage::NamespaceNumber ns,
                  const Journal& journal,
                  std::uint64_t minimum,
                  std::int64_t now_ms,
                  Journal& next) {
  std::array<KeyState, kKeys> seen;
  std::string wrong = observe(store, ns, seen);
  if (!wrong.empty()) return wrong;
  std::array<KeyState, kKeys> model = journal.base;
  storage::Version largest = journal.base_version;
  const std::uint64_t submitted = journal.submitted.load();
  for (std::uint64_t i = 0; i < submitted; ++i) {
    largest = std::max(largest, version_of(journal.entries[i]));
  }
  std::string first_difference;
  for (std::uint64_t i = 0;; ++i) {
    if (i >= minimum) {  // an atomic Write is passed in one step
      auto candidate = model;
      const std::string difference = compare_all(candidate, seen, journal.base_version, now_ms);
      if (difference.empty()) {
        for (const KeyState& state : candidate) largest = std::max(largest, state.version);
        next.base = candidate;
        next.base_version = largest;
        next.submitted.store(0);
        return "";
      }
      if (first_difference.empty()) first_difference = difference;
    }
    if (i >= submitted) break;
    std::array<Code, 2> ignored{};
    i += apply_at(model, journal, i, ignored) - 1;
  }
  return "no prefix of the " + std::to_string(submitted) + " operations with at least the first " +
         std::to_string(minimum) + " explains what is there: with those, " + first_difference;
}

}  // namespace edged::soak
