// SPDX-License-Identifier: Apache-2.0
// Judges the operations that are written together, in order, each seeing the effects of those
// before it, and collects what they write. Used and dropped within one turn of the writer thread;
// since only that thread writes, what a condition reads cannot change before the batch is written.
#pragma once

#include <rocksdb/write_batch.h>

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "kvstore/storage/database.h"
#include "kvstore/storage/namespace_table.h"
#include "kvstore/storage/store.h"

namespace edged::storage {

class WriteGroup {
 public:
  // `now` judges expiry for the whole group; `last_version` is the last one given out.
  WriteGroup(const Database& database,
             const NamespaceTable& namespaces,
             WallTime now,
             Version last_version);

  // One outcome per operation. What is refused writes nothing.
  std::vector<WriteOutcome> add(const Write& write);

  // What add() collected, and the version mark that goes with it.
  rocksdb::WriteBatch& finish();

  bool empty() const { return batch_.Count() == 0; }
  Version last_version() const { return last_version_; }
  // The earliest expiry written, in Unix milliseconds; UINT64_MAX if nothing that expires was.
  std::uint64_t min_expiry_ms() const { return min_expiry_ms_; }

 private:
  // What the store holds under a key, as the next operation sees it.
  struct Existing {
    bool present = false;
    Version version = 0;
    std::uint64_t expiry_ms = 0;
  };

  WriteOutcome apply(const Put& put);
  WriteOutcome apply(const Delete& del);
  Result<Existing> existing(const std::string& stored_key) const;
  WriteOutcome judge(const std::string& stored_key,
                     Condition condition,
                     Version version,
                     bool is_delete) const;
  void erase(const std::string& stored_key);

  const Database& database_;
  const NamespaceTable& namespaces_;
  const std::int64_t now_ms_;
  Version last_version_;
  std::uint64_t min_expiry_ms_ = UINT64_MAX;
  rocksdb::WriteBatch batch_;
  std::unordered_map<std::string, Existing> written_;
};

// The key in "meta" of the last version given out, u64le; written with every batch.
inline constexpr char kVersionKey[] = "version";

}  // namespace edged::storage
