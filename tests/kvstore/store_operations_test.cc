// SPDX-License-Identifier: Apache-2.0
// Touch, get-and-touch, add, check and atomic writes (kvstore/storage/operation.h).
#include <gmock/gmock.h>

#include <atomic>
#include <limits>
#include <thread>
#include <vector>

#include "tests/kvstore/store_fixture.h"

namespace edged::storage {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class StoreOperationsTest : public StoreFixture {
 protected:
  void SetUp() override {
    StoreFixture::SetUp();
    open();
  }

  Touch touch_of(std::string key, std::optional<milliseconds> ttl) const {
    Touch touch;
    touch.ns = ns_;
    touch.key = std::move(key);
    touch.ttl = ttl;
    return touch;
  }
  Add add_of(std::string key, std::int64_t delta) const {
    Add add;
    add.ns = ns_;
    add.key = std::move(key);
    add.delta = delta;
    return add;
  }
  Check check_of(std::string key, Condition condition, Version version = 0) const {
    return {ns_, std::move(key), condition, version};
  }
};

TEST_F(StoreOperationsTest, TouchMovesTheExpiryAndKeepsTheRest) {
  Put operation = put_of("k", "v");
  operation.metadata = R"({"a":1})";
  operation.ttl = seconds(10);
  const Version first = write(operation).version;
  const auto touched = write(touch_of("k", seconds(100)));
  ASSERT_EQ(touched.code, Code::kOk);
  EXPECT_GT(touched.version, first);
  EXPECT_FALSE(touched.entry);
  clock_.advance(seconds(50));
  const auto entry = store_->get(ns_, "k", ReadTier::kDisk);
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->metadata, operation.metadata);
  EXPECT_EQ(entry->value, "v");
  EXPECT_EQ(write(touch_of("k", std::nullopt)).code, Code::kOk);
  clock_.advance(seconds(1000));
  EXPECT_EQ(value_of("k"), "v") << "a touch without expiry makes it last";
}

TEST_F(StoreOperationsTest, TouchNeedsALiveEntryAndCanAskForItsVersion) {
  EXPECT_EQ(write(touch_of("absent", seconds(1))).code, Code::kNotFound);
  put("k", "v", seconds(1));
  clock_.advance(seconds(1));
  EXPECT_EQ(write(touch_of("k", seconds(1))).code, Code::kNotFound) << "expired is gone";
  const Version version = put("k", "v").version;
  Touch touch = touch_of("k", seconds(1));
  touch.condition = Condition::kVersion;
  touch.version = version - 1;
  EXPECT_EQ(write(touch).code, Code::kVersionMismatch);
  touch.version = version;
  EXPECT_EQ(write(touch).code, Code::kOk);
  touch.condition = Condition::kAbsent;
  EXPECT_EQ(write(touch).code, Code::kInvalidArgument);
  EXPECT_EQ(write(touch_of("k", milliseconds(0))).code, Code::kInvalidArgument);
}

