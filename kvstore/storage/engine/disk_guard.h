// SPDX-License-Identifier: Apache-2.0
// Keeps "no space left" away from RocksDB, which stops for good or aborts when it meets it: below a
// reserve of free space, or above a quota of its own, the store refuses what grows it (kDiskFull);
// reads and deletes go on, and writes resume by themselves. A ballast file gives its space back
// when the reserve is touched, so that deletes, flushes and compactions have room. Any thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "proto/base/status.h"

namespace edged::storage {

// Bytes that this process may still write to the file system; nothing if that cannot be told.
using SpaceProbe = std::function<std::optional<std::uint64_t>()>;

class DiskGuard {
 public:
  struct Options {
    std::string data_dir;
    std::uint64_t quota_bytes = 0;    // of all files of the store; 0: none
    std::uint64_t reserve_bytes = 0;  // of free space; 0: writes go on to the last byte
    std::uint64_t ballast_bytes = 0;  // 0: no ballast file
    SpaceProbe free_bytes;            // null: the file system's word
  };

  // Releases the ballast at once if space is short, so that a database can be opened on a full
  // disk.
  explicit DiskGuard(Options options);

  // Looks again; to be called about once a second.
  void check();

  // `bytes` were written: looks again if that may have changed the verdict.
  void note_written(std::uint64_t bytes);

  bool refuses() const { return refuses_.load(std::memory_order_relaxed); }
  // Why; empty if it does not refuse.
  std::string reason() const;
  std::uint64_t free_bytes() const { return free_bytes_.load(std::memory_order_relaxed); }

 private:
  std::uint64_t wanted_bytes() const;
  std::string verdict(std::uint64_t free) const;
  void keep_ballast(std::uint64_t free);

  const Options options_;
  std::atomic<bool> refuses_{false};
  std::atomic<std::uint64_t> free_bytes_{0};
  std::atomic<std::uint64_t> written_since_check_{0};
  mutable std::mutex mutex_;  // guards all below
  std::string reason_;
  bool has_ballast_ = false;
};

// Bytes in the files of a directory, not of those below it; 0 if it cannot be read.
std::uint64_t bytes_in_directory(const std::string& directory);

}  // namespace edged::storage
