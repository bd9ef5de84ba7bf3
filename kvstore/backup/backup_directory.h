// SPDX-License-Identifier: Apache-2.0
// A directory that holds backups of one store: table files that several backups share, and for each
// backup a directory with the rest and its manifest, which is written last. Layout:
// docs/storage-format.md, section 10. Locked while it is open, so that two backups, or a backup and
// a restore, do not meet in it. Blocks on disk; one thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "kvstore/backup/manifest.h"
#include "proto/base/status.h"

namespace edged::backup {

class BackupDirectory {
 public:
  enum class Use { kRead, kWrite };

  // One numbered backup of the directory, finished or not.
  struct Found {
    std::uint64_t number = 0;
    Result<Manifest> manifest;
    bool finished = false;  // there is a manifest, whole or not; else the backup never ended
  };

  // kWrite makes it if it is missing or empty. Errors: kUnavailable (in use by another process);
  // kInvalidArgument (another directory with files in it); kUnsupported (a later release's);
  // kNotFound (kRead: not there); kIoError; kDiskFull; kDenied.
  static Result<std::unique_ptr<BackupDirectory>> open(const std::string& path, Use use);
  ~BackupDirectory();
  BackupDirectory(const BackupDirectory&) = delete;
  BackupDirectory& operator=(const BackupDirectory&) = delete;

  const std::string& path() const { return path_; }
  std::string path_of(const std::string& stored) const { return path_ + "/" + stored; }
  static std::string manifest_of(std::uint64_t number);

  // By number. Errors: kIoError, kDenied.
  Result<std::vector<Found>> list() const;

  // Of the table files that are whole: by id, the name in the directory.
  Result<std::map<std::string, std::string>> tables() const;

  // Removes backups that were never finished, and files half copied. Table files that they have
  // copied stay, for the next one. Errors: kIoError.
  Status remove_unfinished();

  // Removes all but the last `keep` finished backups, then the table files that no backup names any
  // more; none of these if a manifest cannot be read. The numbers that went. Errors: kIoError.
  Result<std::vector<std::uint64_t>> keep_last(std::size_t keep);

 private:
  BackupDirectory(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}
  Status remove_unused_tables();

  const std::string path_;
  const int lock_;
};

}  // namespace edged::backup
