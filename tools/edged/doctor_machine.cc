// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/doctor_machine.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>

#include "tools/edged/descriptors.h"

namespace edged::doctor {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMiB = 1ULL << 20;
constexpr std::uint64_t kFreeFilesMin = 1000;
constexpr std::size_t kUnlimited = 1 << 20;
constexpr std::uint64_t kBallastBytes = 32 * kMiB;  // as options.cc keeps it

std::string quoted(const std::string& text) {
  return "\"" + text + "\"";
}

std::string mebibytes(std::uint64_t bytes) {
  return std::to_string(bytes / kMiB) + " MiB";
}

// `path`, or the first directory above it that exists.
fs::path nearest(const fs::path& path) {
  std::error_code ignored;
  fs::path found = fs::absolute(path, ignored);
  while (!fs::exists(found, ignored) && found.has_relative_path()) found = found.parent_path();
  return found;
}

bool may(const fs::path& path, int mode) {
  return ::faccessat(AT_FDCWD, path.c_str(), mode, AT_EACCESS) == 0;
}

// False if nothing more can be said of the directory.
bool check_rights(const Directory& directory, const fs::path& found, Report& report) {
  const std::string named = directory.key + " " + quoted(directory.path);
  struct stat facts {};
  if (::stat(found.c_str(), &facts) != 0) {
    report.error(
        directory.check, named + " cannot be looked at", std::string("ls -ld ") + found.string());
    return false;
  }
  if (!S_ISDIR(facts.st_mode)) {
    report.error(directory.check,
                 quoted(found.string()) + " is not a directory",
                 "set " + directory.key + " to another path");
    return false;
  }
  std::error_code ignored;
  const bool is_there = fs::exists(directory.path, ignored);
  if (!may(found, W_OK | X_OK)) {
    report.error(directory.check,
                 is_there ? named + " cannot be written by this user"
                          : named + " does not exist, and this user cannot create it",
                 "sudo install -d -m 700 -o $(id -un) " + directory.path);
    return false;
  }
  if (is_there && (facts.st_mode & (S_IRWXG | S_IRWXO)) != 0 && (facts.st_mode & S_ISVTX) == 0) {
    report.warn(directory.check,
                named + " is open to other users of this machine",
                "chmod 700 " + directory.path);
  }
  if (is_there && ::geteuid() == 0 && facts.st_uid != 0) {
    report.note(directory.check,
                named + " belongs to another user; root's rights were looked at, not that user's",
                std::string("sudo -u '#") + std::to_string(facts.st_uid) + "' edged doctor");
  }
  return true;
}

void check_room(const Directory& directory, const fs::path& found, Report& report) {
  struct statvfs facts {};
  if (::statvfs(found.c_str(), &facts) != 0) return;
  const std::uint64_t free = static_cast<std::uint64_t>(facts.f_bavail) * facts.f_frsize;
  std::string what = directory.key;
  what.append(" ").append(quoted(directory.path)).append(": ").append(mebibytes(free));
  what += " free";
  const std::string fix = std::string("make room on the file system of ") + found.string() +
                          ", or set " + directory.key + " to a directory on another one";
  if (free < directory.free_min) {
    what.append(", and writes need ").append(mebibytes(directory.free_min));
    report.error(directory.check, what, fix);
  } else if (free < directory.free_wanted) {
    what.append(": that is narrow, have ").append(mebibytes(directory.free_wanted));
    report.warn(directory.check, what, fix);
  } else if (facts.f_files != 0 && facts.f_favail < kFreeFilesMin) {
    report.warn(directory.check,
                what + ", but only " + std::to_string(facts.f_favail) + " more files can be made",
                std::string("remove files on the file system of ") + found.string());
  } else {
    report.ok(directory.check, what);
  }
}

}  // namespace

void check_directory(const Directory& directory, Report& report) {
  const fs::path found = nearest(directory.path);
  if (check_rights(directory, found, report)) check_room(directory, found, report);
}

void check_node_disk(const config::Config& config, Report& report) {
  const config::Node& node = config.node;
  Directory data{"disk", node.data_dir, "node.data_dir", 0, 0};
  data.free_min = node.disk_reserve_bytes;
  data.free_wanted = 2 * node.disk_reserve_bytes + kBallastBytes + node.memory_budget_bytes;
  check_directory(data, report);
  std::error_code ignored;
  const fs::path damaged = fs::path(node.data_dir) / "damaged";
  if (fs::exists(damaged, ignored) && !fs::is_empty(damaged, ignored)) {
    report.warn(
        "disk",
        std::string(
            "a start with recovery \"cache\" put damaged logs aside, and nothing reads them: ") +
            damaged.string(),
        std::string("when you no longer need them: rm -r ") + damaged.string());
  }
  if (node.recovery == "cache") {
    report.warn("disk",
                "node.recovery is \"cache\": a start accepts that acknowledged writes are lost",
                "set node.recovery to \"strict\" once the node has started");
  }
}

void check_descriptors(Report& report) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const DescriptorPlan plan = plan_descriptors(limit.rlim_max);
  const DescriptorPlan wanted = plan_descriptors(kUnlimited);
  if (plan.binary_connections_max < wanted.binary_connections_max ||
      plan.http_connections_max < wanted.http_connections_max) {
    report.warn("descriptors",
                std::string("a process may have ") + std::to_string(limit.rlim_max) +
                    " open files, which leaves " + std::to_string(plan.binary_connections_max) +
                    " connections of the binary protocol and " +
                    std::to_string(plan.http_connections_max) + " of each HTTP address",
                "LimitNOFILE=32768 in the systemd unit, or before the start: ulimit -n 32768");
    return;
  }
  report.ok("descriptors",
            std::string("a process may have ") + std::to_string(limit.rlim_max) + " open files");
}

}  // namespace edged::doctor
