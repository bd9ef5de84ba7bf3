// SPDX-License-Identifier: Apache-2.0
// The store's own mark beside the database: what was acknowledged, what was synced, and node time.
// On start it is compared with what recovery found, so that a lost write is never silent. Two slots
// are written in turn, each with a checksum, so a kill in the middle leaves the older one. It is
// synced when it is made, on a clean close, and within a second of a synced write: after a power
// cut it is there, and says at most a little too little. One thread at a time. Layout:
// docs/storage-format.md, section 5.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "kvstore/storage/engine/store_clock.h"
#include "proto/base/status.h"

namespace rocksdb {
class FileSystem;
class FSRandomRWFile;
class IOStatus;
}  // namespace rocksdb

namespace edged::storage {

struct Mark {
  std::uint64_t acknowledged_sequence = 0;  // of RocksDB, after the last acknowledged write
  std::uint64_t synced_sequence = 0;        // of RocksDB, known to be on disk
  std::uint64_t version = 0;                // the last one given out
  bool clean = false;                       // closed in order, nothing to recover
  ClockMark clock;
};

class MarkFile {
 public:
  // Errors: kNotFound (no such file); kCorruption (no slot in it is whole); kIoError.
  static Result<Mark> read(rocksdb::FileSystem& files, const std::string& path);

  // Puts a file with `mark` in both slots in the place of whatever is there, all of it on disk, its
  // name included. Errors: kIoError, kDiskFull.
  static Status create(rocksdb::FileSystem& files, const std::string& path, const Mark& mark);

  // Opens an existing file for writing. Errors: kIoError.
  static Result<std::unique_ptr<MarkFile>> open(rocksdb::FileSystem& files,
                                                const std::string& path);

  ~MarkFile();
  MarkFile(const MarkFile&) = delete;
  MarkFile& operator=(const MarkFile&) = delete;

  // Into the kernel, or on disk if `sync`. A failure is logged once; the older mark stays.
  void write(const Mark& mark, bool sync);

  // Puts what was written on disk. May overlap a write().
  void sync();

 private:
  void report(const rocksdb::IOStatus& status);

  MarkFile(std::unique_ptr<rocksdb::FSRandomRWFile> file,
           std::string path,
           std::uint64_t generation);

  const std::unique_ptr<rocksdb::FSRandomRWFile> file_;
  const std::string path_;
  std::uint64_t generation_;
  std::atomic<bool> failure_logged_{false};
};

// Makes the entries of a directory (creations, renames) survive a power cut.
Status sync_directory(rocksdb::FileSystem& files, const std::string& directory);

}  // namespace edged::storage
