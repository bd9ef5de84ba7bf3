// SPDX-License-Identifier: Apache-2.0
// The lock on a data directory. The kernel holds it (flock), so it ends with the process, however
// that ends. Blocks on disk; any thread.
#pragma once

#include <memory>
#include <string>

#include "proto/base/status.h"

namespace edged::storage {

// Keeps other processes, and a second store of this one, off a data directory. Released by the
// destructor, or by the kernel.
class DirectoryLock {
 public:
  // Creates the directory, for its owner alone, and the lock file if `create`. Errors: kUnavailable
  // (held by another), kNotFound, kIoError; all name the directory.
  static Result<std::unique_ptr<DirectoryLock>> acquire(const std::string& directory, bool create);
  ~DirectoryLock();
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

 private:
  explicit DirectoryLock(int descriptor) : descriptor_(descriptor) {}
  const int descriptor_;
};

// Makes the store's files their owner's, also those that another version or umask made. RocksDB
// creates its directory with mode 0755: made here first, it is closed whatever the umask of a
// program that embeds the store. Errors: kIoError, kDiskFull.
Status close_to_others(const std::string& data_dir);

}  // namespace edged::storage
