// SPDX-License-Identifier: Apache-2.0
// The mirrors of a store, in memory: what each namespace's reserved keys say. Promise: a reader
// that takes a namespace's state, reads its freshness, then an entry, and finds the same state
// again, has an entry at least as new as that freshness. The order that keeps it: the writer calls
// begin() before it commits, which replaces the states of which less can be claimed afterwards, and
// commit() when the new entries can be read; a state is never changed but for its freshness, which
// only grows, and never freed before the table is. Reading: any thread, without a lock where
// stated. Changing: who may write (writer.h).
#pragma once

#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "kvstore/storage/engine/database.h"
#include "kvstore/storage/store.h"
#include "kvstore/storage/tables/mirror_rules.h"
#include "kvstore/storage/tables/namespace_table.h"

namespace edged::storage {

class MirrorState {
 public:
  MirrorState(std::shared_ptr<const MirrorRules> rules,
              std::optional<WallTime> fresh_as_of,
              std::uint64_t number)
      : rules_(std::move(rules)), fresh_ms_(ms_of(fresh_as_of)), number_(number) {}

  const MirrorRules& rules() const { return *rules_; }
  std::optional<WallTime> fresh_as_of() const;
  // Different for every state that there was since the store was opened.
  std::uint64_t number() const { return number_; }

  // Whether an entry that `rule` owns may be answered at node time `now`: kOk or kStale.
  Status judge(const MirrorRule& rule, WallTime now) const;
  // Likewise for all that begin with `prefix`.
  Status judge_prefix(std::string_view prefix, WallTime now) const;

 private:
  friend class MirrorTable;
  static std::int64_t ms_of(const std::optional<WallTime>& time) {
    return time ? to_unix_ms(*time) : -1;
  }

  const std::shared_ptr<const MirrorRules> rules_;
  std::atomic<std::int64_t> fresh_ms_;  // -1: not known
  const std::uint64_t number_;
};

// What a group of writes changes of a namespace's mirror.
struct MirrorChange {
  std::optional<std::shared_ptr<const MirrorRules>> rules;  // null: there are none any more
  std::optional<MirrorPosition> position;                   // without a time: not known any more
};
using MirrorChanges = std::map<NamespaceNumber, MirrorChange>;

class MirrorTable {
 public:
  MirrorTable() = default;
  MirrorTable(const MirrorTable&) = delete;
  MirrorTable& operator=(const MirrorTable&) = delete;

  // Reads what is stored, once. Errors: kIoError. What is damaged counts as not known: reads of all
  // the namespace's keys are stale until its mirror writes its rules anew.
  Status load(const Database& database, const NamespaceTable& namespaces);

  // Null: nobody mirrors the namespace. Lives as long as the table. One or two loads, no lock.
  const MirrorState* state_of(NamespaceNumber ns) const {
    if (ns < slots_.size()) return slots_[ns].load(std::memory_order_acquire);
    const Overflow* more = overflow_.load(std::memory_order_acquire);
    if (more == nullptr) return nullptr;
    const auto found = more->find(ns);
    return found != more->end() ? found->second : nullptr;
  }

  // See Store::mirror_of and Store::mirrors. Take a lock.
  std::optional<MirrorFreshness> freshness_of(NamespaceNumber ns,
                                              std::string_view key,
                                              WallTime now) const;
  std::vector<MirrorStatus> all(WallTime now) const;

  // Around the commit of a group; each begin() is followed by commit() or fail().
  void begin(const MirrorChanges& changes);
  void commit(const MirrorChanges& changes);
  void fail(const MirrorChanges& changes);

  // Around the removal of all entries of a namespace: from begin_drop() on its owned keys are
  // stale.
  void begin_drop(NamespaceNumber ns);
  void end_drop(NamespaceNumber ns, bool dropped);

 private:
  using Overflow = std::map<NamespaceNumber, const MirrorState*>;
  // What is stored; a state says less while that is being changed.
  struct Mirror {
    std::shared_ptr<const MirrorRules> rules;
    MirrorPosition position;
    MirrorState* state = nullptr;
  };

  // All require mutex_.
  Status load_mirror(const Database& database, NamespaceNumber ns, std::uint32_t prefix);
  void publish(NamespaceNumber ns, Mirror& mirror, std::optional<WallTime> fresh_as_of);

  std::array<std::atomic<const MirrorState*>, 1024> slots_{};  // of the first namespaces
  std::atomic<const Overflow*> overflow_{nullptr};             // of the others
  mutable std::mutex mutex_;                                   // guards all below
  std::map<NamespaceNumber, Mirror> mirrors_;
  // Every one there was, for readers that still look at it.
  std::vector<std::unique_ptr<MirrorState>> states_;
  std::vector<std::unique_ptr<const Overflow>> overflows_;
  std::uint64_t last_number_ = 0;
};

}  // namespace edged::storage
