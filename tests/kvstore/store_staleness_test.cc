// SPDX-License-Identifier: Apache-2.0
// Owned keys are answered only while they are fresh, whichever way they are read.
#include <gtest/gtest.h>

#include <atomic>
#include <charconv>
#include <thread>

#include "tests/kvstore/mirror_fixture.h"

namespace edged::storage {
namespace {

using std::chrono::milliseconds;
using test::kRulesKey;

class StoreStalenessTest : public MirrorFixture {
 protected:
  // Every way to read the key, which must agree; a miss under a lease is told as not_found.
  Code read_code(std::string_view key) {
    const Code code = get_code(key);
    EXPECT_EQ(store_->get(ns_, key, ReadTier::kMemory).code(), code);
    EXPECT_EQ(store_->get_many(ns_, {key}, ReadTier::kDisk)[0].code(), code);
    EXPECT_EQ(store_->open_value(ns_, key).code(), code);
    EXPECT_EQ(store_->get_or_lease(ns_, key, milliseconds(1000), ReadTier::kDisk).code(), code);
    return code;
  }
};

TEST_F(StoreStalenessTest, RulesMustBeLoadedAndTheTimeKnown) {
  ASSERT_EQ(declare({{"m:", 5000, false}}), Code::kOk);
  EXPECT_EQ(read_code("m:1"), Code::kStale);
  ASSERT_EQ(declare({{"m:", 5000, true}}), Code::kOk);
  EXPECT_EQ(read_code("m:1"), Code::kStale);
  ASSERT_EQ(mirror_write({put_of("m:1", "one")}).front().code, Code::kOk);
  EXPECT_EQ(read_code("m:1"), Code::kStale) << "no time was given";
  ASSERT_EQ(mirror_write({put_of("m:1", "one")}, "p", milliseconds(0)).front().code, Code::kOk);
  EXPECT_EQ(read_code("m:1"), Code::kOk);
  EXPECT_EQ(read_code("m:absent"), Code::kNotFound);
  EXPECT_EQ(store_->stats().leases, 0u) << "a mirrored key is not for others to fill";
  ASSERT_EQ(declare({{"m:", 5000, false}}), Code::kOk);
  EXPECT_EQ(read_code("m:1"), Code::kStale);
  EXPECT_EQ(mirror_get("m:1"), "one");
}

TEST_F(StoreStalenessTest, AMirrorThatFallsBehindIsStaleForAbsentKeysToo) {
  mirror();
  clock_.advance(milliseconds(5000));
  EXPECT_EQ(read_code("m:1"), Code::kOk);
  EXPECT_EQ(read_code("m:absent"), Code::kNotFound);
  clock_.advance(milliseconds(1));
  EXPECT_EQ(read_code("m:1"), Code::kStale) << "it is in the hot cache";
  EXPECT_EQ(read_code("m:absent"), Code::kStale) << "likewise";
  const auto why = store_->get(ns_, "m:1", ReadTier::kDisk);
  EXPECT_EQ(why.error().message(),
            "stale: the mirror of \"m:...\" is 5001 ms behind, its rule allows 5000");
  EXPECT_EQ(mirror_get("m:1"), "one");
  EXPECT_EQ(store_->mirror_of(ns_, "m:1")->age, milliseconds(5001));
  ASSERT_EQ(mirror_write({put_of("m:2", "two")}, "p2", milliseconds(3000)).front().code, Code::kOk);
  EXPECT_EQ(read_code("m:1"), Code::kOk);
  EXPECT_EQ(store_->mirror_of(ns_, "m:1")->age, milliseconds(3000));
}

TEST_F(StoreStalenessTest, WithoutABoundNothingGrowsTooOld) {
  ASSERT_EQ(declare({{"m:", 0, true}}), Code::kOk);
  ASSERT_EQ(mirror_write({put_of("m:1", "one")}, "p", milliseconds(0)).front().code, Code::kOk);
  clock_.advance(std::chrono::hours(24 * 365));
  EXPECT_EQ(read_code("m:1"), Code::kOk);
  EXPECT_EQ(store_->mirror_of(ns_, "m:1")->age, std::chrono::hours(24 * 365));
  EXPECT_FALSE(store_->mirror_of(ns_, "n:1"));
}

TEST_F(StoreStalenessTest, LargeValuesAreNoWayAround) {
  mirror();
  ASSERT_EQ(mirror_put("m:large", std::string(300'000, 'x')), Code::kOk);
  EXPECT_EQ(read_code("m:large"), Code::kOk);
  clock_.advance(milliseconds(5001));
  EXPECT_EQ(read_code("m:large"), Code::kStale);
}

TEST_F(StoreStalenessTest, AListThatMeetsStaleKeysIsStale) {
  ASSERT_EQ(declare({{"m:", 5000, true}, {"m:sub:", 0, true}, {"z:", 0, false}}), Code::kOk);
  ASSERT_EQ(mirror_write({put_of("m:1", "one"), put_of("m:sub:1", "sub")}, "p", milliseconds(0))
                .front()
                .code,
            Code::kOk);
  put("a", "v");
  EXPECT_EQ(keys_of("m:", Reader::kAnyone), "m:1 m:sub:1 ");
  EXPECT_EQ(keys_of("a", Reader::kAnyone), "a ");
  EXPECT_EQ(keys_of("z:none", Reader::kAnyone), "stale") << "lies within";
  EXPECT_EQ(keys_of("z", Reader::kAnyone), "stale") << "covers";
  EXPECT_EQ(keys_of("", Reader::kAnyone), "stale");
  clock_.advance(milliseconds(5001));
  EXPECT_EQ(keys_of("m", Reader::kAnyone), "stale");
  EXPECT_EQ(keys_of("m:", Reader::kAnyone), "stale");
  EXPECT_EQ(keys_of("m:sub:", Reader::kAnyone), "m:sub:1 ") << "its own rule has no bound";
  EXPECT_EQ(keys_of("m:", Reader::kMirror), "m:1 m:sub:1 ");
  EXPECT_EQ(keys_of("a", Reader::kAnyone), "a ");
}

TEST_F(StoreStalenessTest, OtherKeysAreNotConcerned) {
  put("a", "v");
  mirror();
  clock_.advance(std::chrono::hours(1));
  EXPECT_EQ(get_code("a"), Code::kOk);
  EXPECT_EQ(get_code("none"), Code::kNotFound);
  const auto mixed = store_->get_many(ns_, {"a", "m:1", "none"}, ReadTier::kDisk);
  EXPECT_EQ(mixed[0].code(), Code::kOk);
  EXPECT_EQ(mixed[1].code(), Code::kStale);
  EXPECT_EQ(mixed[2].code(), Code::kNotFound);
  const auto leased = store_->get_or_lease(ns_, "none", milliseconds(1000), ReadTier::kDisk);
  ASSERT_TRUE(leased);
  EXPECT_NE(leased->lease, 0u);
}

TEST_F(StoreStalenessTest, StatesChangeWithTheRulesAndWithNothingElse) {
  mirror();
  const auto before = store_->mirror_of(ns_, "m:1")->state;
  ASSERT_EQ(mirror_write({put_of("m:1", "two")}, "p2", milliseconds(0)).front().code, Code::kOk);
  ASSERT_EQ(declare({{"m:", 5000, true}}), Code::kOk);
  EXPECT_EQ(store_->mirror_of(ns_, "m:1")->state, before);
  ASSERT_EQ(declare({{"m:", 4000, true}}), Code::kOk);
  EXPECT_NE(store_->mirror_of(ns_, "m:1")->state, before);
  const auto after = store_->mirror_of(ns_, "m:1")->state;
  ASSERT_EQ(mirror_write({put_of("m:1", "old")}, "p1", milliseconds(1000)).front().code, Code::kOk);
  EXPECT_NE(store_->mirror_of(ns_, "m:1")->state, after) << "it went back";
  EXPECT_EQ(store_->mirror_of(ns_, "m:1")->age, milliseconds(1000));
}

// The value is the number of the write, and so are position and time: what a reader gets is never
// older than what was claimed before it read. The readers hold no lock against the writer.
TEST_F(StoreStalenessTest, NoReaderGetsWhatIsOlderThanWasClaimed) {
  constexpr std::int64_t kWrites = 3000;
  const std::int64_t base = to_unix_ms(clock_.wall_now());
  ASSERT_EQ(declare({{"m:", 0, true}}), Code::kOk);
  std::atomic<bool> done{false};
  std::atomic<std::int64_t> reads{0};
  std::vector<std::thread> readers;
  for (int reader = 0; reader < 3; ++reader) {
    readers.emplace_back([&, reader] {
      Entry entry;
      while (!done.load()) {
        const auto claim = store_->mirror_of(ns_, "m:1");
        if (!claim || !claim->fresh_as_of) continue;
        Status read;
        if (reader == 0) {
          auto many = store_->get_many(ns_, {"m:1"}, ReadTier::kDisk);
          read = many[0] ? Status() : many[0].error();
          if (many[0]) entry = *many[0];
        } else {
          read = store_->get_into(ns_, "m:1", ReadTier::kDisk, entry);
        }
        if (!read.ok()) {
          EXPECT_TRUE(read.ok()) << read.to_string();
          return;
        }
        std::int64_t value = -1;
        std::from_chars(entry.value.data(), entry.value.data() + entry.value.size(), value);
        if (value < to_unix_ms(*claim->fresh_as_of) - base || value < std::stoll(claim->position)) {
          ADD_FAILURE() << value << " is older than " << claim->position;
          return;
        }
        reads.fetch_add(1);
      }
    });
  }
  for (std::int64_t i = 1; i <= kWrites; ++i) {
    Write write;
    write.operations = {put_of("m:1", std::to_string(i))};
    write.atomic = true;
    std::string position = std::to_string(i);
    position.insert(0, 8 - position.size(), '0');
    write.mirror = MirrorMark{ns_, position, from_unix_ms(base + i)};
    const auto written = write_and_wait(*store_, std::move(write));
    ASSERT_TRUE(written && written->front().code == Code::kOk);
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_GT(reads.load(), 100);
}

// Rules that are withdrawn in the same step in which the keys go: nobody may take the absence for
// the source's.
TEST_F(StoreStalenessTest, WhatIsUnloadedIsNeverReadAsAbsent) {
  std::atomic<bool> done{false};
  mirror();
  std::thread reader([&] {
    while (!done.load()) {
      const Code code = get_code("m:1");
      if (code == Code::kNotFound) {
        ADD_FAILURE() << "the key is always there while its rule is loaded";
        return;
      }
    }
  });
  for (int i = 0; i < 500; ++i) {
    ASSERT_EQ(mirror_write(
                  {put_of(kRulesKey, test::rules_value({{"m:", 5000, false}})), delete_of("m:1")})
                  .front()
                  .code,
              Code::kOk);
    ASSERT_EQ(mirror_write({put_of("m:1", "again"),
                            put_of(kRulesKey, test::rules_value({{"m:", 5000, true}}))})
                  .front()
                  .code,
              Code::kOk);
  }
  done = true;
  reader.join();
}

}  // namespace
}  // namespace edged::storage
