// SPDX-License-Identifier: Apache-2.0
// Checkpoints: what a backup of a running store copies from. Each is a directory
// <data_dir>/checkpoints/<name> that can be opened as a store of its own: hard links to the table
// files, a copy of the short rest of the log, and a mark of what was acknowledged before it was
// made. Another process asks for one with a file in that directory, which only root and the store's
// own user can write (checkpoint_request.h), and locks what it gets (DirectoryLock). One that
// nobody holds is removed after 10 s, and at the next start, so that a backup that died keeps no
// space. Blocks on disk; one thread. docs/adr/0011-backups.md.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "kvstore/storage/engine/database.h"
#include "kvstore/storage/rocks_store.h"
#include "proto/base/status.h"

namespace edged::storage {

class Checkpoints {
 public:
  // Each pins the files of its moment, so there are few.
  static constexpr std::size_t kCheckpointsMax = 8;
  // From when it is made to when its user must have locked it.
  static constexpr std::chrono::seconds kUnclaimedMax{10};

  // `database` outlives the object. Makes the directory, and removes what an earlier process left.
  Checkpoints(Database& database, const RocksStoreOptions& options);
  Checkpoints(const Checkpoints&) = delete;
  Checkpoints& operator=(const Checkpoints&) = delete;

  // Makes those that were asked for, and removes those that nobody uses. To be called about once a
  // second; costs the reading of a directory that is nearly always empty.
  void serve();

 private:
  using Instant = std::chrono::steady_clock::time_point;

  Status make(const std::string& name);
  Status write(const std::string& path) const;
  std::size_t remove_unused(const std::vector<std::string>& names);  // how many stay

  Database& database_;
  const RocksStoreOptions options_;
  const std::string directory_;
  std::map<std::string, Instant> made_;  // by this object
};

}  // namespace edged::storage