TEST_F(StoreOperationsTest, GetAndTouchAnswersTheEntryAsItIsNow) {
  put("k", "v", seconds(1));
  Touch touch = touch_of("k", seconds(60));
  touch.want_entry = true;
  const auto outcome = write(touch);
  ASSERT_TRUE(outcome.entry);
  EXPECT_EQ(outcome.entry->value, "v");
  EXPECT_EQ(outcome.entry->version, outcome.version);
  EXPECT_EQ(outcome.entry->expires_at, clock_.wall_now() + seconds(60));
  put("large", std::string(200'000, 'x'));
  touch.key = "large";
  EXPECT_EQ(write(touch).code, Code::kTooLarge);
  EXPECT_EQ(store_->get(ns_, "large", ReadTier::kDisk)->expires_at, std::nullopt);
}

TEST_F(StoreOperationsTest, TouchWithAPastExpiryRemoves) {
  put("k", "v");
  Touch touch = touch_of("k", std::nullopt);
  touch.expires_at = clock_.wall_now() - seconds(1);
  EXPECT_EQ(write(touch).code, Code::kOk);
  EXPECT_EQ(value_of("k"), "(none)");
  EXPECT_EQ(live_keys(), 0U);
}

TEST_F(StoreOperationsTest, AddCountsFromItsInitialValueAndKeepsTheFirstExpiry) {
  Add add = add_of("n", 5);
  add.initial = 100;
  add.ttl = seconds(10);
  EXPECT_EQ(write(add).number, 105);
  clock_.advance(seconds(6));
  EXPECT_EQ(write(add).number, 110);
  EXPECT_EQ(value_of("n"), "110");
  clock_.advance(seconds(4));
  EXPECT_EQ(value_of("n"), "(none)") << "a later addition does not move the expiry";
  EXPECT_EQ(write(add_of("n", -3)).number, -3);
}

TEST_F(StoreOperationsTest, AddRefusesWhatIsNoNumberAndWhatDoesNotFit) {
  for (const char* value : {"", "x", "1x", " 1", "1.5", "9223372036854775808", "+1"}) {
    put("n", value);
    EXPECT_EQ(write(add_of("n", 1)).code, Code::kInvalidArgument) << value;
    EXPECT_EQ(value_of("n"), value);
  }
  put("n", "9223372036854775807");
  EXPECT_EQ(write(add_of("n", 1)).code, Code::kInvalidArgument);
  EXPECT_EQ(write(add_of("n", std::numeric_limits<std::int64_t>::min())).number, -1);
}

TEST_F(StoreOperationsTest, ConcurrentAddsLoseNothing) {
  constexpr int kThreads = 4;
  constexpr int kEach = 500;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([this] {
      for (int n = 0; n < kEach; ++n) EXPECT_EQ(write(add_of("n", 1)).code, Code::kOk);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(value_of("n"), std::to_string(kThreads * kEach));
}

TEST_F(StoreOperationsTest, LaterOperationsOfAWriteSeeTheEarlierOnes) {
  Put second = put_of("k", "2");
  second.condition = Condition::kAbsent;
  const auto outcomes =
      write_all({put_of("k", "1"), second, add_of("k", 4), delete_of("k"), second}, false);
  ASSERT_EQ(outcomes.size(), 5U);
  EXPECT_EQ(outcomes[1].code, Code::kExists);
  EXPECT_EQ(outcomes[1].version, outcomes[0].version);
  EXPECT_EQ(outcomes[2].number, 5);
  EXPECT_EQ(outcomes[4].code, Code::kOk);
  EXPECT_EQ(value_of("k"), "2");
  EXPECT_EQ(live_keys(), 1U);
}

TEST_F(StoreOperationsTest, AnAtomicWriteIsWrittenWholeOrNotAtAll) {
  const auto other = store_->create_namespace("other", "");
  ASSERT_TRUE(other);
  const Version version = put("guard", "1").version;
  put("old", std::string(100'000, 'o'));
  Put elsewhere = put_of("k", "v");
  elsewhere.ns = other->number;
  const std::vector<Operation> operations = {put_of("new", std::string(100'000, 'n')),
                                             delete_of("old"),
                                             elsewhere,
                                             check_of("guard", Condition::kVersion, version)};
  put("guard", "2");
  auto outcomes = write_all(operations, true);
  ASSERT_EQ(outcomes.size(), 4U);
  EXPECT_EQ(outcomes[0].code, Code::kConflict);
  EXPECT_EQ(outcomes[3].code, Code::kVersionMismatch);
  EXPECT_EQ(value_of("new"), "(none)");
  EXPECT_EQ(value_of("old").size(), 100'000U);
  EXPECT_EQ(store_->get(other->number, "k", ReadTier::kDisk).code(), Code::kNotFound);
  EXPECT_EQ(live_keys(), 2U);

  auto right = operations;
  std::get<Check>(right[3]).version = store_->get(ns_, "guard", ReadTier::kDisk)->version;
  outcomes = write_all(right, true);
  for (const auto& outcome : outcomes) EXPECT_EQ(outcome.code, Code::kOk) << outcome.message;
  EXPECT_EQ(value_of("new").size(), 100'000U);
  EXPECT_EQ(value_of("old"), "(none)");
  EXPECT_TRUE(store_->get(other->number, "k", ReadTier::kDisk));
  EXPECT_EQ(store_->usage(other->number)->keys, 1U);
}

TEST_F(StoreOperationsTest, AFailedAtomicWriteLeavesItsNeighboursInTheGroupAlone) {
  std::atomic<int> answered{0};
  const auto submit = [&](std::vector<Operation> operations, bool atomic) {
    Write write;
    write.operations = std::move(operations);
    write.atomic = atomic;
    store_->submit(std::move(write), [&](auto result) {
      EXPECT_TRUE(result);
      ++answered;
    });
  };
  for (int round = 0; round < 200; ++round) {
    submit({put_of("a", std::to_string(round)), add_of("n", 1)}, false);
    submit({add_of("n", 1000), put_of("a", "never"), check_of("absent", Condition::kPresent)},
           true);
    submit({add_of("n", 1)}, true);
  }
  ASSERT_EQ(put("end", "").code, Code::kOk);  // in order: all before it is answered
  EXPECT_EQ(answered, 600);
  EXPECT_EQ(value_of("n"), "400");
  EXPECT_EQ(value_of("a"), "199");
  EXPECT_EQ(live_keys(), 3U);
}

TEST_F(StoreOperationsTest, AtomicWritesHaveABound) {
  Write write;
  write.atomic = true;
  for (int i = 0; i < 9; ++i) {
    write.operations.push_back(put_of("k" + std::to_string(i), std::string(1 << 20, 'x')));
  }
  EXPECT_EQ(write_and_wait(*store_, write).code(), Code::kTooLarge);
  write.operations.pop_back();
  write.operations.pop_back();
  EXPECT_TRUE(write_and_wait(*store_, write));
}

TEST_F(StoreOperationsTest, ADamagedKeyIsRefusedAlone) {
  const auto outcomes = write_all(
      {put_of("", "v"), put_of(std::string(513, 'k'), "v"), put_of(std::string(512, 'k'), "v")},
      false);
  EXPECT_EQ(outcomes[0].code, Code::kInvalidArgument);
  EXPECT_EQ(outcomes[1].code, Code::kTooLarge);
  EXPECT_EQ(outcomes[2].code, Code::kOk);
}

// One put-if-absent wins per period of a key, whoever else tries, over expiry and restarts.
TEST_F(StoreOperationsTest, PutIfAbsentHasExactlyOneWinnerPerPeriod) {
  constexpr int kThreads = 4;
  for (int period = 0; period < 30; ++period) {
    std::atomic<int> winners{0};
    std::vector<std::thread> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&, thread] {
        for (int attempt = 0; attempt < 10; ++attempt) {
          Put put = put_of("lock", std::to_string(thread));
          put.condition = Condition::kAbsent;
          put.ttl = seconds(10);
          const auto outcome = write(put);
          if (outcome.code == Code::kOk) ++winners;
          EXPECT_TRUE(outcome.code == Code::kOk || outcome.code == Code::kExists);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(winners, 1) << "period " << period;
    clock_.advance(milliseconds(9'999));
    if (period % 10 == 0) reopen();
    Put early = put_of("lock", "early");
    early.condition = Condition::kAbsent;
    EXPECT_EQ(write(early).code, Code::kExists) << "a millisecond too early";
    clock_.advance(milliseconds(1));
  }
}

}  // namespace
}  // namespace edged::storage
