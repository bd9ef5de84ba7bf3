// SPDX-License-Identifier: Apache-2.0
// The namespaces of a store, in memory and in the column family "meta". A namespace has a number,
// which the rest of the program uses, and a prefix, under which its entries are stored; the two are
// apart so that clearing gives it a new prefix, at once. Neither is ever used twice. Reading: any
// thread. Changing: the writer thread only; synced to disk before a change returns.
#pragma once

#include <rocksdb/write_batch.h>

#include <array>
#include <atomic>
#include <map>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "kvstore/storage/engine/database.h"
#include "kvstore/storage/store.h"
#include "kvstore/storage/tables/dropped_prefixes.h"
#include "kvstore/storage/tables/usage_table.h"

namespace edged::storage {

class NamespaceTable {
 public:
  // All must outlive this object.
  NamespaceTable(Database& database, UsageTable& usage, DroppedPrefixes& dropped)
      : database_(database), usage_(usage), dropped_(dropped) {}

  // Reads what is stored. Errors: kCorruption, kIoError.
  Status load();

  std::optional<std::uint32_t> prefix_of(NamespaceNumber number) const;
  std::vector<Namespace> list() const;
  Result<Namespace> find(std::string_view id_or_title) const;
  // Grows with each change, after the change can be seen.
  std::uint64_t version() const { return version_.load(std::memory_order_acquire); }

  // Errors of these: see Store.
  Result<Namespace> create(std::string title, std::string id, WallTime now);
  Status rename(NamespaceNumber number, std::string title);
  // Both answer the prefix that is no longer used.
  Result<std::uint32_t> clear(NamespaceNumber number);
  Result<std::uint32_t> remove(NamespaceNumber number);

 private:
  struct Row {
    Namespace ns;
    std::uint32_t prefix = 0;
  };
  Status load_row(std::string_view key, std::string_view value);
  Status check_title_free(const std::string& title) const;
  Result<Row> row_of(NamespaceNumber number) const;
  // Lets prefix_of() follow. Before version_ grows.
  void publish(NamespaceNumber number, std::uint32_t prefix);
  void note_next(rocksdb::WriteBatch& batch, std::uint32_t next) const;
  // Notes that entries under `prefix` are to go, writes the batch and lets memory follow.
  Status write_drop(rocksdb::WriteBatch& batch, std::uint32_t prefix, const char* what);
  Status write(rocksdb::WriteBatch& batch, const char* what);

  Database& database_;
  UsageTable& usage_;
  DroppedPrefixes& dropped_;
  // The prefixes of the first namespaces, by number; 0: none. Read at each request, without a lock.
  std::array<std::atomic<std::uint32_t>, 1024> prefixes_{};
  mutable std::shared_mutex mutex_;  // guards rows_
  std::map<NamespaceNumber, Row> rows_;
  std::atomic<std::uint64_t> version_{1};  // written under mutex_
  std::uint32_t next_ = 1;  // of number and prefix alike; writer thread only after load()
};

}  // namespace edged::storage
