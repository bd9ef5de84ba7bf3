// SPDX-License-Identifier: Apache-2.0
// Live keys and bytes per namespace prefix, known without a scan and with expired entries left out:
// every entry is counted in a bucket of the time at which it expires, and a bucket whose time has
// passed no longer counts. How wide its bucket is follows from the entry's time-to-live, which its
// record states, so that whoever replaces or deletes an entry finds the bucket again. Each batch
// carries the new values of the buckets it touches ("meta", key 'c'), so counts are as durable as
// the entries. Changing: who may write (writer.h). Reading: any thread. Layout:
// docs/storage-format.md.
#pragma once

#include <rocksdb/write_batch.h>

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "kvstore/storage/engine/database.h"
#include "kvstore/storage/store.h"

namespace edged::storage {

// Where an entry is counted. Ordered by prefix.
struct UsageBucket {
  std::uint32_t prefix = 0;
  std::uint8_t width = 0;   // 0: never expires; 1: 1 s; 2: 1 min; 3: 1 h; 4: 1 day
  std::uint64_t index = 0;  // (expiry - 1) / width: a bucket ends with its last possible expiry

  auto operator<=>(const UsageBucket&) const = default;

  // The first millisecond at which nothing in it lives; nothing if it never ends.
  std::optional<std::int64_t> end_ms() const;
};

UsageBucket bucket_of(std::uint32_t prefix, std::uint64_t expiry_ms, Version version);

struct UsageTotals {
  std::int64_t keys = 0;
  std::int64_t bytes = 0;
};

// What a group of writes changes.
using UsageDelta = std::map<UsageBucket, UsageTotals>;

class UsageTable {
 public:
  // Reads what is stored. Errors: kCorruption; kIoError.
  Status load(const Database& database);

  // Counts every entry and stores the result: for a store of a release that did not count. Reads
  // the whole store. Errors: kIoError.
  static Status rebuild(const Database& database);

  // Adds the values after `delta` to the batch; commit() makes them those in memory, once the batch
  // is written.
  void stage(const UsageDelta& delta, const Database& database, rocksdb::WriteBatch& batch) const;
  void commit(const UsageDelta& delta);

  // Forgets buckets that ended before `now_ms`, at most `limit`, and adds their removal to the
  // batch: they count for nothing. Returns how many.
  std::size_t drop_ended(std::int64_t now_ms,
                         std::size_t limit,
                         const Database& database,
                         rocksdb::WriteBatch& batch);

  // Adds the removal of a whole prefix to the batch; forget_prefix() once it is written.
  void stage_drop(std::uint32_t prefix, const Database& database, rocksdb::WriteBatch& batch) const;
  void forget_prefix(std::uint32_t prefix);

  NamespaceUsage usage_of(std::uint32_t prefix, std::int64_t now_ms) const;
  std::uint64_t keys(std::int64_t now_ms) const;

 private:
  UsageTotals after(const UsageBucket& bucket, const UsageTotals& change) const;

  mutable std::mutex mutex_;  // guards buckets_
  std::map<UsageBucket, UsageTotals> buckets_;
};

}  // namespace edged::storage
