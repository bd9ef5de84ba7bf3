// SPDX-License-Identifier: Apache-2.0
// See private_files.h.
#include "proto/base/private_files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <optional>
#include <system_error>

#include "proto/base/log.h"

namespace edged {
namespace {

constexpr mode_t kDirectoryMode = 0700;
constexpr mode_t kFileMode = 0600;
constexpr mode_t kOthers = 077;
constexpr int kDepthMax = 8;

Status failure(const std::string& what, const std::string& path, int error) {
  return Status(error == ENOSPC || error == EDQUOT ? Code::kDiskFull : Code::kIoError,
                "could not " + what + " \"" + path + "\": " + std::strerror(error));
}

// 0, or errno.
int make_one(const std::string& path) {
  if (::mkdir(path.c_str(), kDirectoryMode) != 0) return errno == EEXIST ? 0 : errno;
  // A umask may have taken rights of the owner too.
  return ::chmod(path.c_str(), kDirectoryMode) == 0 ? 0 : errno;
}

std::string octal(mode_t mode) {
  char text[8];
  std::snprintf(text, sizeof text, "%04o", static_cast<unsigned>(mode & 07777));
  return text;
}

// The names in a directory; none if it cannot be read.
std::vector<std::string> names_in(const std::string& path) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator at(path, error), end; !error && at != end;
       at.increment(error)) {
    names.push_back(at->path().filename().string());
  }
  return names;
}

// What one call of tighten_private_directory() changed.
struct Tally {
  std::size_t changed = 0;
  std::string first_refused;
  int error = 0;
};

void change(const std::string& path, mode_t mode, Tally& tally) {
  if (::chmod(path.c_str(), mode) == 0) {
    ++tally.changed;
  } else if (tally.first_refused.empty()) {
    tally.first_refused = path;
    tally.error = errno;
  }
}

void tighten_entry(const std::string& path, int depth, Tally& tally) {
  struct stat facts {};
  if (::lstat(path.c_str(), &facts) != 0) return;
  const bool open = (facts.st_mode & kOthers) != 0;
  if (S_ISREG(facts.st_mode) && open) change(path, facts.st_mode & kFileMode, tally);
  if (!S_ISDIR(facts.st_mode) || !open || depth == kDepthMax) return;
  change(path, facts.st_mode & kDirectoryMode, tally);  // first: then nobody moves what is in it
  for (const std::string& name : names_in(path)) {
    tighten_entry(path + "/" + name, depth + 1, tally);
  }
}

// Why the directory may not be closed to others; nothing if it may.
std::optional<std::string> why_shared(const std::string& path, const struct stat& facts) {
  if ((facts.st_mode & S_ISVTX) != 0) return "it is a shared directory (sticky)";
  for (const std::string& name : names_in(path)) {
    struct stat entry {};
    if (::lstat((path + "/" + name).c_str(), &entry) != 0) continue;
    if (entry.st_uid != facts.st_uid && entry.st_uid != 0 && entry.st_uid != ::geteuid()) {
      return "\"" + name + "\" in it belongs to another user (uid " + std::to_string(entry.st_uid) +
             ")";
    }
  }
  return std::nullopt;
}

// Closes the directory itself. The log says what it did, or why it could not.
void tighten_top(const std::string& path, const struct stat& facts) {
  const std::string was = octal(facts.st_mode);
  std::string why;
  if (const auto shared = why_shared(path, facts)) {
    why = *shared;
  } else if (::chmod(path.c_str(), facts.st_mode & kDirectoryMode) != 0) {
    why = std::strerror(errno);
  } else {
    log::warn("took the rights of other users away from directory \"" + path + "\": its mode was " +
              was + " and is now " + octal(facts.st_mode & kDirectoryMode));
    return;
  }
  log::warn("could not close directory \"" + path + "\" to other users: " + why +
            ". Its mode stays " + was + "; give the program a directory of its own");
}

}  // namespace

void use_private_umask() {
  ::umask(kOthers);
}

Status make_private_directory(const std::string& path, std::string_view what) {
  const auto failed = [&](const std::string& at, int error) {
    return failure("create " + std::string(what), at, error);
  };
  for (std::size_t slash = path.find('/', 1); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    const std::string parent = path.substr(0, slash);
    if (const int error = make_one(parent); error != 0) return failed(parent, error);
  }
  if (const int error = make_one(path); error != 0) return failed(path, error);
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) return failed(path, errno);
  return S_ISDIR(facts.st_mode) ? Status() : failed(path, ENOTDIR);
}

void tighten_private_directory(const std::string& path,
                               const std::vector<std::string_view>& names) {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0 || !S_ISDIR(facts.st_mode)) return;
  if ((facts.st_mode & kOthers) != 0) tighten_top(path, facts);
  Tally tally;
  for (const std::string_view name : names) {
    tighten_entry(path + "/" + std::string(name), 0, tally);
  }
  if (tally.changed > 0) {
    log::warn("took the rights of other users away from " + std::to_string(tally.changed) +
              " files and directories in \"" + path + "\"");
  }
  if (!tally.first_refused.empty()) {
    log::warn("could not take the rights of other users away from \"" + tally.first_refused +
              "\": " + std::strerror(tally.error));
  }
}

}  // namespace edged
