// SPDX-License-Identifier: Apache-2.0
// Answers that the oracle of the mirror's soak must refuse, and some that it must not.
#include "tests/soak/mirror_oracle.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

namespace edged::soak {
namespace {

using Verdict = Oracle::Verdict;

class MirrorOracleTest : public testing::Test {
 protected:
  static RowState state(std::uint64_t version, bool present = true) {
    RowState state;
    state.version = version;
    state.present = present;
    return state;
  }

  // A transaction of one key, and a time behind its acknowledgement.
  std::int64_t write(std::uint64_t version, bool present = true) {
    const Changes changes{{"k", state(version, present)}};
    oracle_.begin(changes);
    oracle_.commit(changes);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    return wall_ms();
  }

  Verdict read(std::uint64_t version, std::optional<std::int64_t> fresh_ms) {
    return read(oracle_.ticket("k"), version, fresh_ms);
  }
  Verdict read(const Oracle::Ticket& ticket,
               std::uint64_t version,
               std::optional<std::int64_t> fresh_ms) {
    Answer answer;
    answer.present = version != 0;
    answer.version = version;
    answer.value = "{\"version\":0}";
    answer.fresh_ms = fresh_ms;
    answer.asked_ms = answer.answered_ms = wall_ms();
    return oracle_.judge("k", ticket, answer).verdict;
  }

  Oracle oracle_;
};

TEST_F(MirrorOracleTest, AnAnswerIsNotOlderThanItClaims) {
  const std::int64_t begin = wall_ms();
  const std::int64_t first = write(10), second = write(20);
  EXPECT_EQ(read(0, begin), Verdict::kGood);
  EXPECT_EQ(read(0, first), Verdict::kBroken);
  EXPECT_EQ(read(10, first), Verdict::kGood);
  EXPECT_EQ(read(10, second), Verdict::kBroken);
  EXPECT_EQ(read(20, first), Verdict::kGood) << "newer than it claims";
  EXPECT_EQ(read(11, first), Verdict::kBroken) << "nobody committed that";
  EXPECT_EQ(read(20, std::nullopt), Verdict::kBroken) << "an entry without a time";
}

TEST_F(MirrorOracleTest, AnAbsentKeyIsJudgedToo) {
  write(10);
  const std::int64_t gone = write(20, false);
  const std::int64_t back = write(30);
  EXPECT_EQ(read(10, gone), Verdict::kBroken);
  EXPECT_EQ(read(0, gone), Verdict::kGood);
  EXPECT_EQ(read(0, back), Verdict::kBroken);
}

TEST_F(MirrorOracleTest, NoVersionIsBehindTheOneReadBefore) {
  const std::int64_t begin = wall_ms();
  write(10);
  write(20);
  const Oracle::Ticket early = oracle_.ticket("k");
  EXPECT_EQ(read(20, begin), Verdict::kGood);
  EXPECT_EQ(read(10, begin), Verdict::kBroken);
  EXPECT_EQ(read(0, begin), Verdict::kBroken);
  EXPECT_EQ(read(early, 10, begin), Verdict::kGood) << "it was asked before the other was answered";
}

TEST_F(MirrorOracleTest, WhoAsksByPositionGetsTheOwnChange) {
  const std::int64_t begin = wall_ms();
  write(10);
  write(20);
  EXPECT_EQ(read(*oracle_.ticket_behind("k", 20), 10, begin), Verdict::kBroken);
  EXPECT_EQ(read(*oracle_.ticket_behind("k", 20), 20, begin), Verdict::kGood);
  EXPECT_FALSE(oracle_.ticket_behind("k", 30));
}

TEST_F(MirrorOracleTest, WhatIsRolledBackMustNotHaveBeenRead) {
  const Changes changes{{"k", state(10)}};
  oracle_.begin(changes);
  EXPECT_EQ(oracle_.abort(changes), "");
  EXPECT_EQ(read(10, wall_ms()), Verdict::kBroken);
  oracle_.begin(changes);
  EXPECT_EQ(read(0, wall_ms()), Verdict::kGood) << "it may come or not";
  EXPECT_EQ(read(10, wall_ms()), Verdict::kGood);
  EXPECT_NE(oracle_.abort(changes), "");
}

TEST_F(MirrorOracleTest, LargeValuesAndExpiriesAreThoseOfTheVersion) {
  RowState row = state(10);
  row.expires_ms = 1;
  const Changes changes{{"k", row}};
  oracle_.begin(changes);
  oracle_.commit(changes);
  EXPECT_EQ(read(10, 1), Verdict::kBroken) << "it has expired";
  EXPECT_EQ(read(0, wall_ms()), Verdict::kGood);
  row = state(20);
  row.body = 10;
  const Changes more{{"k", row}};
  oracle_.begin(more);
  oracle_.commit(more);
  EXPECT_EQ(read(20, 1), Verdict::kBroken) << "without its large value";
}

TEST_F(MirrorOracleTest, HalfATransactionIsSeenOnlyBeyondFreshAsOf) {
  const std::int64_t first = write(10), second = write(20);
  Answer answer;
  answer.unsettled = true;
  answer.fresh_ms = first;
  answer.asked_ms = answer.answered_ms = wall_ms();
  EXPECT_EQ(oracle_.judge("k", oracle_.ticket("k"), answer).verdict, Verdict::kGood);
  answer.fresh_ms = second;
  EXPECT_EQ(oracle_.judge("k", oracle_.ticket("k"), answer).verdict, Verdict::kBroken);
}

TEST_F(MirrorOracleTest, ARestoredBackupBeginsAnew) {
  write(10);
  const std::int64_t second = write(20);
  EXPECT_EQ(read(20, second), Verdict::kGood);
  oracle_.reset({{"k", state(10)}});
  EXPECT_EQ(read(20, second), Verdict::kUnjudged);
  EXPECT_EQ(read(0, std::nullopt), Verdict::kUnjudged) << "the copy is not known to be new";
  std::this_thread::sleep_for(std::chrono::milliseconds(2));
  EXPECT_EQ(read(20, wall_ms()), Verdict::kBroken);
  EXPECT_EQ(read(10, wall_ms()), Verdict::kGood);
}

TEST_F(MirrorOracleTest, AnAddedColumnIsThere) {
  write(10);
  oracle_.require_column("k", "more");
  EXPECT_EQ(read(10, 1), Verdict::kGood);
  std::this_thread::sleep_for(std::chrono::milliseconds(2));
  EXPECT_EQ(read(10, wall_ms()), Verdict::kBroken);
  oracle_.require_column("k", "");
  EXPECT_EQ(read(10, wall_ms()), Verdict::kGood);
}

}  // namespace
}  // namespace edged::soak
