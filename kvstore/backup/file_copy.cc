// SPDX-License-Identifier: Apache-2.0
// See file_copy.h.
#include "kvstore/backup/file_copy.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <functional>
#include <memory>
#include <thread>
#include <utility>

#include "proto/base/check.h"
#include "proto/base/hex.h"

namespace edged::backup {
namespace {

constexpr std::size_t kPieceBytes = 256 * 1024;

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

class Sha256 {
 public:
  Sha256() : context_(::EVP_MD_CTX_new()) {
    KV_CHECK(context_ != nullptr);
    KV_CHECK(::EVP_DigestInit_ex(context_.get(), ::EVP_sha256(), nullptr) == 1);
  }
  void add(std::string_view bytes) {
    KV_CHECK(::EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
  }
  std::string finish() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    KV_CHECK(::EVP_DigestFinal_ex(context_.get(), digest.data(), &size) == 1);
    return to_hex({reinterpret_cast<const char*>(digest.data()), size});
  }

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const { ::EVP_MD_CTX_free(context); }
  };
  const std::unique_ptr<EVP_MD_CTX, Free> context_;
};

Status write_all(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return file_error("write", path, errno);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return Status();
}

using Sink = std::function<Status(std::string_view)>;

Result<FileSum> read_through(const std::string& path, Throttle& throttle, const Sink& sink) {
  const Descriptor source(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (source.get() < 0) return file_error("open", path, errno);
  const auto buffer = std::make_unique<char[]>(kPieceBytes);
  FileSum sum;
  Sha256 hash;
  for (;;) {
    const ssize_t got = ::read(source.get(), buffer.get(), kPieceBytes);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return file_error("read", path, errno);
    if (got == 0) break;
    const std::string_view piece(buffer.get(), static_cast<std::size_t>(got));
    hash.add(piece);
    sum.bytes += piece.size();
    if (Status taken = sink(piece); !taken.ok()) return taken;
    throttle.pass(piece.size());
  }
  sum.sha256 = hash.finish();
  return sum;
}

}  // namespace

std::string sha256_of(std::string_view bytes) {
  Sha256 hash;
  hash.add(bytes);
  return hash.finish();
}

void Throttle::pass(std::uint64_t bytes) {
  if (rate_ == 0) return;
  const auto now = std::chrono::steady_clock::now();
  next_ = std::max(next_, now);
  next_ += std::chrono::nanoseconds(
      static_cast<std::int64_t>(static_cast<double>(bytes) / static_cast<double>(rate_) * 1e9));
  std::this_thread::sleep_until(next_);
}

Status file_error(std::string_view attempted, const std::string& path, int error) {
  Code code = Code::kIoError;
  if (error == ENOSPC || error == EDQUOT) code = Code::kDiskFull;
  if (error == ENOENT) code = Code::kNotFound;
  if (error == EEXIST) code = Code::kExists;
  if (error == EACCES || error == EPERM) code = Code::kDenied;
  std::string message = "could not ";
  message += attempted;
  message += " \"" + path + "\": " + std::strerror(error);
  return {code, std::move(message)};
}

Result<FileSum> copy_file(const std::string& from, const std::string& to, Throttle& throttle) {
  const Descriptor target(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (target.get() < 0) return file_error("create", to, errno);
  auto copied = read_through(
      from, throttle, [&](std::string_view piece) { return write_all(target.get(), piece, to); });
  if (copied && ::fsync(target.get()) != 0) copied = file_error("sync", to, errno);
  if (!copied) ::unlink(to.c_str());
  return copied;
}

Result<FileSum> sum_file(const std::string& path, Throttle& throttle) {
  return read_through(path, throttle, [](std::string_view) { return Status(); });
}

Status sync_directory(const std::string& path) {
  const Descriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0) return file_error("open", path, errno);
  return ::fsync(directory.get()) == 0 ? Status() : file_error("sync", path, errno);
}

}  // namespace edged::backup
