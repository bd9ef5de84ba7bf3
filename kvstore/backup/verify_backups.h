// SPDX-License-Identifier: Apache-2.0
// Reads every file of every backup in a directory and compares it with its manifest; a table file
// that several backups share is read once. Nothing is changed. Blocks on disk; one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "proto/base/clock.h"
#include "proto/base/status.h"

namespace edged::backup {

struct CheckedBackup {
  std::uint64_t number = 0;
  bool finished = false;  // else it was interrupted: the next backup removes it
  WallTime created{};     // if the manifest is whole
  std::uint64_t files = 0, bytes = 0;
  std::vector<std::string> damage;  // one line each
};

// By number. `read` false: only the manifests are read, and whether the files are there with their
// sizes. Errors: those of BackupDirectory::open for reading.
Result<std::vector<CheckedBackup>> check_backups(
    const std::string& directory,
    bool read,
    std::uint64_t bytes_per_second,
    const std::function<void(std::uint64_t files, std::uint64_t bytes)>& progress);

}  // namespace edged::backup
