// SPDX-License-Identifier: Apache-2.0
// Keys whose state was read from their table instead of the stream. Such a state is newer than the
// stream's position: changes of transactions that it includes must not replace it by older ones.
// Pure; one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "proto/base/status.h"
#include "worker/mirror/pgoutput.h"

namespace edged::mirror {

// Which transactions a statement has seen: pg_current_snapshot()'s text, "10:20:12,15".
class TransactionSnapshot {
 public:
  // Errors: kCorruption.
  static Result<TransactionSnapshot> parse(std::string_view text);
  // `xid`: as the stream has it, of a transaction that was in progress or later not long ago.
  bool includes(std::uint32_t xid) const;

 private:
  std::uint64_t xmin_ = 0, xmax_ = 0;
  std::vector<std::uint64_t> in_progress_;  // ascending
};

class FetchedKeys {
 public:
  // Beyond that many keys the oldest are forgotten.
  static constexpr std::size_t kKeysMax = 100'000;

  // `key` of `rule` was read at `snapshot`; transactions that commit behind `until` are not in it.
  void add(std::size_t rule,
           const std::string& key,
           std::shared_ptr<const TransactionSnapshot> snapshot,
           Lsn until);
  // True if the node's state of `key` includes the transaction.
  bool includes(const std::string& key, std::uint32_t xid) const;
  // No transaction that commits before `lsn` will be asked about any more.
  void forget_before(Lsn lsn);
  // Of keys that begin so: their rows were truncated.
  void forget(std::string_view prefix);
  // For each rule, up to which commit the node's values may be newer than their rows in the stream
  // without that being known of each key: some were forgotten. Empty for most.
  const std::map<std::size_t, Lsn>& unknown_until() const { return unknown_until_; }
  void set_unknown_until(std::size_t rule, Lsn until);

  std::size_t size() const { return keys_.size(); }

 private:
  struct Fetched {
    std::size_t rule = 0;
    std::shared_ptr<const TransactionSnapshot> snapshot;
    Lsn until = 0;
  };
  void forget_oldest();

  std::unordered_map<std::string, Fetched> keys_;
  std::deque<std::pair<Lsn, std::string>> order_;  // `until` and key, as they were added
  std::map<std::size_t, Lsn> unknown_until_;
};

}  // namespace edged::mirror
