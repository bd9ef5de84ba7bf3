// SPDX-License-Identifier: Apache-2.0
// See read_file.h.
#include "proto/base/read_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace edged {
namespace {

constexpr std::size_t kBlockBytes = 64 * 1024;

std::string reason(int error) {
  return std::generic_category().message(error);
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

Status read_all(int fd, std::size_t bytes_max, std::string& bytes) {
  char block[kBlockBytes];
  for (;;) {
    const ssize_t count = ::read(fd, block, std::min(sizeof block, bytes_max + 1 - bytes.size()));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return {Code::kIoError, reason(errno)};
    if (count == 0) return {};
    bytes.append(block, static_cast<std::size_t>(count));
    if (bytes.size() > bytes_max) {
      return {Code::kTooLarge, "it is larger than " + std::to_string(bytes_max) + " bytes"};
    }
  }
}

bool is_ours(uid_t owner) {
  return owner == ::geteuid() || owner == 0;
}

std::string of_user(uid_t owner) {
  return " belongs to another user (uid " + std::to_string(owner) + ")";
}

}  // namespace

Result<FileContent> read_small_file(const std::string& path, std::size_t bytes_max) {
  // Without O_NONBLOCK a pipe waits for its writer.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (file.get() < 0) {
    return Status(errno == ENOENT ? Code::kNotFound : Code::kIoError, reason(errno));
  }
  struct stat facts {};
  if (::fstat(file.get(), &facts) != 0) return Status(Code::kIoError, reason(errno));
  if (S_ISDIR(facts.st_mode)) return Status(Code::kInvalidArgument, "it is a directory");
  if (!S_ISREG(facts.st_mode)) {
    return Status(Code::kInvalidArgument, "it is not a regular file but a device, pipe or socket");
  }
  FileContent content;
  content.owner = facts.st_uid;
  content.mode = facts.st_mode & 07777;
  const Status read = read_all(file.get(), bytes_max, content.bytes);
  if (!read.ok()) return read;
  return content;
}

std::string why_not_own_file(const std::string& path, const FileContent& content) {
  constexpr mode_t kOthersWrite = S_IWGRP | S_IWOTH;
  if (!is_ours(content.owner)) return "it" + of_user(content.owner);
  if ((content.mode & kOthersWrite) != 0) return "other users can write it";
  const std::size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  struct stat facts {};
  if (::stat(directory.c_str(), &facts) != 0) return "its directory: " + reason(errno);
  if (!is_ours(facts.st_uid)) return "its directory" + of_user(facts.st_uid);
  // In a sticky directory only its owner and a file's own may replace the file.
  const bool sticky = (facts.st_mode & S_ISVTX) != 0;
  if ((facts.st_mode & kOthersWrite) != 0 && !sticky) return "other users can write its directory";
  if (::lstat(path.c_str(), &facts) == 0 && !is_ours(facts.st_uid)) {
    return "the link to it" + of_user(facts.st_uid);
  }
  return {};
}

}  // namespace edged
