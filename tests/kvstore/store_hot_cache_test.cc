// SPDX-License-Identifier: Apache-2.0
// The hot cache as part of the store: after every kind of write, reads that it answers are right.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/kvstore/store_fixture.h"

namespace edged::storage {
namespace {

using std::chrono::milliseconds;

class StoreHotCacheTest : public StoreFixture {
 protected:
  // Reads twice; the second answer comes from the cache, which is checked.
  std::string cached_value_of(std::string_view key) {
    const std::string first = value_of(key);
    EXPECT_TRUE(store_->is_cached(ns_, key));
    const std::uint64_t hits = store_->stats().hot_hits;
    const std::string second = value_of(key);
    EXPECT_EQ(store_->stats().hot_hits, hits + 1);
    EXPECT_EQ(first, second);
    return second;
  }
  static std::string to_text(const Result<Entry>& entry) {
    if (entry) return entry->value;
    return entry.code() == Code::kNotFound ? "(none)" : entry.error().to_string();
  }
};

TEST_F(StoreHotCacheTest, FollowsEveryKindOfWrite) {
  open();
  EXPECT_EQ(cached_value_of("k"), "(none)");
  put("k", "1");
  EXPECT_EQ(cached_value_of("k"), "1");
  Add add;
  add.ns = ns_;
  add.key = "k";
  add.delta = 41;
  write(add);
  EXPECT_EQ(cached_value_of("k"), "42");
  write_all({put_of("k", "first"), put_of("k", "second")}, true);
  EXPECT_EQ(cached_value_of("k"), "second");
  Put refused = put_of("k", "refused");
  refused.condition = Condition::kAbsent;
  write_all({put_of("k", "rolled back"), refused}, true);
  EXPECT_EQ(cached_value_of("k"), "second");
  write(delete_of("k"));
  EXPECT_EQ(cached_value_of("k"), "(none)");
}

TEST_F(StoreHotCacheTest, ATouchGivesAnotherExpiry) {
  open();
  put("k", "value", milliseconds(1000));
  EXPECT_EQ(cached_value_of("k"), "value");
  Touch touch;
  touch.ns = ns_;
  touch.key = "k";
  touch.ttl = milliseconds(5000);
  write(touch);
  clock_.advance(milliseconds(4999));
  EXPECT_EQ(cached_value_of("k"), "value");
  clock_.advance(milliseconds(1));
  EXPECT_EQ(cached_value_of("k"), "(none)");
}

TEST_F(StoreHotCacheTest, ForgetsAClearedNamespace) {
  open();
  put("k", "value");
  EXPECT_EQ(cached_value_of("k"), "value");
  EXPECT_TRUE(store_->clear_namespace(ns_).ok());
  EXPECT_EQ(cached_value_of("k"), "(none)");
  EXPECT_TRUE(store_->delete_namespace(ns_).ok());
  EXPECT_EQ(get_code("k"), Code::kNamespaceNotFound);
  EXPECT_FALSE(store_->is_cached(ns_, "k"));
}

TEST_F(StoreHotCacheTest, LargeValuesListsAndSnapshotsPassItBy) {
  open();
  put("large", std::string(5000, 'x'));
  put("chunks", std::string(100'000, 'x'));
  put("small", "x");
  EXPECT_TRUE(store_->is_cached(ns_, "small")) << "it was just written";
  reopen();
  EXPECT_EQ(value_of("large").size(), 5000u);
  EXPECT_EQ(value_of("chunks").size(), 100'000u);
  ListRequest list;
  list.ns = ns_;
  list.with_values = true;
  EXPECT_TRUE(store_->list(list));
  EXPECT_TRUE(store_->get_many(ns_, {"small"}, ReadTier::kDisk)[0]);
  EXPECT_TRUE(store_->open_value(ns_, "small"));
  for (const char* key : {"large", "chunks", "small"}) EXPECT_FALSE(store_->is_cached(ns_, key));
}

TEST_F(StoreHotCacheTest, ALeaseIsForWhoeverReadsNothing) {
  open();
  EXPECT_EQ(cached_value_of("k"), "(none)");
  const auto leased = store_->get_or_lease(ns_, "k", milliseconds(1000), ReadTier::kDisk);
  ASSERT_TRUE(leased);
  EXPECT_NE(leased->lease, 0u);
  put("k", "written meanwhile");
  Put fill = put_of("k", "filled");
  fill.lease = leased->lease;
  EXPECT_EQ(write(fill).code, Code::kStale);
  EXPECT_EQ(cached_value_of("k"), "written meanwhile");
}

// What the writer takes from the cache instead of the engine is the same: two stores, one without a
// cache, get the same writes and reads and judge and count alike.
TEST_F(StoreHotCacheTest, WritesAreJudgedAndCountedAsWithoutIt) {
  RocksStoreOptions plain_options = options_;
  plain_options.data_dir = dir_.path() + "/plain";
  plain_options.hot_cache_bytes = 0;
  auto plain = open_rocks_store(plain_options);
  ASSERT_TRUE(plain);
  ASSERT_TRUE((*plain)->create_namespace("default", ""));
  open();
  std::mt19937 random(7);
  Version last_version = 0;
  for (int i = 0; i < 3000; ++i) {
    const std::string key = "k" + std::to_string(random() % 12);
    Operation operation = delete_of(key);
    switch (random() % 6) {
      case 0:
        EXPECT_EQ(value_of(key), to_text((*plain)->get(ns_, key, ReadTier::kDisk)));
        continue;
      case 1:
        clock_.advance(milliseconds(random() % 700));
        continue;
      case 2:
        break;
      default: {
        Put put = put_of(key, std::string(random() % 50, 'v'));
        if (random() % 2 == 0) put.ttl = milliseconds(1 + random() % 3000);
        if (random() % 3 == 0) put.metadata = "{}";
        put.condition = std::array{Condition::kNone,
                                   Condition::kAbsent,
                                   Condition::kPresent,
                                   Condition::kVersion}[random() % 4];
        put.version = last_version;
        operation = std::move(put);
      }
    }
    const WriteOutcome outcome = write(operation);
    const auto other = write_and_wait(**plain, operation, Durability::kWal);
    ASSERT_TRUE(other);
    ASSERT_EQ(outcome.code, other->code) << "step " << i;
    ASSERT_EQ(outcome.version, other->version) << "step " << i;
    if (outcome.code == Code::kOk) last_version = outcome.version;
    const auto usage = store_->usage(ns_), usage_plain = (*plain)->usage(ns_);
    ASSERT_EQ(usage->keys, usage_plain->keys) << "step " << i;
    ASSERT_EQ(usage->bytes, usage_plain->bytes) << "step " << i;
  }
  EXPECT_GT(store_->stats().hot_hits, 0u);
}

// Writers and readers at once: a reader never gets less than what was acknowledged before it asked,
// nor less than what it had before.
TEST_F(StoreHotCacheTest, NoReadIsOlderThanAnAcknowledgedWrite) {
  constexpr int kKeys = 16, kWritesEach = 1500, kWriters = 2, kReaders = 2;
  options_.hot_cache_bytes = 16 * 400;  // so small that entries come and go
  open();
  std::array<std::atomic<Version>, kKeys> acknowledged{};
  std::atomic<int> writing{kWriters}, stale{0};
  std::vector<std::thread> threads;
  for (int w = 0; w < kWriters; ++w) {
    threads.emplace_back([&, w] {
      std::mt19937 random(w);
      for (int i = 0; i < kWritesEach; ++i) {
        const std::size_t key = random() % kKeys;
        const WriteOutcome outcome = put("k" + std::to_string(key), std::string(50, 'v'));
        Version known = acknowledged[key].load();
        while (known < outcome.version &&
               !acknowledged[key].compare_exchange_weak(known, outcome.version)) {
        }
      }
      --writing;
    });
  }
  for (int r = 0; r < kReaders; ++r) {
    threads.emplace_back([&, r] {
      std::mt19937 random(100 + r);
      std::array<Version, kKeys> seen{};
      while (writing.load() > 0) {
        const std::size_t key = random() % kKeys;
        const Version least = std::max(acknowledged[key].load(), seen[key]);
        const auto entry = store_->get(ns_, "k" + std::to_string(key), ReadTier::kDisk);
        const Version found = entry ? entry->version : 0;
        if (found < least) ++stale;
        seen[key] = found;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(stale.load(), 0);
}

}  // namespace
}  // namespace edged::storage
