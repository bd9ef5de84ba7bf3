// SPDX-License-Identifier: Apache-2.0
// See backup_directory.h.
#include "kvstore/backup/backup_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>

#include "kvstore/backup/file_copy.h"
#include "proto/base/atomic_file.h"
#include "proto/base/private_files.h"
#include "proto/base/read_file.h"

namespace edged::backup {
namespace {

namespace fs = std::filesystem;

// Says what the directory is, and is the file that is locked.
constexpr const char* kMarker = "edged-backups";
constexpr std::string_view kMarkerText = "edged backups, format 1\n";
constexpr std::string_view kMarkerStart = "edged backups, format ";
constexpr std::string_view kTableSuffix = ".sst";
constexpr std::size_t kIdDigits = 48;
constexpr std::size_t kDirectoryDigits = 6;

Status trouble(const std::string& path, const std::error_code& error) {
  return file_error("use", path, error.value());
}

Result<std::vector<std::string>> names_in(const std::string& path) {
  std::vector<std::string> names;
  std::error_code failed;
  for (fs::directory_iterator entry(path, failed), end; !failed && entry != end;
       entry.increment(failed)) {
    names.push_back(entry->path().filename().string());
  }
  if (failed) return trouble(path, failed);
  std::sort(names.begin(), names.end());
  return names;
}

Status remove_all(const std::string& path) {
  std::error_code failed;
  fs::remove_all(path, failed);
  return failed ? trouble(path, failed) : Status();
}

// 0: no directory of a backup. Its zeros in front make it no number of a configuration.
std::uint64_t number_in(const std::string& name) {
  std::uint64_t number = 0;
  const char* const end = name.data() + name.size();
  const auto read = std::from_chars(name.data(), end, number);
  const bool whole = read.ec == std::errc() && read.ptr == end;
  return whole && name.size() == kDirectoryDigits ? number : 0;
}

Status check_marker(const std::string& path) {
  const std::string file = path + "/" + kMarker;
  const auto content = read_small_file(file, 4096);
  if (!content) {
    return {content.code(), "could not read \"" + file + "\": " + content.error().message()};
  }
  if (content->bytes == kMarkerText) return Status();
  if (content->bytes.starts_with(kMarkerStart)) {
    return {
        Code::kUnsupported,
        "\"" + path + "\" holds backups of a later release of edged: use kvctl of that release"};
  }
  return {Code::kCorruption,
          "\"" + file + "\" is damaged: its first line is not \"" +
              std::string(kMarkerText.substr(0, kMarkerText.size() - 1)) + "\""};
}

// Makes the directory and its marker.
Status prepare(const std::string& path) {
  if (Status made = make_private_directory(path, "backup directory"); !made.ok()) return made;
  const auto names = names_in(path);
  if (!names) return names.error();
  if (std::find(names->begin(), names->end(), kMarker) == names->end()) {
    if (!names->empty()) {
      return {Code::kInvalidArgument,
              "\"" + path + "\" is not empty and holds no backups (it has \"" + names->front() +
                  "\"). Choose an empty directory or a new one"};
    }
    Status marked = replace_file(path + "/" + kMarker, std::string(kMarkerText));
    if (!marked.ok()) return marked;
  }
  return make_private_directory(path + "/tables", "directory of table files");
}

}  // namespace

Result<std::unique_ptr<BackupDirectory>> BackupDirectory::open(const std::string& path, Use use) {
  std::error_code ignored;
  if (use == Use::kWrite) {
    if (Status prepared = prepare(path); !prepared.ok()) return prepared;
  } else if (!fs::exists(path + "/" + kMarker, ignored)) {
    return Status(Code::kNotFound,
                  "\"" + path + "\" holds no backups: it has no file \"" + kMarker + "\"");
  }
  if (Status checked = check_marker(path); !checked.ok()) return checked;
  const std::string marker = path + "/" + kMarker;
  const int fd = ::open(marker.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return file_error("open", marker, errno);
  if (::flock(fd, (use == Use::kWrite ? LOCK_EX : LOCK_SH) | LOCK_NB) != 0) {
    ::close(fd);
    return Status(Code::kUnavailable,
                  "backup directory \"" + path +
                      "\" is in use: another backup, restore or verify works in it");
  }
  return std::unique_ptr<BackupDirectory>(new BackupDirectory(path, fd));
}

BackupDirectory::~BackupDirectory() {
  ::close(lock_);
}

std::string BackupDirectory::manifest_of(std::uint64_t number) {
  return directory_name(number) + "/backup.json";
}

Result<std::vector<BackupDirectory::Found>> BackupDirectory::list() const {
  const auto names = names_in(path_);
  if (!names) return names.error();
  std::vector<Found> all;
  for (const std::string& name : *names) {
    const std::uint64_t number = number_in(name);
    if (number == 0) continue;
    const auto content = read_small_file(path_of(manifest_of(number)), kManifestBytesMax);
    Found found{number, Status(Code::kNotFound, "the backup was never finished"), false};
    if (content) {
      found.finished = true;
      found.manifest = parse_manifest(content->bytes);
      if (found.manifest && found.manifest->number != number) {
        found.manifest = Status(Code::kCorruption, "the manifest is of another backup");
      }
    } else if (content.code() != Code::kNotFound) {
      found.finished = true;
      found.manifest = Status(content.code(), "the manifest: " + content.error().message());
    }
    all.push_back(std::move(found));
  }
  return all;
}

Result<std::map<std::string, std::string>> BackupDirectory::tables() const {
  const auto names = names_in(path_of("tables"));
  if (!names) return names.error();
  std::map<std::string, std::string> tables;
  for (const std::string& name : *names) {
    if (name.size() > kIdDigits && name.ends_with(kTableSuffix)) {
      tables.emplace(name.substr(0, kIdDigits), name);
    }
  }
  return tables;
}

Status BackupDirectory::remove_unfinished() {
  const auto found = list();
  if (!found) return found.error();
  for (const Found& one : *found) {
    if (one.finished) continue;
    if (Status gone = remove_all(path_of(directory_name(one.number))); !gone.ok()) return gone;
  }
  const auto names = names_in(path_of("tables"));
  if (!names) return names.error();
  for (const std::string& name : *names) {
    if (name.ends_with(kTableSuffix)) continue;
    if (Status gone = remove_all(path_of("tables/" + name)); !gone.ok()) return gone;
  }
  return Status();
}

Result<std::vector<std::uint64_t>> BackupDirectory::keep_last(std::size_t keep) {
  auto found = list();
  if (!found) return found.error();
  std::erase_if(*found, [](const Found& one) { return !one.finished; });
  std::vector<std::uint64_t> gone;
  for (std::size_t i = 0; i + keep < found->size(); ++i) {
    const std::uint64_t number = (*found)[i].number;
    // Without its manifest it is no backup any more, whenever this ends.
    std::error_code failed;
    fs::remove(path_of(manifest_of(number)), failed);
    if (failed) return trouble(path_of(manifest_of(number)), failed);
    if (Status synced = sync_directory(path_of(directory_name(number))); !synced.ok()) {
      return synced;
    }
    if (Status removed = remove_all(path_of(directory_name(number))); !removed.ok()) {
      return removed;
    }
    gone.push_back(number);
  }
  if (gone.empty()) return gone;
  if (Status removed = remove_unused_tables(); !removed.ok()) return removed;
  return gone;
}

Status BackupDirectory::remove_unused_tables() {
  const auto found = list();
  if (!found) return found.error();
  std::set<std::string> used;
  for (const Found& one : *found) {
    if (!one.manifest) return Status();  // it may need any of them
    for (const BackupFile& file : one.manifest->files) used.insert(file.stored);
  }
  const auto names = names_in(path_of("tables"));
  if (!names) return names.error();
  for (const std::string& name : *names) {
    std::string stored = "tables/";
    stored += name;
    if (used.contains(stored)) continue;
    if (Status gone = remove_all(path_of(stored)); !gone.ok()) return gone;
  }
  return Status();
}

}  // namespace edged::backup
