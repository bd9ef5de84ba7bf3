// SPDX-License-Identifier: Apache-2.0
// See checkpoints.h.
#include "kvstore/storage/checkpoint/checkpoints.h"

#include <rocksdb/file_system.h>
#include <rocksdb/utilities/checkpoint.h>

#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#include "kvstore/storage/checkpoint/checkpoint_request.h"
#include "kvstore/storage/engine/database_options.h"
#include "kvstore/storage/engine/directory_lock.h"
#include "kvstore/storage/engine/rocks_status.h"
#include "kvstore/storage/format/mark_file.h"
#include "proto/base/atomic_file.h"
#include "proto/base/log.h"
#include "proto/base/private_files.h"

namespace edged::storage {
namespace {

namespace fs = std::filesystem;

constexpr int kMarkReadsMax = 10;

std::vector<std::string> names_in(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code failed;
  for (fs::directory_iterator entry(directory, failed), end; !failed && entry != end;
       entry.increment(failed)) {
    names.push_back(entry->path().filename().string());
  }
  return names;
}

std::string without(const std::string& name, std::string_view suffix) {
  return name.ends_with(suffix) ? name.substr(0, name.size() - suffix.size()) : std::string();
}

}  // namespace

Checkpoints::Checkpoints(Database& database, const RocksStoreOptions& options)
    : database_(database), options_(options), directory_(checkpoints_path(options.data_dir)) {
  const Status made = make_private_directory(directory_, "directory of checkpoints");
  if (!made.ok()) log::warn("storage: no backups are possible: " + made.message());
  const std::vector<std::string> names = names_in(directory_);
  (void)remove_unused(names);
  for (const std::string& name : names) {  // reasons that nobody waits for any more
    std::error_code ignored;
    if (name.ends_with(kFailedSuffix)) fs::remove(directory_ + "/" + name, ignored);
  }
}

void Checkpoints::serve() {
  const std::vector<std::string> names = names_in(directory_);
  if (names.empty()) return;
  std::size_t there = remove_unused(names);
  for (const std::string& file : names) {
    const std::string name = without(file, kRequestSuffix);
    if (!is_checkpoint_name(name)) continue;
    Status made;
    if (there >= kCheckpointsMax) {
      made = Status(Code::kBusy,
                    std::to_string(kCheckpointsMax) +
                        " backups of this node are under way. Wait until one of them ends");
    } else {
      made = make(name);
    }
    if (made.ok()) ++there;
    std::error_code ignored;
    if (!made.ok()) {
      log::error("storage: could not make a checkpoint for a backup: " + made.message());
      (void)replace_file(directory_ + "/" + name + std::string(kFailedSuffix), made.message());
    }
    fs::remove(directory_ + "/" + file, ignored);
  }
}

Status Checkpoints::make(const std::string& name) {
  const std::string path = directory_ + "/" + name;
  const std::string making = path + std::string(kMakingSuffix);
  Status written = make_private_directory(making, "checkpoint");
  if (written.ok()) written = write(making);
  if (!written.ok()) {
    if (Status removed = remove_checkpoint(making); !removed.ok()) log::warn(removed.message());
    return written;
  }
  made_[name] = std::chrono::steady_clock::now();
  std::error_code failed;
  fs::rename(making, path, failed);
  if (failed) return {Code::kIoError, "could not rename \"" + making + "\": " + failed.message()};
  return Status();
}

// The mark is read first: what it promises is in the checkpoint, and what comes later may be. It is
// written before anybody is answered, so it covers all that was acknowledged.
Status Checkpoints::write(const std::string& path) const {
  auto mark = MarkFile::read(*options_.file_system, mark_path(options_.data_dir));
  for (int i = 0; !mark && i < kMarkReadsMax; ++i) {  // both slots may be written meanwhile
    mark = MarkFile::read(*options_.file_system, mark_path(options_.data_dir));
  }
  if (!mark) return mark.error();
  mark->synced_sequence = mark->acknowledged_sequence;
  mark->clean = false;
  rocksdb::Checkpoint* opened = nullptr;
  auto status = rocksdb::Checkpoint::Create(&database_.db(), &opened);
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(opened);
  if (status.ok()) status = checkpoint->CreateCheckpoint(database_path(path));
  std::string identity;
  if (status.ok()) status = database_.db().GetDbIdentity(identity);
  if (!status.ok()) return from_rocksdb(status, "could not make checkpoint \"" + path + "\"");
  // RocksDB leaves it out. With it a store that is restored is known as the same store.
  const Status kept = replace_file(database_path(path) + "/IDENTITY", identity);
  if (!kept.ok()) return kept;
  if (Status closed = close_to_others(path); !closed.ok()) return closed;
  Status marked = MarkFile::create(*options_.file_system, mark_path(path), *mark);
  if (!marked.ok()) return marked;
  const auto lock = DirectoryLock::acquire(path, true);  // makes the file that its user locks
  return lock ? Status() : lock.error();
}

std::size_t Checkpoints::remove_unused(const std::vector<std::string>& names) {
  std::size_t left = 0;
  const Instant now = std::chrono::steady_clock::now();
  for (const std::string& name : names) {
    const std::string path = directory_ + "/" + name;
    const bool half_made = is_checkpoint_name(without(name, kMakingSuffix));
    if (!half_made && !is_checkpoint_name(name)) continue;
    const auto made = made_.find(name);
    const bool fresh = made != made_.end() && now - made->second < kUnclaimedMax;
    const auto unused = DirectoryLock::acquire(path, false);
    if (!half_made && (fresh || unused.code() == Code::kUnavailable)) {
      ++left;
      continue;
    }
    if (Status removed = remove_checkpoint(path); !removed.ok()) {
      log::warn("storage: " + removed.message());
      ++left;
      continue;
    }
    log::info("storage: removed checkpoint " + name + ", which no backup uses any more");
    made_.erase(name);
  }
  return left;
}

}  // namespace edged::storage
