// SPDX-License-Identifier: Apache-2.0
// Restoring: what becomes of damage in each file of a backup, and of mirrored keys.
#include "kvstore/backup/restore.h"

#include "tests/kvstore/backup/backup_fixture.h"

namespace edged::backup {
namespace {

class RestoreTest : public BackupFixture {
 protected:
  // Every file that backup 1 has, but the manifest.
  std::vector<std::string> stored_files() {
    auto files = files_in(backups_ + "/tables", ".sst");
    for (const auto& entry : fs::directory_iterator(backups_ + "/000001/db")) {
      files.push_back(entry.path().string());
    }
    files.push_back(backups_ + "/000001/store.mark");
    return files;
  }

  void expect_damage_is_found(const std::string& path) {
    const auto checked = check();
    ASSERT_EQ(checked.size(), 1u);
    ASSERT_EQ(checked.front().damage.size(), 1u) << path;
    EXPECT_NE(checked.front().damage.front().find(path), std::string::npos)
        << checked.front().damage.front();
    const auto refused = restore_into(restored_);
    EXPECT_EQ(refused.code(), Code::kCorruption) << path;
    EXPECT_NE(refused.error().message().find(path), std::string::npos) << refused.error().message();
    EXPECT_EQ(refused.error().message().find('\n'), std::string::npos);
    EXPECT_FALSE(fs::exists(restored_)) << path;
  }
};

TEST_F(RestoreTest, DamageInAnyFileIsNamedAndNothingIsLeftBehind) {
  fill(0, 200);
  const std::string killed = copy_as_killed("killed");  // with a log
  ASSERT_TRUE(back_up_from(killed));
  fill(200, 201);
  for (const std::string& path : stored_files()) {
    const std::string bytes = read_file(path);
    if (!bytes.empty()) {
      flip(path);
      expect_damage_is_found(path);
      fs::resize_file(path, bytes.size() - 1);
      expect_damage_is_found(path);
    }
    fs::remove(path);
    expect_damage_is_found(path);
    write_file(path, bytes);
  }
  EXPECT_TRUE(check().front().damage.empty());
  EXPECT_TRUE(restore_into(restored_));
}

TEST_F(RestoreTest, ADamagedManifestIsNotPassedOver) {
  fill(0, 10);
  ASSERT_TRUE(back_up());
  ASSERT_TRUE(back_up());
  flip(backups_ + "/000002/backup.json");
  EXPECT_EQ(restore_into(restored_).code(), Code::kCorruption) << "not silently an older one";
  EXPECT_FALSE(fs::exists(restored_));
  const auto checked = check();
  ASSERT_EQ(checked.size(), 2u);
  EXPECT_TRUE(checked.front().damage.empty());
  EXPECT_FALSE(checked.back().damage.empty());
  const auto older = restore_into(restored_, 1);
  ASSERT_TRUE(older) << older.error().to_string();
  EXPECT_EQ(older->number, 1u);
}

TEST_F(RestoreTest, AManifestOfAnotherBackupIsRefused) {
  ASSERT_TRUE(back_up());
  ASSERT_TRUE(back_up());
  write_file(backups_ + "/000002/backup.json", read_file(backups_ + "/000001/backup.json"));
  EXPECT_EQ(restore_into(restored_).code(), Code::kCorruption);
}

TEST_F(RestoreTest, OnlyIntoAnEmptyDirectory) {
  fill(0, 10);
  ASSERT_TRUE(back_up());
  fs::create_directories(restored_);
  write_file(restored_ + "/letter", "dear");
  EXPECT_EQ(restore_into(restored_).code(), Code::kInvalidArgument);
  EXPECT_EQ(read_file(restored_ + "/letter"), "dear");
  EXPECT_EQ(restore_into(restored_ + "/letter").code(), Code::kInvalidArgument);
  EXPECT_EQ(restore_into(options_.data_dir).code(), Code::kInvalidArgument);
  fs::remove(restored_ + "/letter");
  EXPECT_TRUE(restore_into(restored_));
  EXPECT_EQ(restore_into(restored_).code(), Code::kInvalidArgument) << "it has been restored";
}

TEST_F(RestoreTest, OneThatWasInterruptedIsNoStore) {
  fill(0, 10);
  ASSERT_TRUE(back_up());
  ASSERT_TRUE(restore_into(restored_));
  // store.mark is written last.
  fs::remove(restored_ + "/store.mark");
  store_.reset();
  options_.data_dir = restored_;
  EXPECT_EQ(storage::open_rocks_store(options_).code(), Code::kCorruption);
}

TEST_F(RestoreTest, NoBackupsAreSaidSo) {
  EXPECT_EQ(restore_into(restored_).code(), Code::kNotFound);
  EXPECT_EQ(check_backups(backups_, true, 0, nullptr).code(), Code::kNotFound);
  EXPECT_FALSE(fs::exists(backups_)) << "reading makes nothing";
  ASSERT_TRUE(back_up());
  EXPECT_EQ(restore_into(restored_, 2).code(), Code::kNotFound);
  EXPECT_FALSE(fs::exists(restored_));
}

TEST_F(RestoreTest, MirroredKeysAreStaleUntilTheyAreLoadedAnew) {
  mirror();
  ASSERT_EQ(put("own", "mine").code, Code::kOk);
  ASSERT_EQ(value_of("m:1"), "one");
  ASSERT_TRUE(back_up());
  const auto restored = restore_into(restored_);
  ASSERT_TRUE(restored) << restored.error().to_string();
  EXPECT_EQ(restored->mirrors, 1u);
  open_restored();
  EXPECT_EQ(get_code("m:1"), Code::kStale);
  EXPECT_EQ(value_of("own"), "mine");
  EXPECT_EQ(put("m:1", "two").code, Code::kConflict) << "it is still the mirror's";
  const auto mirrors = store_->mirrors();
  ASSERT_EQ(mirrors.size(), 1u);
  EXPECT_EQ(mirrors.front().position, "");
  EXPECT_FALSE(mirrors.front().fresh_as_of);
  ASSERT_EQ(mirrors.front().rules.size(), 1u);
  EXPECT_FALSE(mirrors.front().rules.front().loaded);
  EXPECT_EQ(mirrors.front().rules.front().ttl.count(), 5000);
  mirror();  // its worker loads
  EXPECT_EQ(value_of("m:1"), "one");
}

TEST_F(RestoreTest, WhatNeverBecomesStaleByItselfDoesHere) {
  ASSERT_EQ(declare({{"m:", 0, true}}), Code::kOk);
  ASSERT_EQ(mirror_write({put_of("m:1", "one")}, "p1", std::chrono::milliseconds(0)).front().code,
            Code::kOk);
  ASSERT_EQ(value_of("m:1"), "one");
  ASSERT_TRUE(back_up());
  ASSERT_TRUE(restore_into(restored_));
  open_restored();
  EXPECT_EQ(get_code("m:1"), Code::kStale);
}

}  // namespace
}  // namespace edged::backup
