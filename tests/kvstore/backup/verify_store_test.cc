// SPDX-License-Identifier: Apache-2.0
// Damage in a data directory: verify finds each kind, and a backup of it is refused.
#include "kvstore/storage/checkpoint/verify_store.h"

#include <functional>

#include "tests/kvstore/backup/backup_fixture.h"

namespace edged::backup {
namespace {

class VerifyStoreTest : public BackupFixture {
 protected:
  // A directory as a kill leaves it: a table file of some entries, and others in the log.
  std::string make(const std::string& name) {
    if (live_keys() == 0) {
      fill(0, 500);
      EXPECT_EQ(put("large", std::string(600'000, 'L')).code, Code::kOk);
      reopen();  // which puts it all in table files
      fill(500, 600);
    }
    return copy_as_killed(name);
  }
  Result<storage::StoreVerdict> verify(const std::string& directory) {
    storage::RocksStoreOptions options = options_;
    options.data_dir = directory;
    return storage::verify_store(options);
  }
  // The largest: the others may be empty.
  static std::string log_of(const std::string& directory) {
    std::string largest;
    for (const std::string& path : files_in(directory + "/db", ".log")) {
      if (largest.empty() || fs::file_size(path) > fs::file_size(largest)) largest = path;
    }
    return largest;
  }
  static std::string manifest_of(const std::string& directory) {
    std::string name = read_file(directory + "/db/CURRENT");
    while (!name.empty() && name.back() == '\n') name.pop_back();
    return directory + "/db/" + name;
  }
};

TEST_F(VerifyStoreTest, AWholeStoreIsCounted) {
  const std::string whole = make("whole");
  const auto verdict = verify(whole);
  ASSERT_TRUE(verdict) << verdict.error().to_string();
  EXPECT_EQ(verdict->damaged, 0u) << verdict->findings.front();
  EXPECT_EQ(verdict->entries, 601u);
  EXPECT_EQ(verdict->chunks, 3u);
  EXPECT_EQ(verdict->namespaces, 1u);
  EXPECT_GT(verdict->tables, 0u);
  EXPECT_EQ(verify(options_.data_dir).code(), Code::kUnavailable) << "a node runs on it";
  EXPECT_EQ(verify(dir_.path() + "/nowhere").code(), Code::kNotFound);
}

TEST_F(VerifyStoreTest, EachKindOfDamageIsRefusedByVerifyAndByBackup) {
  struct Case {
    const char* name;
    std::function<void(const std::string&)> damage;
    const char* words;  // in the message
  };
  const std::vector<Case> cases{
      {"log-flipped", [](const std::string& d) { flip(log_of(d)); }, ".log\" is damaged at byte"},
      {"log-cut", [](const std::string& d) { cut_in_half(log_of(d)); }, ".log\""},
      {"log-missing", [](const std::string& d) { fs::remove(log_of(d)); }, "acknowledged up to"},
      {"current-flipped", [](const std::string& d) { flip(d + "/db/CURRENT"); }, "CURRENT"},
      {"current-missing", [](const std::string& d) { fs::remove(d + "/db/CURRENT"); }, "CURRENT"},
      {"manifest-flipped", [](const std::string& d) { flip(manifest_of(d)); }, "not a log"},
      {"manifest-missing", [](const std::string& d) { fs::remove(manifest_of(d)); }, "not a log"},
      {"mark-flipped",
       [](const std::string& d) {
         std::string bytes = read_file(d + "/store.mark");
         for (char& byte : bytes) byte = static_cast<char>(byte ^ 1);
         write_file(d + "/store.mark", bytes);
       },
       "store.mark"},
      {"mark-missing", [](const std::string& d) { fs::remove(d + "/store.mark"); }, "store.mark"},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    const std::string directory = make(one.name);
    one.damage(directory);
    const auto verdict = verify(directory);
    ASSERT_FALSE(verdict);
    EXPECT_EQ(verdict.code(), Code::kCorruption) << verdict.error().message();
    EXPECT_NE(verdict.error().message().find(one.words), std::string::npos)
        << verdict.error().message();
    EXPECT_EQ(verdict.error().message().find('\n'), std::string::npos);
    EXPECT_FALSE(back_up_from(directory)) << "a backup of damage is none";
    if (fs::exists(backups_)) {
      EXPECT_TRUE(whole().empty());
    }
  }
}

TEST_F(VerifyStoreTest, TableFilesFlippedOrMissing) {
  for (const char* name : {"flipped", "missing"}) {
    SCOPED_TRACE(name);
    const std::string directory = make(name);
    for (const std::string& table : files_in(directory + "/db", ".sst")) {
      const std::string bytes = read_file(table);
      if (std::string_view(name) == "flipped") {
        flip(table);
      } else {
        fs::remove(table);
      }
      const auto verdict = verify(directory);
      if (verdict) {
        EXPECT_GT(verdict->damaged, 0u);
        ASSERT_FALSE(verdict->findings.empty());
        EXPECT_NE(verdict->findings.front().find(fs::path(table).filename().string()),
                  std::string::npos)
            << verdict->findings.front();
      } else {
        EXPECT_EQ(verdict.code(), Code::kCorruption) << verdict.error().message();
      }
      fs::remove_all(backups_);  // whole copies of before would be used
      EXPECT_FALSE(back_up_from(directory)) << table;
      if (fs::exists(backups_)) {
        EXPECT_TRUE(whole().empty());
      }
      write_file(table, bytes);
    }
    const auto verdict = verify(directory);
    ASSERT_TRUE(verdict);
    EXPECT_EQ(verdict->damaged, 0u);
  }
}

// The documented way out: cache recovery, after which everything is whole again.
TEST_F(VerifyStoreTest, AfterARecoveryTheStoreIsWhole) {
  const std::string directory = make("recovered");
  flip(log_of(directory));
  ASSERT_FALSE(verify(directory));
  store_.reset();
  options_.data_dir = directory;
  options_.recovery = storage::Recovery::kCache;
  open();
  EXPECT_EQ(value_of("k10"), "value 10");
  store_.reset();
  const auto verdict = verify(directory);
  ASSERT_TRUE(verdict) << verdict.error().to_string();
  EXPECT_EQ(verdict->damaged, 0u);
  EXPECT_TRUE(back_up_from(directory));
}

}  // namespace
}  // namespace edged::backup
