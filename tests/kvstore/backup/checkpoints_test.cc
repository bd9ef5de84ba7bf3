// SPDX-License-Identifier: Apache-2.0
// Checkpoints: how many there may be, and that none stays that nobody uses.
#include "kvstore/storage/checkpoint/checkpoints.h"

#include <thread>

#include "kvstore/storage/engine/directory_lock.h"
#include "tests/kvstore/backup/backup_fixture.h"

namespace edged::backup {
namespace {

using storage::Checkpoints;
using storage::DirectoryLock;

class CheckpointsTest : public BackupFixture {
 protected:
  std::vector<std::string> there() const {
    return files_in(options_.data_dir + "/checkpoints", "");
  }
};

TEST_F(CheckpointsTest, IsAStoreOfItsOwn) {
  fill(0, 10);
  const auto made = checkpoint();
  ASSERT_TRUE(made) << made.error().to_string();
  EXPECT_EQ(there(), std::vector<std::string>{*made}) << "the request is gone";
  store_.reset();
  storage::RocksStoreOptions reading = options_;
  reading.data_dir = *made;
  reading.read_only = true;
  const auto opened = storage::open_rocks_store(reading);
  ASSERT_TRUE(opened) << opened.error().to_string();
  EXPECT_EQ((*opened)->get(ns_, "k3", storage::ReadTier::kDisk)->value, "value 3");
}

TEST_F(CheckpointsTest, ThereAreFew) {
  fill(0, 10);
  for (std::size_t i = 0; i < Checkpoints::kCheckpointsMax; ++i) {
    ASSERT_TRUE(checkpoint());
  }
  const auto refused = checkpoint();
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find("backups of this node are under way"), std::string::npos)
      << refused.error().message();
  EXPECT_EQ(there().size(), Checkpoints::kCheckpointsMax) << "no reason is left behind";
}

TEST_F(CheckpointsTest, OneThatIsLockedStays) {
  fill(0, 10);
  const auto made = checkpoint();
  ASSERT_TRUE(made);
  {
    const auto lock = DirectoryLock::acquire(*made, false);
    ASSERT_TRUE(lock) << lock.error().to_string();
    reopen();  // a restart of the node while a backup copies
    EXPECT_EQ(there().size(), 1u);
  }
  reopen();
  EXPECT_TRUE(there().empty()) << "nobody used it any more";
}

TEST_F(CheckpointsTest, WhatIsHalfMadeGoesAtTheNextStart) {
  const std::string directory = options_.data_dir + "/checkpoints/";
  close();
  fs::create_directories(directory + "0123456789abcdef.making/db.tmp");
  fs::create_directories(directory + "0123456789abcdee/db");
  write_file(directory + "0123456789abcded.failed", "reason");
  open();
  EXPECT_TRUE(there().empty());
}

TEST_F(CheckpointsTest, OtherNamesAreLeftAlone) {
  const std::string directory = options_.data_dir + "/checkpoints/";
  fs::create_directories(directory + "mine");
  write_file(directory + "..request", "");
  write_file(directory + "../x.request", "");
  ASSERT_TRUE(checkpoint());
  reopen();
  EXPECT_EQ(there().size(), 2u);
  EXPECT_TRUE(fs::exists(options_.data_dir + "/x.request"));
}

TEST_F(CheckpointsTest, WithoutANodeThereIsNone) {
  close();
  const auto none = storage::request_checkpoint(options_.data_dir, std::chrono::milliseconds(50));
  EXPECT_EQ(none.code(), Code::kUnavailable);
  EXPECT_TRUE(there().empty()) << "the request is taken back";
  const auto nowhere = storage::request_checkpoint(dir_.path(), std::chrono::milliseconds(50));
  EXPECT_EQ(nowhere.code(), Code::kNotFound);
}

TEST_F(CheckpointsTest, ManyMayAskAtOnce) {
  fill(0, 100);
  std::vector<std::thread> threads;
  std::vector<std::string> paths(4);
  for (std::string& path : paths) {
    threads.emplace_back([this, &path] {
      const auto made = checkpoint();
      if (made) path = *made;
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& path : paths) {
    ASSERT_FALSE(path.empty());
    EXPECT_TRUE(back_up_from(path));
    EXPECT_TRUE(storage::remove_checkpoint(path).ok());
  }
  EXPECT_EQ(whole().size(), 4u);
}

}  // namespace
}  // namespace edged::backup
