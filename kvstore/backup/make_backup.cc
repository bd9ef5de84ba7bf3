// SPDX-License-Identifier: Apache-2.0
// See make_backup.h.
#include "kvstore/backup/make_backup.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <string_view>
#include <system_error>
#include <utility>

#include "kvstore/backup/backup_directory.h"
#include "kvstore/backup/file_copy.h"
#include "kvstore/backup/manifest.h"
#include "kvstore/storage/checkpoint/checkpoint_request.h"
#include "kvstore/storage/checkpoint/table_file.h"
#include "kvstore/storage/checkpoint/verify_store.h"
#include "kvstore/storage/engine/directory_lock.h"
#include "kvstore/storage/rocks_store.h"
#include "proto/base/atomic_file.h"
#include "proto/base/private_files.h"
#include "proto/base/read_file.h"

namespace edged::backup {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kTableSuffix = ".sst";
constexpr std::string_view kLogSuffix = ".log";
constexpr std::size_t kSmallBytesMax = 4096;
constexpr std::uint64_t kMiB = 1024 * 1024;

Result<std::string> read_line(const std::string& path) {
  auto content = read_small_file(path, kSmallBytesMax);
  if (!content) {
    return Status(content.code(), "could not read \"" + path + "\": " + content.error().message());
  }
  std::string line = std::move(content->bytes);
  while (!line.empty() && line.back() == '\n') line.pop_back();
  return line;
}

class Backup {
 public:
  Backup(const BackupOptions& options, std::string source_dir)
      : options_(options),
        source_dir_(std::move(source_dir)),
        throttle_(options.bytes_per_second) {}

  Result<BackupReport> run();

 private:
  Status begin();
  Status copy_all();
  Status copy_table(const std::string& name);
  Result<std::string> copy_new_table(const std::string& from, const std::string& id);
  Status copy_own(const std::string& path);
  Status finish();

