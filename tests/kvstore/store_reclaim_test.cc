// SPDX-License-Identifier: Apache-2.0
// Expired data leaves the disk of an idle store by itself, and nothing else does: not what is
// within the grace period, not what a jump of the wall clock would expire, not what cannot be read.
#include <rocksdb/db.h>

#include <chrono>
#include <functional>
#include <future>
#include <random>
#include <thread>

#include "kvstore/storage/expiry/ttl_filter.h"
#include "kvstore/storage/format/record.h"
#include "tests/kvstore/store_fixture.h"

namespace edged::storage {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

class StoreReclaimTest : public StoreFixture {
 protected:
  static constexpr int kEntries = 2000;

  void SetUp() override {
    StoreFixture::SetUp();
    options_.expiry_grace = seconds(5);
    options_.reclaim_interval = milliseconds(20);
    open();
  }

  // kEntries of 1 KiB that do not compress.
  void fill(const std::string& prefix, std::optional<milliseconds> ttl) {
    std::mt19937 random(7);
    Write write;
    for (int i = 0; i < kEntries; ++i) {
      std::string value(1024, '\0');
      for (char& byte : value) byte = static_cast<char>(random());
      Put put = put_of(prefix + std::to_string(i), std::move(value));
      put.ttl = ttl;
      write.operations.push_back(std::move(put));
    }
    std::promise<Code> promise;
    store_->submit(std::move(write), [&](auto result) { promise.set_value(result.code()); });
    ASSERT_EQ(promise.get_future().get(), Code::kOk);
  }

  bool eventually(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + seconds(20);
    while (std::chrono::steady_clock::now() < deadline) {
      if (condition()) return true;
      std::this_thread::sleep_for(milliseconds(10));
    }
    return condition();
  }
};

TEST_F(StoreReclaimTest, AnIdleStoreGivesTheDiskOfExpiredEntriesBack) {
  fill("dead", seconds(1));
  put("alive", "v");
  EXPECT_GT(store_->stats().disk_bytes, 2'000'000U);
  clock_.advance(seconds(10));
  EXPECT_TRUE(eventually([&] { return store_->stats().disk_bytes < 200'000; }))
      << store_->stats().disk_bytes;
  EXPECT_EQ(value_of("alive"), "v");
  EXPECT_GE(store_->stats().expired_reclaimed, static_cast<std::uint64_t>(kEntries));
}

TEST_F(StoreReclaimTest, AFewExpiredEntriesAmongLiveOnesGoTooWhenTheStoreIsIdle) {
  fill("live", std::nullopt);
  for (int i = 0; i < 10; ++i) put("few" + std::to_string(i), "v", seconds(1));
  clock_.advance(seconds(10));
  EXPECT_TRUE(eventually([&] { return store_->stats().expired_reclaimed >= 10; }));
  EXPECT_EQ(store_->stats().expired_reclaimed, 10U);
  EXPECT_EQ(value_of("live7").size(), 1024U);
}

TEST_F(StoreReclaimTest, NothingIsDroppedWithinTheGracePeriod) {
  fill("dead", seconds(1));
  reopen();  // into table files
  clock_.advance(milliseconds(5999));
  std::this_thread::sleep_for(milliseconds(300));  // some fifteen rounds
  EXPECT_EQ(store_->stats().expired_reclaimed, 0U);
  EXPECT_EQ(get_code("dead1"), Code::kNotFound);
}

TEST_F(StoreReclaimTest, AJumpOfTheWallClockDestroysAndHidesNothing) {
  fill("live", hours(1));
  reopen();
  clock_.step_wall(hours(24 * 365));
  std::this_thread::sleep_for(milliseconds(300));
  EXPECT_EQ(value_of("live1").size(), 1024U);
  EXPECT_EQ(store_->stats().expired_reclaimed, 0U);
  reopen();
  std::this_thread::sleep_for(milliseconds(100));
  EXPECT_EQ(value_of("live1").size(), 1024U);
  clock_.step_wall(-hours(24 * 365));
  EXPECT_EQ(value_of("live1").size(), 1024U);
}

TEST(TtlFilterTest, KeepsWhatIsNotAWholeRecordAndDropsWhatExpiredBeyondGrace) {
  test::ManualClock system;
  const StoreClock clock(
      system, [](WallTime) { return false; }, "boot", std::nullopt);
  DroppedPrefixes none;
  TtlFilterFactory factory(clock, none, seconds(10));
  const auto filter = factory.CreateCompactionFilter({});
  const auto now_ms = static_cast<std::uint64_t>(to_unix_ms(clock.now()));
  const std::string key = encode_key(1, "k");
  const auto drops = [&](const std::string& record) {
    return filter->Filter(0, key, record, nullptr, nullptr);
  };
  EXPECT_TRUE(drops(encode_record(key, {now_ms - 10'000, 1, "", "v"})));
  EXPECT_FALSE(drops(encode_record(key, {now_ms - 9'999, 1, "", "v"})));
  EXPECT_FALSE(drops(encode_record(key, {0, 1, "", "v"})));
  const std::string expired = encode_record(key, {now_ms - 20'000, 1, "", "v"});
  for (std::size_t bit = 0; bit < expired.size() * 8; ++bit) {
    std::string damaged = expired;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(drops(damaged)) << bit;
  }
  EXPECT_FALSE(drops(""));
  EXPECT_FALSE(drops(std::string(1000, '\xff')));
  EXPECT_EQ(factory.dropped(), 1U);
}

}  // namespace
}  // namespace edged::storage
