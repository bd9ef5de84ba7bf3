// SPDX-License-Identifier: Apache-2.0
// See verify_backups.h.
#include "kvstore/backup/verify_backups.h"

#include <filesystem>
#include <map>
#include <system_error>
#include <utility>

#include "kvstore/backup/backup_directory.h"
#include "kvstore/backup/file_copy.h"

namespace edged::backup {
namespace {

namespace fs = std::filesystem;

class Check {
 public:
  using Progress = std::function<void(std::uint64_t files, std::uint64_t bytes)>;

  Check(const BackupDirectory& directory, bool read, std::uint64_t rate, const Progress& progress)
      : directory_(directory), read_(read), throttle_(rate), progress_(progress) {}

  // The reason why it cannot be used; empty if it can.
  std::string judge(const BackupFile& file) {
    const std::string path = directory_.path_of(file.stored);
    std::error_code failed;
    const std::uint64_t bytes = fs::file_size(path, failed);
    if (failed) return "\"" + path + "\": " + failed.message();
    if (bytes != file.bytes) {
      return "\"" + path + "\" has " + std::to_string(bytes) + " bytes instead of " +
             std::to_string(file.bytes);
    }
    if (!read_) return {};
    const auto sum = sum_of(file.stored, path);
    if (!sum) return sum.error().message();
    if (*sum == file.sha256) return {};
    return "\"" + path + "\" is not what was written: its SHA-256 is " + *sum + " instead of " +
           file.sha256;
  }

 private:
  Result<std::string> sum_of(const std::string& stored, const std::string& path) {
    const auto known = sums_.find(stored);
    if (known != sums_.end()) return known->second;
    const auto sum = sum_file(path, throttle_);
    if (!sum) return sum.error();
    bytes_ += sum->bytes;
    if (progress_) progress_(sums_.size() + 1, bytes_);
    return sums_.emplace(stored, sum->sha256).first->second;
  }

  const BackupDirectory& directory_;
  const bool read_;
  Throttle throttle_;
  const Progress& progress_;
  std::map<std::string, std::string> sums_;  // by stored
  std::uint64_t bytes_ = 0;
};

}  // namespace

Result<std::vector<CheckedBackup>> check_backups(
    const std::string& directory,
    bool read,
    std::uint64_t bytes_per_second,
    const std::function<void(std::uint64_t files, std::uint64_t bytes)>& progress) {
  const auto opened = BackupDirectory::open(directory, BackupDirectory::Use::kRead);
  if (!opened) return opened.error();
  const auto found = (*opened)->list();
  if (!found) return found.error();
  Check check(**opened, read, bytes_per_second, progress);
  std::vector<CheckedBackup> all;
  for (const auto& one : *found) {
    CheckedBackup checked;
    checked.number = one.number;
    checked.finished = one.finished;
    if (one.manifest) {
      checked.created = one.manifest->created;
      checked.files = one.manifest->files.size();
      checked.bytes = one.manifest->bytes();
      for (const BackupFile& file : one.manifest->files) {
        std::string wrong = check.judge(file);
        if (!wrong.empty()) checked.damage.push_back(std::move(wrong));
      }
    } else if (one.finished) {
      checked.damage.push_back(one.manifest.error().message());
    }
    all.push_back(std::move(checked));
  }
  return all;
}

}  // namespace edged::backup
