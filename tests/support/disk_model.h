// SPDX-License-Identifier: Apache-2.0
// What a disk would still hold if the power went now: for each file the bytes that were synced, for
// each directory the entries that were. Real files carry the present content; cut() turns them into
// one of the states a power cut may leave: unsynced pages are new, old or zero in any mixture, and
// of the unsynced creations, renames and deletions of a directory only the first few happened. Any
// thread, except cut(): nothing may be open then.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <vector>

namespace edged::test {

class DiskModel {
 public:
  // Tracks what is below `root`; `trash` is a directory on the same file system, not below it.
  DiskModel(std::string root, std::string trash);

  // A file was opened: empty and new, or with what it holds.
  void created(const std::string& path);
  void opened(const std::string& path);
  void appended(const std::string& path, std::uint64_t bytes);
  // Before an overwrite of `bytes` at `offset`.
  void overwriting(const std::string& path);
  void synced(const std::string& path);

  void directory_created(const std::string& path);
  void directory_synced(const std::string& path);
  // Each is called before the operation; the old content is kept until the directory is synced.
  void deleting(const std::string& path);
  void renaming(const std::string& from, const std::string& to);
  void linked(const std::string& path);

  // The power goes: rewrites the files. Afterwards everything there is counts as synced.
  void cut(std::mt19937_64& random);

 private:
  struct File {
    std::uint64_t bytes = 0;
    std::uint64_t synced_bytes = 0;
    // For files that are overwritten: all of it, as last synced.
    std::string synced_content;
    bool overwritten = false;
  };
  struct Entry {
    enum class Kind { kCreated, kDirectoryCreated, kDeleted, kRenamed } kind = Kind::kCreated;
    std::string path;
    std::string from;            // kRenamed
    std::string kept;            // in the trash: what was deleted or replaced; empty: nothing
    std::shared_ptr<File> file;  // that of `kept`
  };

  bool tracks(const std::string& path) const;
  std::string keep(const std::string& path);
  void record(Entry entry);
  void undo(const Entry& entry);
  void cut_file(const std::string& path, const File& file, std::mt19937_64& random);

  const std::string root_;
  const std::string trash_;
  std::mutex mutex_;  // guards all below
  std::map<std::string, std::shared_ptr<File>> files_;
  std::map<std::string, std::vector<Entry>> unsynced_;  // by directory
  std::uint64_t kept_count_ = 0;
};

}  // namespace edged::test
