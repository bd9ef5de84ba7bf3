// SPDX-License-Identifier: Apache-2.0
// What a backup holds, that the next one copies only what is new, and what interrupted ones leave.
#include <sys/stat.h>

#include <algorithm>

#include "tests/kvstore/backup/backup_fixture.h"

namespace edged::backup {
namespace {

class BackupTest : public BackupFixture {};

std::size_t tables_in(const std::string& backups) {
  return files_in(backups + "/tables", ".sst").size();
}

TEST_F(BackupTest, HoldsEverythingAcknowledgedBeforeItBegan) {
  fill(0, 300);
  const std::string large(700'000, 'L');
  ASSERT_EQ(put("large", large).code, Code::kOk);
  ASSERT_EQ(put("short", "lived", std::chrono::minutes(5)).code, Code::kOk);
  ASSERT_EQ(write(delete_of("k7")).code, Code::kOk);
  const auto made = checkpoint();
  ASSERT_TRUE(made) << made.error().to_string();
  fill(300, 400);  // later: not in it
  const auto report = back_up_from(*made);
  ASSERT_TRUE(report) << report.error().to_string();
  EXPECT_EQ(report->number, 1u);
  EXPECT_EQ(report->files, report->copied_files);
  ASSERT_TRUE(restore_into(restored_)) << restore_into(restored_).error().to_string();
  open_restored();
  for (int i = 0; i < 300; ++i) {
    const std::string expected = i == 7 ? "(none)" : "value " + std::to_string(i);
    ASSERT_EQ(value_of("k" + std::to_string(i)), expected);
  }
  EXPECT_EQ(value_of("large"), large);
  EXPECT_EQ(value_of("short"), "lived");
  EXPECT_EQ(get_code("k300"), Code::kNotFound);
  EXPECT_EQ(live_keys(), 301u);
}

TEST_F(BackupTest, VersionsGoOnAfterARestore) {
  const auto before = put("k", "1").version;
  ASSERT_TRUE(back_up());
  ASSERT_TRUE(restore_into(restored_));
  open_restored();
  EXPECT_GT(put("k", "2").version, before);
}

TEST_F(BackupTest, AnEmptyStoreIsBackedUpAndRestored) {
  ASSERT_TRUE(back_up());
  const auto restored = restore_into(restored_);
  ASSERT_TRUE(restored) << restored.error().to_string();
  EXPECT_EQ(restored->namespaces, 1u);
  EXPECT_EQ(restored->keys, 0u);
}

TEST_F(BackupTest, TheNextOneCopiesOnlyNewTableFiles) {
  fill(0, 2000);
  ASSERT_TRUE(back_up());
  const auto tables = files_in(backups_ + "/tables", ".sst");
  ASSERT_FALSE(tables.empty());
  struct stat before {};
  ASSERT_EQ(::stat(tables.front().c_str(), &before), 0);
  fill(2000, 2100);
  const auto second = back_up();
  ASSERT_TRUE(second) << second.error().to_string();
  EXPECT_EQ(second->number, 2u);
  EXPECT_LT(second->copied_files, second->files);
  EXPECT_LT(second->copied_bytes, second->bytes);
  struct stat after {};
  ASSERT_EQ(::stat(tables.front().c_str(), &after), 0);
  EXPECT_EQ(before.st_ino, after.st_ino);
  for (const CheckedBackup& one : check()) EXPECT_TRUE(one.damage.empty()) << one.damage.front();
  ASSERT_TRUE(restore_into(restored_, 1));
  ASSERT_TRUE(restore_into(dir_.path() + "/second", 2));
  open_restored();
  EXPECT_EQ(live_keys(), 2000u);
  store_.reset();
  options_.data_dir = dir_.path() + "/second";
  open();
  EXPECT_EQ(live_keys(), 2100u);
}

TEST_F(BackupTest, TheDirectoryOfAStoppedNodeIsBackedUpWithItsLog) {
  fill(0, 50);
  const std::string killed = copy_as_killed("killed");
  const auto report = back_up_from(killed);
  ASSERT_TRUE(report) << report.error().to_string();
  ASSERT_TRUE(restore_into(restored_));
  open_restored();
  EXPECT_EQ(live_keys(), 50u);
  EXPECT_EQ(back_up_from(dir_.path() + "/nowhere").code(), Code::kNotFound);
}

TEST_F(BackupTest, OneThatNeverEndedIsNotListedAndTheNextOneUsesItsTables) {
  fill(0, 500);
  ASSERT_TRUE(back_up());
  // As a kill leaves it: all is there but the manifest, and a table file half copied.
  fs::remove(backups_ + "/000001/backup.json");
  write_file(backups_ + "/tables/0123.part", "half");
  EXPECT_TRUE(whole().empty());
  EXPECT_EQ(restore_into(restored_).code(), Code::kNotFound);
  EXPECT_FALSE(fs::exists(restored_));
  const std::size_t tables = tables_in(backups_);
  const auto next = back_up();
  ASSERT_TRUE(next) << next.error().to_string();
  EXPECT_EQ(next->number, 1u);
  EXPECT_LT(next->copied_files, next->files);
  EXPECT_GE(tables_in(backups_), tables);
  EXPECT_FALSE(fs::exists(backups_ + "/tables/0123.part"));
  EXPECT_EQ(whole(), std::vector<std::uint64_t>{1});
  EXPECT_TRUE(restore_into(restored_));
}

TEST_F(BackupTest, ATableFileThatWasCutIsCopiedAnew) {
  fill(0, 500);
  ASSERT_TRUE(back_up());
  const auto tables = files_in(backups_ + "/tables", ".sst");
  for (const std::string& table : tables) cut_in_half(table);
  EXPECT_FALSE(check().front().damage.empty());
  ASSERT_TRUE(back_up());
  for (const CheckedBackup& one : check()) EXPECT_TRUE(one.damage.empty());
}

TEST_F(BackupTest, KeepsTheLastOnesAndTheirTablesOnly) {
  for (int i = 0; i < 4; ++i) {
    fill(100 * i, 100 * (i + 1));
    const auto report = back_up(2);
    ASSERT_TRUE(report) << report.error().to_string();
    EXPECT_TRUE(report->cleanup.ok());
    EXPECT_EQ(report->removed.size(), i < 2 ? 0u : 1u);
  }
  EXPECT_EQ(whole(), (std::vector<std::uint64_t>{3, 4}));
  for (const CheckedBackup& one : check()) EXPECT_TRUE(one.damage.empty());
  ASSERT_TRUE(restore_into(restored_, 3));
  EXPECT_EQ(restore_into(dir_.path() + "/x", 1).code(), Code::kNotFound);
  open_restored();
  EXPECT_EQ(live_keys(), 300u);
}

TEST_F(BackupTest, NoTableFileGoesWhileAManifestCannotBeRead) {
  fill(0, 100);
  ASSERT_TRUE(back_up());
  fill(100, 200);
  ASSERT_TRUE(back_up());
  flip(backups_ + "/000002/backup.json");
  const std::size_t tables = tables_in(backups_);
  const auto third = back_up(2);
  ASSERT_TRUE(third) << third.error().to_string();
  EXPECT_EQ(third->removed, std::vector<std::uint64_t>{1});
  EXPECT_GE(tables_in(backups_), tables);
}

TEST_F(BackupTest, RefusesADirectoryThatIsNotForBackupsOfThisStore) {
  fs::create_directories(backups_);
  write_file(backups_ + "/letter", "dear");
  EXPECT_EQ(back_up().code(), Code::kInvalidArgument);
  EXPECT_EQ(read_file(backups_ + "/letter"), "dear");
  fs::remove(backups_ + "/letter");
  ASSERT_TRUE(back_up());
  // Another store: its first directory is not this one.
  store_.reset();
  options_.data_dir = dir_.path() + "/other";
  open();
  const auto refused = back_up();
  EXPECT_EQ(refused.code(), Code::kConflict) << refused.error().message();
  EXPECT_EQ(whole().size(), 1u);
}

TEST_F(BackupTest, ARestoredStoreIsKnownAsTheSame) {
  fill(0, 10);
  ASSERT_TRUE(back_up());
  ASSERT_TRUE(restore_into(restored_));
  open_restored();
  const auto report = back_up();
  ASSERT_TRUE(report) << report.error().to_string();
  EXPECT_EQ(report->number, 2u);
}

TEST_F(BackupTest, OnlyOneWorksInADirectory) {
  ASSERT_TRUE(back_up());
  {
    const auto used = BackupDirectory::open(backups_, BackupDirectory::Use::kWrite);
    ASSERT_TRUE(used);
    EXPECT_EQ(back_up().code(), Code::kUnavailable);
    EXPECT_EQ(restore_into(restored_).code(), Code::kUnavailable);
    EXPECT_EQ(check_backups(backups_, true, 0, nullptr).code(), Code::kUnavailable);
  }
  const auto read = BackupDirectory::open(backups_, BackupDirectory::Use::kRead);
  ASSERT_TRUE(read);
  EXPECT_EQ(back_up().code(), Code::kUnavailable);
  EXPECT_EQ(check().size(), 1u) << "two may read";
}

TEST_F(BackupTest, ALaterFormatIsRefused) {
  ASSERT_TRUE(back_up());
  write_file(backups_ + "/edged-backups", "edged backups, format 2\n");
  EXPECT_EQ(back_up().code(), Code::kUnsupported);
  EXPECT_EQ(restore_into(restored_).code(), Code::kUnsupported);
  write_file(backups_ + "/edged-backups", "?");
  EXPECT_EQ(restore_into(restored_).code(), Code::kCorruption);
}

TEST_F(BackupTest, FilesAreTheirOwnersAlone) {
  ASSERT_TRUE(back_up());
  for (const auto& entry : fs::recursive_directory_iterator(backups_)) {
    struct stat found {};
    ASSERT_EQ(::stat(entry.path().c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 077U, 0u) << entry.path();
  }
}

}  // namespace
}  // namespace edged::backup
