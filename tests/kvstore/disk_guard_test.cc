// SPDX-License-Identifier: Apache-2.0
// A full disk and a reached quota: writes are refused with a clear error, reads and deletes go on,
// and writes resume by themselves.
#include "kvstore/storage/engine/disk_guard.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <thread>

#include "tests/kvstore/store_fixture.h"

namespace edged::storage {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t kMiB = 1024 * 1024;

class DiskGuardTest : public ::testing::Test {
 protected:
  DiskGuard::Options options() {
    return {dir_.path(), 0, 10 * kMiB, 4 * kMiB, [this] { return free_; }};
  }
  bool has_ballast() const { return std::filesystem::exists(dir_.path() + "/ballast"); }

  test::TempDir dir_;
  std::optional<std::uint64_t> free_ = 100 * kMiB;
};

TEST_F(DiskGuardTest, RefusesBelowTheReserveAndReleasesTheBallast) {
  DiskGuard guard(options());
  EXPECT_FALSE(guard.refuses());
  EXPECT_TRUE(has_ballast());
  EXPECT_EQ(std::filesystem::file_size(dir_.path() + "/ballast"), 4 * kMiB);
  free_ = 9 * kMiB;
  guard.check();
  EXPECT_TRUE(guard.refuses());
  EXPECT_THAT(guard.reason(), HasSubstr("the disk is full: 9 MiB are free"));
  EXPECT_FALSE(has_ballast());
  free_ = 13 * kMiB;  // what the ballast gave back is no new space
  guard.check();
  EXPECT_TRUE(guard.refuses());
  free_ = 15 * kMiB;
  guard.check();
  EXPECT_FALSE(guard.refuses());
  EXPECT_FALSE(has_ballast()) << "not yet: it would be short again";
  free_ = 19 * kMiB;
  guard.check();
  EXPECT_TRUE(has_ballast());
}

TEST_F(DiskGuardTest, LooksAgainAfterABurstOfWrites) {
  DiskGuard guard(options());
  free_ = 0;
  guard.note_written(1000);
  EXPECT_FALSE(guard.refuses());
  guard.note_written(4 * kMiB);
  EXPECT_TRUE(guard.refuses());
}

TEST_F(DiskGuardTest, StartsOnAFullDiskWithItsBallastReleased) {
  { const DiskGuard guard(options()); }
  free_ = kMiB;
  const DiskGuard guard(options());
  EXPECT_TRUE(guard.refuses());
  EXPECT_FALSE(has_ballast());
}

TEST_F(DiskGuardTest, DoesNotJudgeWhatItCannotTell) {
  free_ = std::nullopt;
  const DiskGuard guard(options());
  EXPECT_FALSE(guard.refuses());
}

class StoreDiskTest : public StoreFixture {};

TEST_F(StoreDiskTest, AFullDiskRefusesWhatGrowsAndNothingElse) {
  std::atomic<std::uint64_t> free{1000 * kMiB};
  options_.free_space = [&free] { return std::optional(free.load()); };
  options_.reclaim_interval = std::chrono::milliseconds(5);
  open();
  put("k", "v");
  put("gone", "v");
  free = 0;
  while (!store_->stats().refuses_writes) std::this_thread::yield();
  const auto refused = put("k", "new");
  EXPECT_EQ(refused.code, Code::kDiskFull);
  EXPECT_THAT(refused.message, HasSubstr("the disk is full"));
  EXPECT_EQ(store_->begin_upload(ns_).code(), Code::kDiskFull);
  EXPECT_EQ(value_of("k"), "v");
  EXPECT_EQ(write(delete_of("gone")).code, Code::kOk);
  EXPECT_EQ(value_of("gone"), "(none)");
  reopen();  // a node starts on a full disk
  EXPECT_EQ(put("k", "new").code, Code::kDiskFull);
  EXPECT_EQ(value_of("k"), "v");
  free = 1000 * kMiB;
  while (put("k", "new").code == Code::kDiskFull) std::this_thread::yield();
  EXPECT_EQ(value_of("k"), "new");
}

TEST_F(StoreDiskTest, TheQuotaBoundsTheFilesAndDeletesMakeRoom) {
  options_.disk_quota_bytes = 3 * kMiB;
  options_.expiry_grace = std::chrono::milliseconds(0);
  options_.reclaim_interval = std::chrono::milliseconds(5);
  open();
  int taken = 0;
  for (; taken < 1000; ++taken) {
    std::string value(60'000, '\0');
    for (char& byte : value) byte = static_cast<char>(std::rand());
    if (put("k" + std::to_string(taken), value, std::chrono::seconds(10)).code != Code::kOk) break;
  }
  EXPECT_GT(taken, 30);
  EXPECT_LT(taken, 200) << "the quota was passed by far";
  EXPECT_THAT(put("more", "v").message, HasSubstr("quota"));
  clock_.advance(std::chrono::seconds(20));  // everything expires, and leaves the disk
  while (put("more", "v").code == Code::kDiskFull) std::this_thread::yield();
  EXPECT_EQ(value_of("more"), "v");
}

}  // namespace
}  // namespace edged::storage
