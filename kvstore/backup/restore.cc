// SPDX-License-Identifier: Apache-2.0
// See restore.h.
#include "kvstore/backup/restore.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "kvstore/backup/backup_directory.h"
#include "kvstore/backup/file_copy.h"
#include "kvstore/backup/manifest.h"
#include "kvstore/storage/checkpoint/unload_mirrors.h"
#include "kvstore/storage/engine/directory_lock.h"
#include "kvstore/storage/rocks_store.h"
#include "proto/base/private_files.h"

namespace edged::backup {
namespace {

namespace fs = std::filesystem;

std::string named(std::uint64_t number) {
  return "backup " + std::to_string(number);
}

Result<Manifest> choose(const BackupDirectory& directory, std::uint64_t wanted) {
  auto found = directory.list();
  if (!found) return found.error();
  const BackupDirectory::Found* chosen = nullptr;
  for (const auto& one : *found) {
    if (wanted == 0 ? one.finished : one.number == wanted) chosen = &one;
  }
  if (chosen == nullptr) {
    return Status(Code::kNotFound,
                  "\"" + directory.path() + "\" holds " +
                      (wanted == 0 ? std::string("no backup") : "no " + named(wanted)));
  }
  if (chosen->manifest) return chosen->manifest;
  return Status(chosen->manifest.code(),
                named(chosen->number) + " in \"" + directory.path() +
                    "\": " + chosen->manifest.error().message());
}

// Whether there is such a directory already. Errors: kInvalidArgument: with something in it.
Result<bool> check_target(const std::string& target) {
  std::error_code failed;
  if (!fs::exists(target, failed) && !failed) return false;
  if (!failed && !fs::is_directory(target, failed)) {
    return Status(Code::kInvalidArgument, "\"" + target + "\" is no directory");
  }
  const fs::directory_iterator first =
      failed ? fs::directory_iterator() : fs::directory_iterator(target, failed);
  if (failed) return file_error("read", target, failed.value());
  if (first == fs::directory_iterator()) return true;
  return Status(Code::kInvalidArgument,
                "\"" + target + "\" is not empty (it has \"" + first->path().filename().string() +
                    "\"). Restore into a new or empty directory");
}

// The last ones make a store of it.
std::vector<BackupFile> in_order(std::vector<BackupFile> files) {
  const auto rank = [](const BackupFile& file) {
    return file.path == "store.mark" ? 2 : file.path == "db/CURRENT" ? 1 : 0;
  };
  std::stable_sort(files.begin(), files.end(), [&](const BackupFile& a, const BackupFile& b) {
    return rank(a) < rank(b);
  });
  return files;
}

Status copy_files(const BackupDirectory& directory,
                  const Manifest& manifest,
                  const RestoreOptions& options) {
  Throttle throttle(options.bytes_per_second);
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  for (const BackupFile& file : in_order(manifest.files)) {
    const std::string from = directory.path_of(file.stored);
    if (file.path == "store.mark") {
      Status synced = sync_directory(options.target + "/db");
      if (!synced.ok()) return synced;
    }
    const auto copied = copy_file(from, options.target + "/" + file.path, throttle);
    if (copied.code() == Code::kNotFound) {
      return {Code::kCorruption, named(manifest.number) + " lacks the file \"" + from + "\""};
    }
    if (!copied) return copied.error();
    if (copied->bytes != file.bytes || copied->sha256 != file.sha256) {
      return {Code::kCorruption,
              named(manifest.number) + " is damaged: \"" + from +
                  "\" is not what was written. Choose another backup with --backup"};
    }
    bytes += copied->bytes;
    if (options.progress) options.progress(++files, bytes);
  }
  return sync_directory(options.target);
}

// Opens it as a node would, and closes it in order.
Status adopt(const RestoreOptions& options, RestoreReport& report) {
  storage::RocksStoreOptions opening;
  opening.data_dir = options.target;
  opening.create_if_missing = false;
  opening.clock = options.clock;
  {
    const auto lock = storage::DirectoryLock::acquire(options.target, true);  // makes its file
    if (!lock) return lock.error();
  }
  auto store = storage::open_rocks_store(opening);
  if (!store) return store.error();
  const auto unloaded = storage::unload_mirrors(**store);
  if (!unloaded) return unloaded.error();
  report.mirrors = *unloaded;
  report.namespaces = (*store)->list_namespaces().size();
  report.keys = (*store)->stats().keys;
  return Status();
}

// Root restores for the node's user.
Status give_to_owner(const std::string& target) {
  struct stat owner {};
  if (::geteuid() != 0 || ::stat(target.c_str(), &owner) != 0 || owner.st_uid == 0) return Status();
  std::error_code failed;
  for (fs::recursive_directory_iterator entry(target, failed), end; !failed && entry != end;
       entry.increment(failed)) {
    if (::lchown(entry->path().c_str(), owner.st_uid, owner.st_gid) != 0) {
      return file_error("give to its owner", entry->path().string(), errno);
    }
  }
  return failed ? file_error("read", target, failed.value()) : Status();
}

}  // namespace

Result<RestoreReport> restore(const RestoreOptions& options) {
  const auto directory = BackupDirectory::open(options.directory, BackupDirectory::Use::kRead);
  if (!directory) return directory.error();
  const auto manifest = choose(**directory, options.number);
  if (!manifest) return manifest.error();
  const auto existed = check_target(options.target);
  if (!existed) return existed.error();
  RestoreReport report{
      manifest->number, manifest->created, manifest->files.size(), manifest->bytes()};
  Status done = make_private_directory(options.target + "/db", "data directory");
  if (done.ok()) done = copy_files(**directory, *manifest, options);
  if (done.ok()) done = adopt(options, report);
  if (done.ok()) done = give_to_owner(options.target);
  if (done.ok()) return report;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(options.target, ignored)) {
    std::error_code stays;
    fs::remove_all(entry.path(), stays);
  }
  if (!*existed) fs::remove(options.target, ignored);
  return done;
}

}  // namespace edged::backup