  const BackupOptions& options_;
  const std::string source_dir_;  // does not change
  Throttle throttle_;
  std::unique_ptr<storage::Store> source_;  // keeps it locked
  std::unique_ptr<BackupDirectory> directory_;
  std::map<std::string, std::string> tables_;
  Manifest manifest_;
  BackupReport report_;
};

// Opening it for reading proves that its log holds what its mark promises.
Status Backup::begin() {
  std::error_code failed;
  const bool there = fs::exists(source_dir_ + "/db", failed);
  if (failed) return file_error("read", source_dir_, failed.value());
  if (!there) {
    return {Code::kNotFound, "there is no store in \"" + source_dir_ + "\": no directory db"};
  }
  if (Status marked = storage::require_mark(source_dir_); !marked.ok()) return marked;
  storage::RocksStoreOptions reading;
  reading.data_dir = source_dir_;
  reading.read_only = true;
  reading.create_if_missing = false;
  reading.memory_budget_bytes = 8 * kMiB;
  reading.hot_cache_bytes = 0;
  reading.open_files_max = 16;
  auto opened = storage::open_rocks_store(reading);
  if (!opened) return opened.error();
  source_ = std::move(*opened);
  const auto identity = read_line(source_dir_ + "/db/IDENTITY");
  if (!identity) return identity.error();
  auto directory = BackupDirectory::open(options_.directory, BackupDirectory::Use::kWrite);
  if (!directory) return directory.error();
  directory_ = std::move(*directory);
  if (Status removed = directory_->remove_unfinished(); !removed.ok()) return removed;
  const auto found = directory_->list();
  if (!found) return found.error();
  for (const auto& one : *found) {
    manifest_.number = one.number;
    if (!one.manifest || one.manifest->store == *identity) continue;
    return {Code::kConflict,
            "\"" + options_.directory + "\" holds backups of another store (" +
                one.manifest->store + ", this one is " + *identity +
                "). Give each node a backup directory of its own"};
  }
  if (++manifest_.number > kNumberMax) {
    return {Code::kTooLarge, "there are a million backups: begin another directory"};
  }
  manifest_.created = options_.now;
  manifest_.store = *identity;
  auto tables = directory_->tables();
  if (!tables) return tables.error();
  tables_ = std::move(*tables);
  return make_private_directory(directory_->path_of(directory_name(manifest_.number)) + "/db",
                                "directory of the backup");
}

Status Backup::copy_all() {
  const std::string db = source_dir_ + "/db";
  std::vector<std::string> names;
  std::error_code failed;
  for (fs::directory_iterator entry(db, failed), end; !failed && entry != end;
       entry.increment(failed)) {
    names.push_back(entry->path().filename().string());
  }
  if (failed) return file_error("read", db, failed.value());
  std::sort(names.begin(), names.end());
  const auto manifest_name = read_line(db + "/CURRENT");
  if (!manifest_name) return manifest_name.error();
  for (const std::string& name : names) {
    Status copied;
    if (name.ends_with(kTableSuffix)) {
      copied = copy_table(name);
    } else if (name.ends_with(kLogSuffix) || name == "CURRENT" || name == "IDENTITY" ||
               name == *manifest_name) {
      copied = copy_own("db/" + name);
    }
    if (!copied.ok()) return copied;
  }
  return copy_own("store.mark");
}

// The new name, in tables/. Its checksum is part of it, so that a backup that is ended leaves table
// files that the next one can trust.
Result<std::string> Backup::copy_new_table(const std::string& from, const std::string& id) {
  const std::string part = directory_->path_of("tables/" + id + ".part");
  const auto copied = copy_file(from, part, throttle_);
  if (!copied) return copied.error();
  if (Status whole = storage::check_table_file(part); !whole.ok()) {
    std::error_code ignored;
    fs::remove(part, ignored);
    return Status(whole.code(),
                  "table file \"" + from + "\" is damaged, or its copy is: " + whole.message());
  }
  std::string name = id + "-" + copied->sha256 + std::string(kTableSuffix);
  std::error_code failed;
  fs::rename(part, directory_->path_of("tables/" + name), failed);
  if (failed) return file_error("rename", part, failed.value());
  ++report_.copied_files;
  report_.copied_bytes += copied->bytes;
  if (options_.progress) options_.progress(report_.copied_files, report_.copied_bytes);
  return name;
}

Status Backup::copy_table(const std::string& name) {
  const std::string from = source_dir_ + "/db/" + name;
  const auto id = storage::table_file_id(from);
  if (id.code() == Code::kUnsupported) return copy_own("db/" + name);
  if (!id) return id.error();
  std::error_code failed;
  const std::uint64_t bytes = fs::file_size(from, failed);
  if (failed) return file_error("read", from, failed.value());
  auto known = tables_.find(*id);
  if (known != tables_.end() &&
      fs::file_size(directory_->path_of("tables/" + known->second), failed) != bytes) {
    fs::remove(directory_->path_of("tables/" + known->second), failed);  // cut: made anew
    tables_.erase(known);
    known = tables_.end();
  }
  if (known == tables_.end()) {
    auto copied = copy_new_table(from, *id);
    if (!copied) return copied.error();
    known = tables_.emplace(*id, std::move(*copied)).first;
  }
  const std::string& stored = known->second;
  const std::size_t sum = stored.size() - kTableSuffix.size();
  manifest_.files.push_back({"db/" + name,
                             "tables/" + stored,
                             bytes,
                             sum > 64 ? stored.substr(sum - 64, 64) : std::string()});
  return Status();
}

Status Backup::copy_own(const std::string& path) {
  const std::string stored = directory_name(manifest_.number) + "/" + path;
  const auto copied = copy_file(source_dir_ + "/" + path, directory_->path_of(stored), throttle_);
  if (!copied) return copied.error();
  ++report_.copied_files;
  report_.copied_bytes += copied->bytes;
  manifest_.files.push_back({path, stored, copied->bytes, copied->sha256});
  return Status();
}

// Everything it names is on disk before the manifest is.
Status Backup::finish() {
  const std::string own = directory_->path_of(directory_name(manifest_.number));
  for (const std::string& path :
       {own + "/db", own, directory_->path_of("tables"), directory_->path()}) {
    if (Status synced = sync_directory(path); !synced.ok()) return synced;
  }
  return replace_file(directory_->path_of(BackupDirectory::manifest_of(manifest_.number)),
                      render_manifest(manifest_));
}

Result<BackupReport> Backup::run() {
  if (Status begun = begin(); !begun.ok()) return begun;
  Status made = copy_all();
  if (made.ok()) made = finish();
  if (!made.ok()) {
    // What cannot be removed now, the next backup removes.
    std::error_code ignored;
    fs::remove_all(directory_->path_of(directory_name(manifest_.number)), ignored);
    return made;
  }
  report_.number = manifest_.number;
  report_.files = manifest_.files.size();
  report_.bytes = manifest_.bytes();
  if (options_.keep > 0) {
    auto removed = directory_->keep_last(options_.keep);
    if (removed) {
      report_.removed = std::move(*removed);
    } else {
      report_.cleanup = removed.error();
    }
  }
  return report_;
}

}  // namespace

Result<BackupReport> make_backup(const BackupOptions& options) {
  const auto stopped = storage::DirectoryLock::acquire(options.data_dir, false).code();
  if (stopped != Code::kUnavailable) return Backup(options, options.data_dir).run();
  const auto checkpoint = storage::request_checkpoint(options.data_dir, options.patience);
  if (!checkpoint) return checkpoint.error();
  auto report = Backup(options, *checkpoint).run();
  // Else the node removes it soon.
  (void)storage::remove_checkpoint(*checkpoint);
  return report;
}

}  // namespace edged::backup
