// SPDX-License-Identifier: Apache-2.0
// Live keys and bytes per namespace, without a scan: equal to what a list finds, at any time.
#include <gmock/gmock.h>

#include <cstdlib>
#include <iostream>
#include <random>

#include "kvstore/storage/tables/usage_table.h"
#include "tests/kvstore/store_fixture.h"

namespace edged::storage {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

class StoreUsageTest : public StoreFixture {
 protected:
  void SetUp() override {
    StoreFixture::SetUp();
    open();
  }

  // keys and bytes, by listing everything.
  std::pair<std::uint64_t, std::uint64_t> counted() {
    std::pair<std::uint64_t, std::uint64_t> totals;
    ListRequest request{ns_, "", "", 1000, false};
    for (bool complete = false; !complete;) {
      const auto page = store_->list(request);
      EXPECT_TRUE(page);
      for (const ListItem& item : page->items) {
        totals.first += 1;
        totals.second += item.key.size() + item.value_bytes + item.entry.metadata.size();
      }
      complete = page->complete;
      request.start_after = page->next_after;
    }
    return totals;
  }
  std::pair<std::uint64_t, std::uint64_t> known() {
    const auto usage = store_->usage(ns_);
    EXPECT_TRUE(usage);
    return {usage->keys, usage->bytes};
  }
};

TEST_F(StoreUsageTest, CountsKeysAndBytesOnce) {
  EXPECT_EQ(known(), std::pair(std::uint64_t{0}, std::uint64_t{0}));
  put("abc", std::string(10, 'v'));
  put("abc", std::string(20, 'v'));
  Put other = put_of("d", std::string(200'000, 'v'));
  other.metadata = "{}";
  write(other);
  EXPECT_EQ(known(), std::pair(std::uint64_t{2}, std::uint64_t{3 + 20 + 1 + 200'000 + 2}));
  write(delete_of("d"));
  write(delete_of("d"));
  write(delete_of("absent"));
  EXPECT_EQ(known(), std::pair(std::uint64_t{1}, std::uint64_t{23}));
  EXPECT_EQ(store_->stats().keys, 1U);
}

TEST_F(StoreUsageTest, LeavesOutWhatExpiredWithinItsBucket) {
  put("short", "v", seconds(10));
  put("long", "v", hours(1));
  put("ever", "v");
  EXPECT_EQ(known().first, 3U);
  const auto usage = store_->usage(ns_);
  ASSERT_EQ(usage->by_expiry.size(), 3U);
  EXPECT_LE(*usage->by_expiry[0].until, clock_.wall_now() + seconds(11));
  EXPECT_FALSE(usage->by_expiry[2].until) << "what never expires is last";
  clock_.advance(seconds(11));
  EXPECT_EQ(known().first, 2U);
  clock_.advance(hours(1) + std::chrono::minutes(1));
  EXPECT_EQ(known().first, 1U);
  EXPECT_EQ(counted().first, 1U);
  put("short", "again");
  put("long", "again");
  EXPECT_EQ(known().first, 3U) << "what expired and is still on disk is not taken away twice";
}

TEST_F(StoreUsageTest, BucketsAreAsWideAsADayAtMostAndFollowFromTheRecord) {
  const Version written = 1'000'000'000;  // at 1,000,000 ms
  EXPECT_EQ(bucket_of(7, 0, written), (UsageBucket{7, 0, 0}));
  EXPECT_EQ(bucket_of(7, 1'000'000 + 120'000, written), (UsageBucket{7, 1, 1119}));
  EXPECT_EQ(bucket_of(7, 1'000'000 + 120'001, written), (UsageBucket{7, 2, 18}));
  EXPECT_EQ(bucket_of(7, kExpiryMsMax, written).width, 4);
  EXPECT_EQ(bucket_of(7, kExpiryMsMax, written).end_ms(), static_cast<std::int64_t>(kExpiryMsMax));
  EXPECT_EQ(bucket_of(7, 1, written).width, 1) << "an expiry before the write";
}

TEST_F(StoreUsageTest, AgreesWithAListOverRandomWritesAndRestarts) {
  const char* given = std::getenv("EDGED_TEST_SEED");
  const auto seed =
      given != nullptr ? static_cast<unsigned>(std::atoll(given)) : std::random_device{}();
  std::cout << "seed " << seed << "\n";
  std::mt19937 random(seed);
  const auto pick = [&](unsigned below) { return static_cast<unsigned>(random() % below); };
  options_.expiry_grace = milliseconds(0);
  options_.reclaim_interval = milliseconds(5);
  reopen();
  for (int step = 0; step < 3000; ++step) {
    const std::string key = "k" + std::to_string(pick(60));
    std::vector<Operation> operations;
    for (unsigned i = 0; i <= pick(3); ++i) {
      Put one = put_of(key, std::string(pick(20) == 0 ? 100'000 : pick(100), 'v'));
      if (pick(2) == 0) one.ttl = seconds(1 + pick(20));
      operations.emplace_back(one);
      if (pick(3) == 0) operations.emplace_back(delete_of("k" + std::to_string(pick(60))));
      if (pick(3) == 0)
        operations.emplace_back(Touch{ns_, key, {}, seconds(1 + pick(9)), {}, 0, false});
      if (pick(6) == 0) operations.emplace_back(Check{ns_, "absent", Condition::kPresent, 0});
    }
    write_all(std::move(operations), pick(2) == 0);
    if (pick(100) == 0) reopen();
    if (pick(20) == 0) {
      // A bucket of a second counts until that second ends: look then.
      clock_.advance(seconds(1 + pick(5)));
      const std::int64_t into_ms = to_unix_ms(clock_.wall_now()) % 1000;
      clock_.advance(milliseconds(1000 - into_ms));
      ASSERT_EQ(known(), counted()) << "step " << step << ", seed " << seed;
    }
  }
  clock_.advance(hours(1));
  EXPECT_EQ(known(), counted());
}

}  // namespace
}  // namespace edged::storage
