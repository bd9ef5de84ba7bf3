// SPDX-License-Identifier: Apache-2.0
// The open RocksDB of a data directory and its column families. It opens only what recovery.h lets
// pass: an acknowledged write is never lost in silence (docs/storage-format.md, section 5).
// Opening blocks on disk; afterwards any thread may use what RocksDB allows.
#pragma once

#include <rocksdb/db.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "kvstore/storage/engine/database_options.h"
#include "kvstore/storage/engine/rocks_logger.h"
#include "kvstore/storage/format/mark_file.h"
#include "kvstore/storage/rocks_store.h"
#include "proto/base/status.h"

namespace edged::storage {

class Database {
 public:
  // `mark` is what MarkFile::read found. A new
  // database is given a mark with `now` in it before anything else. The lock on the directory must
  // be held, options.file_system set. Errors: kCorruption (damaged, or acknowledged writes are
  // missing); kNotFound (nothing there and create_if_missing is off); kUnsupported; kIoError;
  // kDiskFull.
  static Result<std::unique_ptr<Database>> open(const RocksStoreOptions& options,
                                                const Result<Mark>& mark,
                                                const ClockMark& now,
                                                CompactionFilters filters);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  rocksdb::DB& db() const { return *db_; }
  rocksdb::ColumnFamilyHandle* entries() const { return handles_[0]; }
  rocksdb::ColumnFamilyHandle* meta() const { return handles_[1]; }
  rocksdb::ColumnFamilyHandle* bodies() const { return handles_[2]; }

  // Operations that were acknowledged and that opening found gone; see StoreStats.
  std::uint64_t recovered_lost() const { return recovered_lost_; }

  // After a failed write: makes RocksDB take writes again. What it may have numbered in vain is
  // covered by a table file, so that the next opening finds no gap before the log that follows.
  // False: not yet. Blocks on disk.
  bool resume();

  // Writes what is in memory to table files, so that the log can go. Blocks on disk.
  Status flush();

 private:
  Database() = default;
  std::unique_ptr<rocksdb::Env> env_;
  std::shared_ptr<RocksLogger> logger_;
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;
  std::uint64_t recovered_lost_ = 0;
};

}  // namespace edged::storage
