// SPDX-License-Identifier: Apache-2.0
// The namespaces of a store, in memory and in the column family "meta". A namespace has a number,
// which the rest of the program uses, and a prefix, under which its entries are stored; the two are
// apart so that clearing can give it a new prefix. Neither is ever used twice. Reading: any thread.
// create(): the writer thread only.
#pragma once

#include <rocksdb/write_batch.h>

#include <map>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "kvstore/storage/database.h"
#include "kvstore/storage/store.h"

namespace edged::storage {

class NamespaceTable {
 public:
  // `database` must outlive this object.
  explicit NamespaceTable(Database& database) : database_(database) {}

  // Reads what is stored. Errors: kCorruption, kIoError.
  Status load();

  std::optional<std::uint32_t> prefix_of(NamespaceNumber number) const;
  std::vector<Namespace> list() const;
  Result<Namespace> find(std::string_view id_or_title) const;

  // Synced to disk before it returns. Errors: see Store::create_namespace.
  Result<Namespace> create(std::string title, std::string id, WallTime now);

 private:
  struct Row {
    Namespace ns;
    std::uint32_t prefix = 0;
  };
  Status load_row(std::string_view key, std::string_view value);

  Database& database_;
  mutable std::shared_mutex mutex_;  // guards rows_
  std::map<NamespaceNumber, Row> rows_;
  std::uint32_t next_ = 1;  // of number and prefix alike; writer thread only after load()
};

}  // namespace edged::storage
