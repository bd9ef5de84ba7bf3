// SPDX-License-Identifier: Apache-2.0
// See secret_file.h.
#include "proto/base/secret_file.h"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <fstream>
#include <system_error>
#include <utility>

#include "proto/base/log.h"

namespace edged {
namespace {

constexpr std::size_t kSecretBytesMax = 4096;

bool is_control(char c) {
  return static_cast<unsigned char>(c) < ' ' || c == '\x7f';
}

std::string trimmed(const std::string& line) {
  constexpr const char* kBlanks = " \t\r";
  const std::size_t first = line.find_first_not_of(kBlanks);
  if (first == std::string::npos) return {};
  return line.substr(first, line.find_last_not_of(kBlanks) - first + 1);
}

}  // namespace

Result<std::string> read_secret_file(const std::string& path) {
  const auto unusable = [&path](const std::string& why) {
    return Status(Code::kInvalidArgument, "could not use the secret in \"" + path + "\": " + why);
  };
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) return unusable(std::system_category().message(errno));
  if (!S_ISREG(found.st_mode)) return unusable("it is not a regular file");
  if ((found.st_mode & S_IROTH) != 0) {
    return unusable("everybody can read it. Run: chmod o-rwx " + path);
  }
  std::ifstream file(path);
  if (!file.is_open()) return unusable("permission denied");
  std::string line;
  if (!std::getline(file, line)) return unusable("it is empty");
  std::string secret = trimmed(line);
  if (secret.empty()) return unusable("its first line is empty");
  if (secret.size() > kSecretBytesMax) {
    return unusable("its first line is longer than " + std::to_string(kSecretBytesMax) + " bytes");
  }
  if (std::any_of(secret.begin(), secret.end(), is_control)) {
    return unusable("its first line holds a control character");
  }
  return secret;
}

SecretFile::SecretFile(std::string path, std::string what)
    : path_(std::move(path)),
      what_(std::move(what)),
      secret_(Status(Code::kInvalidArgument, "the secret was not read yet")) {}

bool SecretFile::has_changed() {
  struct stat now {};
  if (::stat(path_.c_str(), &now) != 0) return true;
  const bool same =
      now.st_ino == seen_.st_ino && now.st_dev == seen_.st_dev && now.st_size == seen_.st_size &&
      now.st_mode == seen_.st_mode && now.st_mtim.tv_sec == seen_.st_mtim.tv_sec &&
      now.st_mtim.tv_nsec == seen_.st_mtim.tv_nsec && now.st_ctim.tv_sec == seen_.st_ctim.tv_sec &&
      now.st_ctim.tv_nsec == seen_.st_ctim.tv_nsec;
  seen_ = now;
  // A file that is written twice in a row may keep the same time stamp.
  const bool settled = std::time(nullptr) - now.st_ctim.tv_sec > 2;
  return !same || !settled;
}

Result<std::string> SecretFile::get() {
  if (!has_changed() && usable_) return secret_;
  Result<std::string> read = read_secret_file(path_);
  usable_ = static_cast<bool>(read);
  if (read) {
    if (secret_ && *secret_ != *read) log::info(what_ + ": the secret was replaced, using it");
    secret_ = std::move(read);
    complaint_.clear();
    return secret_;
  }
  if (!secret_) return read.error();
  if (read.error().message() != complaint_) {
    complaint_ = read.error().message();
    log::error(what_ + ": " + complaint_ + ". The secret that was read before stays in use");
  }
  return secret_;
}

}  // namespace edged
