// SPDX-License-Identifier: Apache-2.0
// Makes a data directory of a backup. What is copied is compared with the manifest's checksums;
// store.mark comes last, so that a directory that is half restored is refused by the node. Mirrored
// keys are stale in it until their mirror has loaded them anew. Blocks on disk; one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "proto/base/clock.h"
#include "proto/base/status.h"

namespace edged::backup {

struct RestoreOptions {
  std::string directory;               // the backup directory
  std::string target;                  // the data directory: missing or empty
  std::uint64_t number = 0;            // which backup; 0: the last one
  std::uint64_t bytes_per_second = 0;  // 0: as fast as it goes
  std::function<void(std::uint64_t files, std::uint64_t bytes)> progress;  // may be null
  const Clock* clock = nullptr;  // of the restored store's first opening; null: the system's
};

struct RestoreReport {
  std::uint64_t number = 0;
  WallTime created{};
  std::uint64_t files = 0, bytes = 0;
  std::uint64_t namespaces = 0, keys = 0;
  std::size_t mirrors = 0;  // namespaces whose mirror must load its keys anew
};

// Run by root, it gives what it makes to the owner of `target`, if that exists. After an error
// nothing that it made is left in `target`. Errors: kInvalidArgument (`target` is not empty);
// kNotFound (no backup, or none with this number); kCorruption (the backup is damaged; the line
// names the file); kUnavailable (the backup directory is in use); kUnsupported; kDiskFull;
// kIoError; kDenied.
Result<RestoreReport> restore(const RestoreOptions& options);

}  // namespace edged::backup
