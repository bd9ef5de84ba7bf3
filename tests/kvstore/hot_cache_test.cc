// SPDX-License-Identifier: Apache-2.0
#include "kvstore/storage/read/hot_cache.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "kvstore/storage/format/record.h"

namespace edged::storage {
namespace {

constexpr std::uint64_t kExpiryMs = 1'000'000;
using Found = HotCache::Found;

class HotCacheTest : public ::testing::Test {
 protected:
  static HotCache::Key key(std::string_view name) { return HotCache::key_of(7, name); }

  static std::string record(std::string_view name,
                            std::string_view value,
                            std::uint64_t expiry_ms = 0,
                            std::string_view metadata = {}) {
    return encode_record(encode_key(7, name), {expiry_ms, 42, metadata, value, std::nullopt});
  }

  Found find(std::string_view name) { return cache_.find(key(name), entry_, ticket_); }

  void fill(std::string_view name, std::string_view value, std::uint64_t expiry_ms = 0) {
    find(name);
    cache_.fill_record(key(name), ticket_, record(name, value, expiry_ms));
  }

  HotCache cache_{1 << 20};
  Entry entry_;
  HotCache::Ticket ticket_ = 0;
};

TEST_F(HotCacheTest, AnswersWhatItWasFilledWith) {
  EXPECT_EQ(find("a"), Found::kUnknown);
  cache_.fill_record(key("a"), ticket_, record("a", "value", kExpiryMs, "{}"));
  ASSERT_EQ(find("a"), Found::kEntry);
  EXPECT_EQ(entry_.value, "value");
  EXPECT_EQ(entry_.metadata, "{}");
  EXPECT_EQ(entry_.version, 42u);
  EXPECT_EQ(entry_.expires_at, from_unix_ms(kExpiryMs));
  EXPECT_EQ(cache_.find(HotCache::key_of(8, "a"), entry_, ticket_), Found::kUnknown);
}

TEST_F(HotCacheTest, ForgetsTheFieldsOfTheEntryBefore) {
  find("a");
  cache_.fill_record(key("a"), ticket_, record("a", "long value", kExpiryMs, "{}"));
  fill("b", "");
  ASSERT_EQ(find("a"), Found::kEntry);
  ASSERT_EQ(find("b"), Found::kEntry);
  EXPECT_EQ(entry_.value, "");
  EXPECT_EQ(entry_.metadata, "");
  EXPECT_EQ(entry_.expires_at, std::nullopt);
}

TEST_F(HotCacheTest, RemembersThatAKeyIsNotThere) {
  find("a");
  cache_.fill_absent(key("a"), ticket_);
  EXPECT_EQ(find("a"), Found::kAbsent);
}

TEST_F(HotCacheTest, KnowsNothingWhileAKeyIsWritten) {
  fill("a", "old");
  cache_.begin_write(key("a"));
  EXPECT_EQ(find("a"), Found::kUnknown);
  EXPECT_EQ(ticket_, 0u);
  cache_.end_write(key("a"), record("a", "new"));
  ASSERT_EQ(find("a"), Found::kEntry);
  EXPECT_EQ(entry_.value, "new");
}

TEST_F(HotCacheTest, AWriteTakesTheRightToFill) {
  find("a");
  const HotCache::Ticket before = ticket_;
  cache_.begin_write(key("a"));
  cache_.fill_record(key("a"), before, record("a", "old"));
  cache_.end_write(key("a"), record("a", "new"));
  cache_.fill_record(key("a"), before, record("a", "old"));
  ASSERT_EQ(find("a"), Found::kEntry);
  EXPECT_EQ(entry_.value, "new");
}

TEST_F(HotCacheTest, AWriteAddsWhatItWroteAndADeleteNothing) {
  cache_.begin_write(key("a"));
  cache_.end_write(key("a"), record("a", "value", kExpiryMs, "{}"));
  ASSERT_EQ(find("a"), Found::kEntry);
  EXPECT_EQ(entry_.value, "value");
  EXPECT_EQ(entry_.metadata, "{}");
  cache_.begin_write(key("a"));
  cache_.end_write(key("a"), record("a", "eulav"));  // as long as before, without metadata
  ASSERT_EQ(find("a"), Found::kEntry);
  EXPECT_EQ(entry_.value, "eulav");
  EXPECT_EQ(entry_.metadata, "");
  EXPECT_EQ(entry_.expires_at, std::nullopt);
  cache_.begin_write(key("b"));
  cache_.end_delete(key("b"));
  EXPECT_EQ(find("b"), Found::kUnknown);
}

TEST_F(HotCacheTest, KeysThatWereMadeToCollideGetInTheirOwnWayOnly) {
  std::vector<std::string> names;
  for (int i = 0; names.size() < 40; ++i) {
    const std::string name = std::to_string(i);
    if ((key(name).hash & 0xffff) == 0) names.push_back(name);  // one shard, one epoch
  }
  fill("other", "value");
  for (const std::string& name : names) fill(name, name);
  for (const std::string& name : names) {
    if (find(name) == Found::kEntry) {
      EXPECT_EQ(entry_.value, name);
    }
  }
  EXPECT_EQ(find("other"), Found::kEntry);
}

TEST_F(HotCacheTest, PrefetchingChangesNothing) {
  fill("a", "value");
  const std::vector<HotCache::Key> keys{key("a"), key("b"), key("")};
  const HotCache::Counts before = cache_.counts();
  cache_.prefetch(keys);
  cache_.prefetch({});
  HotCache(0).prefetch(keys);
  HotCache(1 << 20).prefetch(keys);
  EXPECT_EQ(cache_.counts().hits, before.hits);
  EXPECT_EQ(cache_.counts().entries, before.entries);
  EXPECT_EQ(find("a"), Found::kEntry);
}

TEST_F(HotCacheTest, FollowsDeletesAndForgetsOnFailures) {
  fill("a", "value");
  fill("b", "value");
  cache_.begin_write(key("a"));
  cache_.end_delete(key("a"));
  cache_.begin_write(key("b"));
  cache_.fail_write(key("b"));
  EXPECT_EQ(find("a"), Found::kAbsent);
  EXPECT_EQ(find("b"), Found::kUnknown);
}

TEST_F(HotCacheTest, KeepsSmallRecordsOnly) {
  const std::string most(HotCache::kRecordBytesMax - kHeaderBytes, 'x');
  fill("most", most);
  EXPECT_EQ(find("most"), Found::kEntry);
  fill("more", most + "x");
  EXPECT_EQ(find("more"), Found::kUnknown);
  cache_.begin_write(key("most"));
  cache_.end_write(key("most"), record("most", most + "x"));
  EXPECT_EQ(find("most"), Found::kUnknown);
  find("apart");
  cache_.fill_record(
      key("apart"), ticket_, encode_record(encode_key(7, "apart"), {0, 1, {}, {}, BodyRef{1, 9}}));
  EXPECT_EQ(find("apart"), Found::kUnknown);
}

TEST_F(HotCacheTest, StaysWithinItsBytesAndKeepsWhatIsUsed) {
  fill("used", "value");
  for (int i = 0; i < 20'000; ++i) {
    fill("key" + std::to_string(i), std::string(100, 'v'));
    ASSERT_EQ(find("used"), Found::kEntry) << i;
    ASSERT_LE(cache_.counts().bytes, 1u << 20);
  }
  EXPECT_GT(cache_.counts().bytes, (1u << 20) * 9 / 10);
  EXPECT_GT(cache_.counts().entries, 2000u);
}

TEST_F(HotCacheTest, CountsAndForgets) {
  fill("a", "value");
  find("a");
  EXPECT_TRUE(cache_.contains(key("a")));
  EXPECT_FALSE(cache_.contains(key("b")));
  EXPECT_EQ(cache_.counts().hits, 1u);
  EXPECT_EQ(cache_.counts().misses, 1u);
  EXPECT_EQ(cache_.counts().entries, 1u);
  cache_.clear();
  EXPECT_EQ(cache_.counts().entries, 0u);
  EXPECT_EQ(cache_.counts().bytes, 0u);
  EXPECT_EQ(find("a"), Found::kUnknown);
}

TEST_F(HotCacheTest, WithoutRoomItKeepsNothing) {
  HotCache none(0);
  EXPECT_EQ(none.find(key("a"), entry_, ticket_), Found::kUnknown);
  none.fill_record(key("a"), ticket_, record("a", "value"));
  none.begin_write(key("a"));
  none.end_write(key("a"), record("a", "value"));
  EXPECT_FALSE(none.contains(key("a")));
}

TEST_F(HotCacheTest, TellsTheWriterWhatIsStoredAndCountsNothing) {
  EXPECT_FALSE(cache_.facts(key("a")));
  find("a");
  cache_.fill_record(key("a"), ticket_, record("a", "value", kExpiryMs, "{}"));
  find("b");
  cache_.fill_absent(key("b"), ticket_);
  const HotCache::Counts before = cache_.counts();
  const auto facts = cache_.facts(key("a"));
  ASSERT_TRUE(facts);
  EXPECT_FALSE(facts->absent);
  EXPECT_EQ(facts->expiry_ms, kExpiryMs);
  EXPECT_EQ(facts->version, 42u);
  EXPECT_EQ(facts->bytes, 7u);
  ASSERT_TRUE(cache_.facts(key("b")));
  EXPECT_TRUE(cache_.facts(key("b"))->absent);
  EXPECT_EQ(cache_.counts().hits, before.hits);
  EXPECT_EQ(cache_.counts().misses, before.misses);
  HotCache none(0);
  EXPECT_FALSE(none.facts(key("a")));
}

// An engine of atomic numbers behind the cache, one writer, readers that fill: nobody ever reads
// less than what was acknowledged before, nor less than itself before. The cache is so small that
// entries come and go.
TEST(HotCacheRaceTest, NeverServesWhatAWriteReplaced) {
  constexpr int kKeys = 64, kWrites = 40'000, kReaders = 3;
  int wrong = 0;
  HotCache cache(16 * 512);
  std::array<std::atomic<std::uint64_t>, kKeys> engine{}, acknowledged{};
  std::atomic<bool> done{false};
  const auto name = [](std::size_t i) { return encode_key(7, "key" + std::to_string(i)); };
  const auto record_of = [&](std::size_t i, std::uint64_t number) {
    return encode_record(name(i), {0, number, {}, std::string(40, 'v'), std::nullopt});
  };
  const auto read = [&](std::size_t i) {
    const std::string stored = name(i);
    const HotCache::Key key = HotCache::key_of(stored);
    Entry entry;
    HotCache::Ticket ticket = 0;
    if (cache.find(key, entry, ticket) == Found::kEntry) return entry.version;
    const std::uint64_t number = engine[i].load();
    cache.fill_record(key, ticket, record_of(i, number));
    return number;
  };
  std::vector<std::thread> readers;
  std::atomic<int> stale{0};
  for (int r = 0; r < kReaders; ++r) {
    readers.emplace_back([&, r] {
      std::mt19937 random(r);
      std::array<std::uint64_t, kKeys> seen{};
      while (!done.load()) {
        const std::size_t i = random() % kKeys;
        const std::uint64_t least = std::max(acknowledged[i].load(), seen[i]);
        const std::uint64_t found = read(i);
        if (found < least) ++stale;
        seen[i] = found;
      }
    });
  }
  std::mt19937 random(99);
  for (std::uint64_t number = 1; number <= kWrites; ++number) {
    const std::size_t i = random() % kKeys;
    const std::string stored = name(i);
    const auto facts = cache.facts(HotCache::key_of(stored));
    if (facts && facts->version != engine[i].load()) ++wrong;
    cache.begin_write(HotCache::key_of(stored));
    engine[i].store(number);
    cache.end_write(HotCache::key_of(stored), record_of(i, number));
    acknowledged[i].store(number);
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(stale.load(), 0);
  EXPECT_EQ(wrong, 0) << "what the writer is told";
  EXPECT_GT(cache.counts().hits, 0u);
}

}  // namespace
}  // namespace edged::storage
