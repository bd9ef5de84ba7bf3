// SPDX-License-Identifier: Apache-2.0
// Opens the Store of a data directory on RocksDB. One process at a time; the directory is locked.
// Inside it: db/ (RocksDB), store.lock, store.mark, ballast. Format: docs/storage-format.md.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "kvstore/storage/engine/disk_guard.h"
#include "kvstore/storage/engine/store_clock.h"
#include "kvstore/storage/store.h"

namespace rocksdb {
class FileSystem;
}

namespace edged::storage {

// What to do if acknowledged writes are missing. kStrict: refuse. kCache: keep the damaged logs
// aside, open with what is whole, and report what was lost.
enum class Recovery { kStrict, kCache };

struct RocksStoreOptions {
  std::string data_dir;
  // Block cache, memtables and table readers together; at least 8 MiB.
  std::uint64_t memory_budget_bytes = 128ULL * 1024 * 1024;
  // Small entries that were read or written lately, ready to be read again, and keys found absent;
  // beside the memory budget, taken as needed. 0: none.
  std::uint64_t hot_cache_bytes = 16ULL * 1024 * 1024;
  // How long expired entries stay on disk, out of sight. A clock error up to this destroys nothing.
  std::chrono::milliseconds expiry_grace{10 * 60'000};
  std::chrono::milliseconds reclaim_interval{10'000};
  // Must outlive the store. Null: the system's clock.
  const Clock* clock = nullptr;
  SynchronisedProbe synchronised = kernel_says_synchronised;
  // Of this boot of the machine, 16 bytes. Empty: the kernel's.
  std::string boot_id;
  // What the database and its mark are read and written through. Null: the system's.
  std::shared_ptr<rocksdb::FileSystem> file_system;
  bool create_if_missing = true;
  Recovery recovery = Recovery::kStrict;
  // For tools on a stopped node: nothing is written, submit() answers kDenied.
  bool read_only = false;
  // Bytes that the database may take; 0: no bound. Past it writes are refused (kDiskFull).
  std::uint64_t disk_quota_bytes = 0;
  // Free space that is left alone: below it writes are refused, so that reads, deletes and what
  // gives space back go on.
  std::uint64_t disk_reserve_bytes = 64ULL * 1024 * 1024;
  // A file whose space is released when free space runs short; 0: none.
  std::uint64_t ballast_bytes = 0;
  // Null: the file system's word.
  SpaceProbe free_space;
  // Tables that may be open at once; 0: all are kept open.
  std::size_t open_files_max = 0;
  // Bounds of what waits for the writer thread; past either, submit() answers kBusy.
  std::size_t queue_operations_max = 65'536;
  std::size_t queue_bytes_max = 96ULL * 1024 * 1024;
};

// Blocks on disk. Errors name the directory in one line: kUnavailable (lock held by another
// process); kCorruption (damaged, or acknowledged writes missing: names the file, leaves everything
// in place); kNotFound (create_if_missing is off); kIoError; kDiskFull; kUnsupported (a later
// format).
// Watches, uploads and value readers must end before their store; the store's destructor answers
// what is queued, flushes, and marks a clean close.
Result<std::unique_ptr<Store>> open_rocks_store(RocksStoreOptions options);

}  // namespace edged::storage
