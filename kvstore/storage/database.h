// SPDX-License-Identifier: Apache-2.0
// The open RocksDB of a data directory: its lock, its column families, its options, and recovery
// that refuses rather than loses an acknowledged write in silence (docs/storage-format.md, section
// 5). Opening blocks on disk; afterwards any thread may use what RocksDB allows.
#pragma once

#include <rocksdb/db.h>

#include <memory>
#include <string>

#include "kvstore/storage/mark_file.h"
#include "kvstore/storage/rocks_logger.h"
#include "kvstore/storage/rocks_store.h"
#include "kvstore/storage/ttl_filter.h"
#include "proto/base/status.h"

namespace edged::storage {

// Keeps other processes, and a second store of this one, off a data directory. Released by the
// destructor, or by the kernel.
class DirectoryLock {
 public:
  // Creates the directory and the lock file if `create`. Errors: kUnavailable (held by another),
  // kNotFound, kIoError; all name the directory.
  static Result<std::unique_ptr<DirectoryLock>> acquire(const std::string& directory, bool create);
  ~DirectoryLock();
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

 private:
  explicit DirectoryLock(int descriptor) : descriptor_(descriptor) {}
  const int descriptor_;
};

class Database {
 public:
  // `filter` is set on the entries' column family; `mark` is what MarkFile::read found. A new
  // database is given a mark with `now` in it before anything else. The lock on the directory must
  // be held, options.file_system set. Errors: kCorruption (damaged, or acknowledged writes are
  // missing); kNotFound (nothing there and create_if_missing is off); kUnsupported; kIoError;
  // kDiskFull.
  static Result<std::unique_ptr<Database>> open(const RocksStoreOptions& options,
                                                const Result<Mark>& mark,
                                                const ClockMark& now,
                                                std::shared_ptr<TtlFilterFactory> filter);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  rocksdb::DB& db() const { return *db_; }
  rocksdb::ColumnFamilyHandle* entries() const { return handles_[0]; }
  rocksdb::ColumnFamilyHandle* meta() const { return handles_[1]; }

  // Writes what is in memory to table files, so that the log can go. Blocks on disk.
  Status flush();

 private:
  Database() = default;
  std::unique_ptr<rocksdb::Env> env_;
  std::shared_ptr<RocksLogger> logger_;
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;
};

}  // namespace edged::storage
