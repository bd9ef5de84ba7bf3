// SPDX-License-Identifier: Apache-2.0
// The oracle of the crash soaks: what every key held at the last audit, and every operation since,
// written down before it is submitted and marked when it is acknowledged. Plain memory without
// pointers, so that it can live in a mapping that outlives a killed writer. After a crash the store
// must hold what some prefix of the operations makes, and that prefix must have everything that was
// promised: of a kill all acknowledged ones, of a power cut all up to the last synced one.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>

#include "kvstore/storage/store.h"

namespace edged::soak {

inline constexpr std::size_t kKeys = 64;
// The first keys are counters: what they hold is a number that Add changes.
inline constexpr std::uint32_t kCounters = 6;
inline constexpr std::size_t kOperationsMax = 8192;

// What the model knows of a key.
struct KeyState {
  std::uint64_t value = 0;       // 0: absent
  std::int64_t expires_ms = 0;   // 0: never
  storage::Version version = 0;  // 0: acknowledged by nobody, so not known

  bool present(std::int64_t now_ms) const {
    return value != 0 && (expires_ms == 0 || expires_ms > now_ms);
  }
};

enum class Verb : std::uint8_t { kPut, kDelete, kTouch, kAdd };

// A number stands for a value: value_of(n) is its bytes. Of an Add it is the delta.
struct Planned {
  Verb verb = Verb::kPut;
  bool with_next = false;  // one atomic Write with the operation that follows
  storage::Condition condition = storage::Condition::kNone;
  storage::Version condition_version = 0;
  std::int64_t ttl_ms = 0;  // 0: none
  std::uint64_t value = 0;
  std::int64_t now_ms = 0;  // node time when it was submitted
  std::uint32_t key = 0;
  bool sync = false;
};

struct JournalEntry {
  Planned plan;
  std::atomic<bool> acknowledged{false};
  Code code = Code::kOk;  // both: once acknowledged
  storage::Version version = 0;
};

struct Journal {
  std::array<KeyState, kKeys> base;
  storage::Version base_version = 0;  // the largest seen before
  std::atomic<std::uint64_t> submitted{0};
  std::array<JournalEntry, kOperationsMax> entries;
};

std::string key_of(std::uint32_t key);
// Bytes that say which number they stand for; the size depends on it.
std::string value_of(std::uint64_t value);
// 0: not one of value_of's, and for a counter no number.
std::uint64_t number_of(std::uint32_t key, const std::string& value);

storage::Operation operation_of(storage::NamespaceNumber ns, const Planned& plan);

// What the store must answer, and what the key holds then. `version`: of the write, if known.
Code apply(KeyState& state, const Planned& plan, storage::Version version);

// The same for the operation at `index`, or the two of an atomic Write, on all keys. Returns how
// many operations that were.
std::size_t apply_at(std::array<KeyState, kKeys>& states,
                     const Journal& journal,
                     std::uint64_t index,
                     std::array<Code, 2>& expected);

// Reads all keys, finds the prefix, and puts what it makes into `next`, with `submitted` at 0. At
// least the first `minimum` operations must be in it. Returns what is wrong; empty: nothing.
std::string audit(const storage::Store& store,
                  storage::NamespaceNumber ns,
                  const Journal& journal,
                  std::uint64_t minimum,
                  std::int64_t now_ms,
                  Journal& next);

// The smallest prefix that keeps every acknowledged operation, or with `only_synced` every one that
// was acknowledged as synced.
std::uint64_t promised(const Journal& journal, bool only_synced);

}  // namespace edged::soak
