// SPDX-License-Identifier: Apache-2.0
// The change feed: in order, by prefix, resumable, and never silent about what was missed.
#include <gmock/gmock.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "kvstore/storage/write/change_feed.h"
#include "tests/kvstore/store_fixture.h"

namespace edged::storage {
namespace {

using ::testing::ElementsAre;

class StoreWatchTest : public StoreFixture {
 protected:
  void SetUp() override {
    StoreFixture::SetUp();
    open();
  }

  std::unique_ptr<Watch> watch(
      std::string prefix = "",
      std::optional<Version> after = std::nullopt,
      std::function<void()> wake = [] {}) {
    auto made = store_->watch({ns_, std::move(prefix), after}, std::move(wake));
    EXPECT_TRUE(made) << made.error().to_string();
    return made ? *std::move(made) : nullptr;
  }

  static std::vector<std::string> all(Watch& watch) {
    std::vector<std::string> seen;
    for (bool more = true; more;) {
      const auto changes = watch.next(3);
      if (!changes) return {changes.error().to_string()};
      for (const Change& change : changes->changes) {
        const char* kinds[] = {"put ", "delete ", "clear "};
        seen.push_back(kinds[static_cast<int>(change.kind)] + change.key);
      }
      more = changes->more;
    }
    return seen;
  }
};

TEST_F(StoreWatchTest, TellsChangesByPrefixInOrder) {
  put("a1", "before");
  const auto all_keys = watch();
  const auto some = watch("a");
  put("a1", "v");
  put("b1", "v", std::chrono::seconds(5));
  write(delete_of("a1"));
  Put refused = put_of("b1", "v");
  refused.condition = Condition::kAbsent;
  EXPECT_EQ(write(refused).code, Code::kExists);
  EXPECT_THAT(all(*all_keys), ElementsAre("put a1", "put b1", "delete a1"));
  EXPECT_THAT(all(*some), ElementsAre("put a1", "delete a1"));
  EXPECT_THAT(all(*some), ElementsAre());
  put("a2", "v", std::chrono::seconds(5));
  const auto changes = some->next(10);
  ASSERT_TRUE(changes);
  ASSERT_EQ(changes->changes.size(), 1U);
  EXPECT_EQ(changes->changes[0].expires_at, clock_.wall_now() + std::chrono::seconds(5));
  EXPECT_EQ(changes->seen, changes->changes[0].version);
}

TEST_F(StoreWatchTest, GoesOnAfterAVersion) {
  const auto first = put("a", "v");
  put("b", "v");
  put("c", "v");
  EXPECT_THAT(all(*watch("", first.version)), ElementsAre("put b", "put c"));
  reopen();
  EXPECT_EQ(store_->watch({ns_, "", first.version}, [] {}).code(), Code::kStale)
      << "changes before a start are not known";
  const Version last = put("d", "v").version;
  EXPECT_THAT(all(*watch("", last)), ElementsAre());
}

TEST_F(StoreWatchTest, AFailedAtomicWriteIsNoChange) {
  const auto seen = watch();
  write_all({put_of("a", "v"), Check{ns_, "absent", Condition::kPresent, 0}}, true);
  write_all({put_of("b", "v"), put_of("c", "v")}, true);
  EXPECT_THAT(all(*seen), ElementsAre("put b", "put c"));
}

TEST_F(StoreWatchTest, ClearingIsToldToEveryPrefix) {
  const auto seen = watch("prefix");
  ASSERT_TRUE(store_->clear_namespace(ns_).ok());
  EXPECT_THAT(all(*seen), ElementsAre("clear "));
}

TEST_F(StoreWatchTest, WhoFallsBehindIsTold) {
  const auto slow = watch();
  const auto other = store_->create_namespace("other", "");
  ASSERT_TRUE(other);
  for (std::size_t written = 0; written <= ChangeFeed::kChangesMax; written += 5000) {
    Write write;
    for (int i = 0; i < 5000; ++i) {
      Put put = put_of("k", "");
      put.ns = other->number;
      write.operations.emplace_back(std::move(put));
    }
    ASSERT_TRUE(write_and_wait(*store_, std::move(write)));
  }
  EXPECT_EQ(slow->next(1).code(), Code::kStale);
}

TEST_F(StoreWatchTest, WakesOnceWhenThereIsSomethingNew) {
  std::mutex mutex;
  std::condition_variable changed;
  int wakes = 0;
  auto seen = watch("", std::nullopt, [&] {
    const std::lock_guard lock(mutex);
    ++wakes;
    changed.notify_all();
  });
  ASSERT_THAT(all(*seen), ElementsAre());
  put("a", "v");
  put("b", "v");
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return wakes > 0; });
    EXPECT_EQ(wakes, 1) << "not again until what is new was read";
  }
  EXPECT_THAT(all(*seen), ElementsAre("put a", "put b"));
  put("c", "v");
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return wakes == 2; });
}

TEST_F(StoreWatchTest, ComesAndGoesWhileOthersWrite) {
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (int i = 0; !stop; ++i) put("k" + std::to_string(i % 10), "v");
  });
  std::atomic<int> wakes{0};
  for (int round = 0; round < 300; ++round) {
    auto one = watch("k", std::nullopt, [&] { ++wakes; });
    ASSERT_TRUE(one->next(100));
  }
  stop = true;
  writer.join();
  EXPECT_EQ(store_->stats().watches, 0U);
}

TEST_F(StoreWatchTest, MayOutliveTheFeed) {
  auto feed = std::make_unique<ChangeFeed>(5);
  auto seen = feed->watch({1, "", std::nullopt}, [] {});
  ASSERT_TRUE(seen);
  feed.reset();
  EXPECT_TRUE((*seen)->next(1));
}

}  // namespace
}  // namespace edged::storage
