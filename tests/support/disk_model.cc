// SPDX-License-Identifier: Apache-2.0
#include "tests/support/disk_model.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

namespace edged::test {
namespace {

constexpr std::uint64_t kPageBytes = 4096;
constexpr std::uint64_t kSectorBytes = 512;

std::string directory_of(const std::string& path) {
  return path.substr(0, path.rfind('/'));
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

}  // namespace

DiskModel::DiskModel(std::string root, std::string trash)
    : root_(std::move(root)), trash_(std::move(trash)) {
  std::filesystem::create_directories(trash_);
}

bool DiskModel::tracks(const std::string& path) const {
  return path.starts_with(root_ + "/");
}

void DiskModel::created(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (!tracks(path)) return;
  files_[path] = std::make_shared<File>();
  record({Entry::Kind::kCreated, path, "", "", nullptr});
}

void DiskModel::opened(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (!tracks(path) || files_.contains(path)) return;
  auto file = std::make_shared<File>();
  std::error_code ignored;
  file->bytes = std::filesystem::file_size(path, ignored);
  file->synced_bytes = file->bytes;
  files_[path] = std::move(file);
}

void DiskModel::appended(const std::string& path, std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  if (const auto found = files_.find(path); found != files_.end()) found->second->bytes += bytes;
}

void DiskModel::overwriting(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const auto found = files_.find(path);
  if (found == files_.end() || std::exchange(found->second->overwritten, true)) return;
  found->second->synced_content = read_file(path);
}

void DiskModel::synced(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const auto found = files_.find(path);
  if (found == files_.end()) return;
  found->second->synced_bytes = found->second->bytes;
  found->second->overwritten = false;
}

void DiskModel::record(Entry entry) {
  unsynced_[directory_of(entry.path)].push_back(std::move(entry));
}

void DiskModel::directory_created(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (tracks(path)) record({Entry::Kind::kDirectoryCreated, path, "", "", nullptr});
}

void DiskModel::directory_synced(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const auto found = unsynced_.find(path.ends_with('/') ? path.substr(0, path.size() - 1) : path);
  if (found == unsynced_.end()) return;
  std::error_code ignored;
  for (const Entry& entry : found->second) {
    if (!entry.kept.empty()) std::filesystem::remove(entry.kept, ignored);
  }
  unsynced_.erase(found);
}

std::string DiskModel::keep(const std::string& path) {
  if (!std::filesystem::exists(path)) return "";
  std::string kept = trash_ + "/" + std::to_string(++kept_count_);
  std::filesystem::create_hard_link(path, kept);
  return kept;
}

void DiskModel::deleting(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (!tracks(path)) return;
  const auto found = files_.find(path);
  auto file = found == files_.end() ? nullptr : found->second;
  record({Entry::Kind::kDeleted, path, "", keep(path), std::move(file)});
  files_.erase(path);
}

void DiskModel::renaming(const std::string& from, const std::string& to) {
  const std::lock_guard lock(mutex_);
  if (!tracks(to)) return;
  const auto replaced = files_.find(to);
  auto file = replaced == files_.end() ? nullptr : replaced->second;
  record({Entry::Kind::kRenamed, to, from, keep(to), std::move(file)});
  files_.erase(to);
  if (auto moved = files_.extract(from); !moved.empty()) {
    moved.key() = to;
    files_.insert(std::move(moved));
  }
}

void DiskModel::linked(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (tracks(path)) record({Entry::Kind::kCreated, path, "", "", nullptr});
}

void DiskModel::undo(const Entry& entry) {
  std::error_code ignored;
  switch (entry.kind) {
    case Entry::Kind::kCreated:
      std::filesystem::remove(entry.path, ignored);
      files_.erase(entry.path);
      return;
    case Entry::Kind::kDirectoryCreated:
      std::filesystem::remove_all(entry.path, ignored);
      return;
    case Entry::Kind::kRenamed:
      std::filesystem::rename(entry.path, entry.from, ignored);
      if (auto moved = files_.extract(entry.path); !moved.empty()) {
        moved.key() = entry.from;
        files_.insert(std::move(moved));
      }
      break;
    case Entry::Kind::kDeleted:
      break;
  }
  if (entry.kept.empty()) return;
  std::filesystem::rename(entry.kept, entry.path, ignored);
  if (entry.file) files_[entry.path] = entry.file;
}

void DiskModel::cut_file(const std::string& path, const File& file, std::mt19937_64& random) {
  std::string bytes = read_file(path);
  if (file.overwritten) {
    std::string old = file.synced_content;
    old.resize(std::max(old.size(), bytes.size()), '\0');
    bytes.resize(old.size(), '\0');
    for (std::uint64_t at = 0; at < bytes.size(); at += kSectorBytes) {
      if (random() % 2 == 0) bytes.replace(at, kSectorBytes, old, at, kSectorBytes);
    }
    write_file(path, bytes);
    return;
  }
  if (file.bytes <= file.synced_bytes) return;
  bytes.resize(file.bytes, '\0');
  const std::uint64_t unsynced = file.bytes - file.synced_bytes;
  const auto style = random() % 4;
  // The length is metadata of its own: it may have grown before the pages were written.
  if (style == 0) bytes.resize(file.synced_bytes);
  if (style == 1 || style == 2) bytes.resize(file.synced_bytes + random() % (unsynced + 1));
  if (style >= 2) {
    const std::uint64_t grain = random() % 2 == 0 ? kPageBytes : kSectorBytes;
    for (std::uint64_t at = file.synced_bytes; at < bytes.size();) {
      const std::uint64_t end = std::min<std::uint64_t>((at / grain + 1) * grain, bytes.size());
      if (random() % 3 == 0) std::fill(bytes.begin() + at, bytes.begin() + end, '\0');
      at = end;
    }
  }
  write_file(path, bytes);
}

void DiskModel::cut(std::mt19937_64& random) {
  const std::lock_guard lock(mutex_);
  for (auto& [directory, entries] : unsynced_) {
    const std::size_t happened = random() % (entries.size() + 1);
    while (entries.size() > happened) {
      undo(entries.back());
      entries.pop_back();
    }
  }
  for (const auto& [path, file] : files_) {
    if (std::filesystem::exists(path)) cut_file(path, *file, random);
  }
  unsynced_.clear();
  files_.clear();
  std::filesystem::remove_all(trash_);
  std::filesystem::create_directories(trash_);
}

}  // namespace edged::test
