// SPDX-License-Identifier: Apache-2.0
// A store, backups of it, and what may happen to the files of either. One thread.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "kvstore/backup/backup_directory.h"
#include "kvstore/backup/make_backup.h"
#include "kvstore/backup/restore.h"
#include "kvstore/backup/verify_backups.h"
#include "kvstore/storage/checkpoint/checkpoint_request.h"
#include "tests/kvstore/mirror_fixture.h"

namespace edged::backup {

namespace fs = std::filesystem;

inline std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << bytes;
}

// One bit in the middle.
inline void flip(const std::string& path) {
  std::string bytes = read_file(path);
  ASSERT_FALSE(bytes.empty()) << path;
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 0x10);
  write_file(path, bytes);
}

inline void cut_in_half(const std::string& path) {
  fs::resize_file(path, fs::file_size(path) / 2);
}

// The files of a directory with this ending, sorted.
inline std::vector<std::string> files_in(const std::string& directory, const std::string& ending) {
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator(directory)) {
    std::string path = entry.path().string();
    if (path.ends_with(ending)) found.push_back(std::move(path));
  }
  std::sort(found.begin(), found.end());
  return found;
}

class BackupFixture : public storage::MirrorFixture {
 protected:
  void SetUp() override {
    options_.reclaim_interval = std::chrono::milliseconds(20);  // how soon it is asked
    storage::MirrorFixture::SetUp();
    backups_ = dir_.path() + "/backups";
    restored_ = dir_.path() + "/restored";
  }

  void fill(int from, int to) {
    for (int i = from; i < to; ++i) {
      ASSERT_EQ(put("k" + std::to_string(i), "value " + std::to_string(i)).code, Code::kOk);
    }
  }

  // Of the store that is open.
  Result<BackupReport> back_up(std::size_t keep = 0) {
    return back_up_from(options_.data_dir, keep);
  }
  Result<BackupReport> back_up_from(const std::string& source, std::size_t keep = 0) {
    BackupOptions options;
    options.data_dir = source;
    options.directory = backups_;
    options.keep = keep;
    options.now = clock_.wall_now();
    return make_backup(options);
  }

  Result<RestoreReport> restore_into(const std::string& target, std::uint64_t number = 0) {
    RestoreOptions options;
    options.directory = backups_;
    options.target = target;
    options.number = number;
    options.clock = &clock_;
    return restore(options);
  }

  Result<std::string> checkpoint() {
    return storage::request_checkpoint(options_.data_dir, std::chrono::seconds(60));
  }

  // The store is closed, and what was restored is opened in its place.
  void open_restored() {
    store_.reset();
    options_.data_dir = restored_;
    open();
  }

  std::vector<CheckedBackup> check(bool read = true) {
    auto checked = check_backups(backups_, read, 0, nullptr);
    EXPECT_TRUE(checked) << checked.error().to_string();
    return checked ? *std::move(checked) : std::vector<CheckedBackup>();
  }
  // Backups that are finished.
  std::vector<std::uint64_t> whole() {
    std::vector<std::uint64_t> numbers;
    for (const CheckedBackup& one : check(false)) {
      if (one.finished) numbers.push_back(one.number);
    }
    return numbers;
  }

  // What a kill leaves: the files as they are while the store is open.
  std::string copy_as_killed(const std::string& name) {
    const std::string copy = dir_.path() + "/" + name;
    fs::create_directories(copy);
    fs::copy(options_.data_dir + "/db", copy + "/db", fs::copy_options::recursive);
    for (const char* file : {"/store.mark", "/store.lock"}) {
      fs::copy_file(options_.data_dir + file, copy + file);
    }
    return copy;
  }

  std::string backups_;
  std::string restored_;
};

}  // namespace edged::backup
