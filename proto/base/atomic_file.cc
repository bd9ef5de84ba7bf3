// SPDX-License-Identifier: Apache-2.0
#include "proto/base/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace edged {
namespace {

Status failure(const std::string& what, const std::string& path, int error) {
  return Status(error == ENOSPC ? Code::kDiskFull : Code::kIoError,
                "could not " + what + " \"" + path + "\": " + std::strerror(error));
}

Status write_all(int fd, const std::string& content, const std::string& path) {
  std::size_t written = 0;
  while (written < content.size()) {
    const ssize_t count = ::write(fd, content.data() + written, content.size() - written);
    if (count < 0 && errno != EINTR) return failure("write", path, errno);
    if (count > 0) written += static_cast<std::size_t>(count);
  }
  return ::fsync(fd) == 0 ? Status() : failure("write", path, errno);
}

// Without it a power cut may bring the old file back.
Status sync_directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return failure("open", directory, errno);
  const Status status = ::fsync(fd) == 0 ? Status() : failure("sync", directory, errno);
  ::close(fd);
  return status;
}

}  // namespace

Status replace_file(const std::string& path, const std::string& content, unsigned mode) {
  const std::string temporary = path + ".new";
  ::unlink(temporary.c_str());  // one that a crash left may have another mode
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (fd < 0) return failure("create", temporary, errno);
  const Status status = write_all(fd, content, temporary);
  ::close(fd);
  if (!status.ok()) {
    ::unlink(temporary.c_str());
    return status;
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) return failure("replace", path, errno);
  return sync_directory_of(path);
}

}  // namespace edged
