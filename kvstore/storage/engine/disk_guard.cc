// SPDX-License-Identifier: Apache-2.0
// Free space, quota, ballast.
#include "kvstore/storage/engine/disk_guard.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>
#include <utility>

#include "proto/base/log.h"

namespace edged::storage {
namespace {

// A burst of writes is looked at this often: far more often than the reserve is large.
constexpr std::uint64_t kCheckEveryBytes = 4 * 1024 * 1024;

SpaceProbe free_space_of(const std::string& directory) {
  return [directory]() -> std::optional<std::uint64_t> {
    struct statvfs space {};
    if (::statvfs(directory.c_str(), &space) != 0) return std::nullopt;
    return std::uint64_t{space.f_bavail} * space.f_frsize;
  };
}

DiskGuard::Options completed(DiskGuard::Options options) {
  if (!options.free_bytes) options.free_bytes = free_space_of(options.data_dir);
  return options;
}

std::string in_mib(std::uint64_t bytes) {
  return std::to_string(bytes / (1024 * 1024)) + " MiB";
}

std::string ballast_path(const std::string& data_dir) {
  return data_dir + "/ballast";
}

bool write_ballast(const std::string& path, std::uint64_t bytes) {
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) return false;
  const bool done = ::posix_fallocate(descriptor, 0, static_cast<off_t>(bytes)) == 0;
  ::close(descriptor);
  if (!done) ::unlink(path.c_str());
  return done;
}

}  // namespace

std::uint64_t bytes_in_directory(const std::string& directory) {
  std::uint64_t total = 0;
  std::error_code error;
  std::filesystem::directory_iterator it(directory, error);
  for (; !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    std::error_code gone;  // it may be deleted meanwhile
    if (!it->is_regular_file(gone)) continue;
    const auto bytes = it->file_size(gone);
    if (!gone) total += bytes;
  }
  return total;
}

DiskGuard::DiskGuard(Options options) : options_(completed(std::move(options))) {
  std::error_code error;
  has_ballast_ = std::filesystem::exists(ballast_path(options_.data_dir), error);
  check();
}

void DiskGuard::check() {
  written_since_check_ = 0;
  const auto free = options_.free_bytes();
  if (!free) return;
  free_bytes_ = *free;
  const std::lock_guard lock(mutex_);
  std::string reason = verdict(*free);
  if (reason.empty() != reason_.empty()) {
    if (reason.empty()) {
      log::info("storage: there is disk space again, writes are accepted");
    } else {
      log::error("storage: writes are refused: " + reason);
    }
  }
  reason_ = std::move(reason);
  refuses_ = !reason_.empty();
  keep_ballast(*free);
}

void DiskGuard::note_written(std::uint64_t bytes) {
  if (written_since_check_.fetch_add(bytes) + bytes >= kCheckEveryBytes) check();
}

// Releasing the ballast must not look like space that somebody made.
std::uint64_t DiskGuard::wanted_bytes() const {
  return options_.reserve_bytes + (has_ballast_ ? 0 : options_.ballast_bytes);
}

std::string DiskGuard::verdict(std::uint64_t free) const {
  if (free < wanted_bytes()) {
    return "the disk is full: " + in_mib(free) + " are free, the last " + in_mib(wanted_bytes()) +
           " are kept";
  }
  if (options_.quota_bytes != 0) {
    const std::uint64_t used = bytes_in_directory(options_.data_dir + "/db");
    if (used >= options_.quota_bytes) {
      return "the disk quota of " + in_mib(options_.quota_bytes) + " is reached: " + in_mib(used) +
             " are used";
    }
  }
  return {};
}

void DiskGuard::keep_ballast(std::uint64_t free) {
  if (options_.ballast_bytes == 0 && !has_ballast_) return;
  const std::string path = ballast_path(options_.data_dir);
  const bool short_of_space = free < options_.reserve_bytes;
  if (has_ballast_ && (short_of_space || options_.ballast_bytes == 0)) {
    if (::unlink(path.c_str()) == 0) log::info("storage: ballast released");
    has_ballast_ = false;
  } else if (!has_ballast_ && free >= options_.reserve_bytes + 2 * options_.ballast_bytes) {
    has_ballast_ = write_ballast(path, options_.ballast_bytes);
  }
}

std::string DiskGuard::reason() const {
  const std::lock_guard lock(mutex_);
  return reason_;
}

}  // namespace edged::storage
