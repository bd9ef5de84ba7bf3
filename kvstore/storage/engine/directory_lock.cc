// SPDX-License-Identifier: Apache-2.0
// store.lock, and the one line that says why it could not be had.
#include "kvstore/storage/engine/directory_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "kvstore/storage/engine/database_options.h"
#include "proto/base/private_files.h"

namespace edged::storage {

Result<std::unique_ptr<DirectoryLock>> DirectoryLock::acquire(const std::string& directory,
                                                              bool create) {
  if (create) {
    const Status made = make_private_directory(directory, "data directory");
    if (!made.ok()) return made;
  }
  const std::string path = directory + "/store.lock";
  const int flags = (create ? O_RDWR | O_CREAT : O_RDONLY) | O_CLOEXEC;
  const int descriptor = ::open(path.c_str(), flags, 0600);
  if (descriptor < 0) {
    const bool absent = errno == ENOENT && !create;
    return Status(absent ? Code::kNotFound : Code::kIoError,
                  opening(directory) +
                      (absent ? ": no database there"
                              : std::string(": directory not usable: ") + std::strerror(errno)));
  }
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    ::close(descriptor);
    return Status(Code::kUnavailable, opening(directory) + ": lock held by another process");
  }
  return std::unique_ptr<DirectoryLock>(new DirectoryLock(descriptor));
}

DirectoryLock::~DirectoryLock() {
  ::close(descriptor_);
}

Status close_to_others(const std::string& data_dir) {
  tighten_private_directory(
      data_dir,
      {"db", "damaged", "checkpoints", "store.lock", "store.mark", "ballast", "tokens.lock"});
  return make_private_directory(database_path(data_dir));
}

}  // namespace edged::storage
