// SPDX-License-Identifier: Apache-2.0
// Leases: one caller fills a missing key, and no fill ever overwrites what was written after its
// source was read.
#include <gmock/gmock.h>

#include <atomic>
#include <random>
#include <thread>

#include "kvstore/storage/tables/lease_table.h"
#include "tests/kvstore/store_fixture.h"

namespace edged::storage {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class StoreLeaseTest : public StoreFixture {
 protected:
  void SetUp() override {
    StoreFixture::SetUp();
    open();
  }

  LeasedEntry lease(const std::string& key, milliseconds duration = seconds(5)) {
    auto found = store_->get_or_lease(ns_, key, duration, ReadTier::kDisk);
    EXPECT_TRUE(found) << found.error().to_string();
    return found ? *std::move(found) : LeasedEntry();
  }
  Code fill(const std::string& key, std::uint64_t lease, std::string value = "filled") {
    Put put = put_of(key, std::move(value));
    put.lease = lease;
    return write(put).code;
  }
};

TEST_F(StoreLeaseTest, OneCallerWinsAndTheOthersWait) {
  const LeasedEntry won = lease("k");
  EXPECT_NE(won.lease, 0U);
  EXPECT_FALSE(won.entry);
  const LeasedEntry waits = lease("k");
  EXPECT_EQ(waits.lease, 0U);
  EXPECT_GT(waits.retry_after, milliseconds(0));
  EXPECT_EQ(fill("k", won.lease), Code::kOk);
  const LeasedEntry found = lease("k");
  ASSERT_TRUE(found.entry);
  EXPECT_EQ(found.entry->value, "filled");
  EXPECT_EQ(fill("k", won.lease), Code::kStale) << "a lease fills once";
  EXPECT_EQ(store_->stats().leases, 0U);
}

TEST_F(StoreLeaseTest, AnyWriteVoidsIt) {
  auto won = lease("k");
  put("k", "newer");
  EXPECT_EQ(fill("k", won.lease), Code::kStale);
  EXPECT_EQ(value_of("k"), "newer");
  write(delete_of("k"));
  won = lease("k");
  write(delete_of("k"));
  EXPECT_EQ(fill("k", won.lease), Code::kStale) << "what was read may be what was deleted";
  won = lease("k");
  Put same_group = put_of("k", "late");
  same_group.lease = won.lease;
  const auto outcomes = write_all({put_of("k", "first"), same_group}, false);
  EXPECT_EQ(outcomes[1].code, Code::kStale);
  EXPECT_EQ(value_of("k"), "first");
}

TEST_F(StoreLeaseTest, AFailedWriteDoesNotVoidIt) {
  const auto won = lease("k");
  Put conditional = put_of("k", "v");
  conditional.condition = Condition::kPresent;
  EXPECT_EQ(write(conditional).code, Code::kNotFound);
  EXPECT_EQ(write_all({put_of("k", "v"), Check{ns_, "k2", Condition::kPresent, 0}}, true)[0].code,
            Code::kConflict);
  EXPECT_EQ(fill("k", won.lease), Code::kOk);
}

TEST_F(StoreLeaseTest, EndsByTimeByRestartAndByClearing) {
  auto won = lease("k", seconds(1));
  clock_.advance(seconds(1));
  const auto next = lease("k");
  EXPECT_NE(next.lease, 0U);
  EXPECT_EQ(fill("k", won.lease), Code::kStale);
  ASSERT_TRUE(store_->clear_namespace(ns_).ok());
  EXPECT_EQ(fill("k", next.lease), Code::kStale);
  won = lease("k");
  reopen();
  EXPECT_EQ(fill("k", won.lease), Code::kStale);
  EXPECT_EQ(store_->get_or_lease(ns_, "k", milliseconds(0), ReadTier::kDisk).code(),
            Code::kInvalidArgument);
  EXPECT_EQ(store_->get_or_lease(ns_, "k", seconds(61), ReadTier::kDisk).code(),
            Code::kInvalidArgument);
}

TEST_F(StoreLeaseTest, TheTableIsBounded) {
  LeaseTable table(clock_);
  for (std::size_t i = 0; i < LeaseTable::kLeasesMax; ++i) {
    ASSERT_TRUE(table.acquire(std::to_string(i), seconds(1)));
  }
  EXPECT_EQ(table.acquire("more", seconds(1)).code(), Code::kBusy);
  clock_.advance(seconds(1));
  EXPECT_TRUE(table.acquire("more", seconds(1)));
  EXPECT_EQ(table.size(), 1U);
}

// A source that only grows, writers that invalidate after changing it, and fillers that read it:
// nothing older than the last invalidation may stay in the store.
TEST_F(StoreLeaseTest, ALateFillNeverOverwritesWhatIsNewer) {
  std::atomic<int> source{0};
  std::atomic<bool> stop{false};
  std::vector<std::thread> fillers;
  for (int i = 0; i < 3; ++i) {
    fillers.emplace_back([&] {
      while (!stop) {
        const LeasedEntry found = lease("k");
        if (found.lease != 0) (void)fill("k", found.lease, std::to_string(source.load()));
      }
    });
  }
  for (int round = 1; round <= 500; ++round) {
    source = round;
    ASSERT_EQ(write(delete_of("k")).code, Code::kOk);
    const std::string seen = value_of("k");
    ASSERT_TRUE(seen == "(none)" || std::stoi(seen) >= round) << seen << " in round " << round;
  }
  stop = true;
  for (std::thread& filler : fillers) filler.join();
}

}  // namespace
}  // namespace edged::storage
