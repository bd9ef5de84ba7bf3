// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/atomic_file.h"

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

}  // namespace

Status replace_file(const std::string& path, const std::string& content) {
  const std::string temporary = path + ".new";
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return failure("create", temporary, errno);
  const Status status = write_all(fd, content, temporary);
  ::close(fd);
  if (!status.ok()) {
    ::unlink(temporary.c_str());
    return status;
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) return failure("replace", path, errno);
  return {};
}

}  // namespace edged
