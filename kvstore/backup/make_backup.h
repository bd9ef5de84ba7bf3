// SPDX-License-Identifier: Apache-2.0
// Copies a data directory into a backup directory: of a running node a checkpoint, which the node
// makes and this removes; of a stopped one its files. Table files that an earlier backup has are
// not copied again. The backup exists from the moment its manifest has its name, which is the last
// step; ended before, it leaves files that nobody lists and that the next backup removes or uses.
// Blocks on disk; one thread. docs/adr/0011-backups.md.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "proto/base/clock.h"
#include "proto/base/status.h"

namespace edged::backup {

struct BackupOptions {
  std::string data_dir;                         // or a checkpoint; locked while it is copied
  std::string directory;                        // the backup directory
  std::chrono::milliseconds patience{120'000};  // how long a node may take for a checkpoint
  std::uint64_t bytes_per_second = 0;           // 0: as fast as it goes
  std::size_t keep = 0;                         // how many backups stay, this one included; 0: all
  WallTime now{};
  // Of the table files: how many, and how many bytes, were copied so far. May be null.
  std::function<void(std::uint64_t files, std::uint64_t bytes)> progress;
};

struct BackupReport {
  std::uint64_t number = 0;
  std::uint64_t files = 0, bytes = 0;                // that belong to it
  std::uint64_t copied_files = 0, copied_bytes = 0;  // of these, the new ones
  std::vector<std::uint64_t> removed;                // backups that were above `keep`
  // Why older backups could not be removed; the new one is whole.
  Status cleanup;
};

// Errors: kCorruption (the source is damaged; the line names the file); kNotFound (no store there);
// kUnavailable (the node makes no checkpoint, or the backup directory is in use); kConflict (the
// backup directory holds another store's backups); kDiskFull; kIoError; kDenied; those of
// BackupDirectory::open.
Result<BackupReport> make_backup(const BackupOptions& options);

}  // namespace edged::backup
