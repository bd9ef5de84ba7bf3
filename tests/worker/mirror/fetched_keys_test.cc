// SPDX-License-Identifier: Apache-2.0
#include "worker/mirror/fetched_keys.h"

#include <gtest/gtest.h>

namespace edged::mirror {
namespace {

std::shared_ptr<const TransactionSnapshot> snapshot(std::string_view text) {
  return std::make_shared<const TransactionSnapshot>(*TransactionSnapshot::parse(text));
}

TEST(TransactionSnapshotTest, TellsWhichTransactionsItIncludes) {
  const auto some = snapshot("10:20:12,15");
  for (const std::uint32_t xid : {3U, 9U, 10U, 11U, 13U, 19U}) {
    EXPECT_TRUE(some->includes(xid)) << xid;
  }
  for (const std::uint32_t xid : {12U, 15U, 20U, 21U}) EXPECT_FALSE(some->includes(xid)) << xid;
  EXPECT_TRUE(snapshot("10:10:")->includes(9));
  EXPECT_FALSE(snapshot("10:10:")->includes(10));
}

TEST(TransactionSnapshotTest, TransactionNumbersWrapRound) {
  // 2^32 + 5 is the next transaction.
  const auto wrapped = snapshot("4294967290:4294967301:4294967295,4294967299");
  EXPECT_TRUE(wrapped->includes(4294967289U));
  EXPECT_TRUE(wrapped->includes(4294967294U));
  EXPECT_FALSE(wrapped->includes(4294967295U));
  EXPECT_FALSE(wrapped->includes(3));
  EXPECT_TRUE(wrapped->includes(4));
  EXPECT_FALSE(wrapped->includes(5));
}

TEST(TransactionSnapshotTest, RefusesOtherTexts) {
  for (const char* bad : {"", "1", "1:2", "1:2:x", "1:2:3,,4", "a:2:", "1:2:3;4"}) {
    EXPECT_EQ(TransactionSnapshot::parse(bad).code(), Code::kCorruption) << bad;
  }
}

TEST(FetchedKeysTest, KeysAreForgottenOnceTheStreamHasPassedThem) {
  FetchedKeys keys;
  keys.add(0, "a", snapshot("10:10:"), 100);
  keys.add(0, "b", snapshot("10:10:"), 100);
  keys.add(0, "a", snapshot("20:20:"), 200);
  EXPECT_TRUE(keys.includes("a", 15));
  EXPECT_FALSE(keys.includes("b", 15));
  EXPECT_FALSE(keys.includes("c", 5));
  keys.forget_before(101);
  EXPECT_FALSE(keys.includes("b", 5));
  EXPECT_TRUE(keys.includes("a", 15)) << "it was read once more";
  keys.forget("a");
  EXPECT_FALSE(keys.includes("a", 15));
  EXPECT_EQ(keys.size(), 0U);
  EXPECT_TRUE(keys.unknown_until().empty());
}

TEST(FetchedKeysTest, WhatIsTooMuchIsKnownOnlyOfTheRule) {
  FetchedKeys keys;
  const auto some = snapshot("10:10:");
  for (std::size_t i = 0; i < FetchedKeys::kKeysMax; ++i)
    keys.add(3, std::to_string(i), some, 100 + i);
  EXPECT_TRUE(keys.unknown_until().empty());
  keys.add(4, "more", some, 1'000'000);
  EXPECT_EQ(keys.size(), FetchedKeys::kKeysMax);
  EXPECT_FALSE(keys.includes("0", 5));
  EXPECT_EQ(keys.unknown_until(), (std::map<std::size_t, Lsn>{{3, 100}}));
}

}  // namespace
}  // namespace edged::mirror
