// SPDX-License-Identifier: Apache-2.0
// The latch: which steps of the wall clock node time follows, when, and what is kept across
// restarts.
#include "kvstore/storage/engine/store_clock.h"

#include <gtest/gtest.h>

#include <memory>

#include "tests/support/manual_clock.h"

namespace edged::storage {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

class StoreClockTest : public ::testing::Test {
 protected:
  void start(const std::optional<ClockMark>& mark = std::nullopt, std::string boot = "boot-1") {
    clock_ = std::make_unique<StoreClock>(
        system_, [this](WallTime) { return synchronised_; }, std::move(boot), mark);
  }
  // Time passes; tick() comes every second, as in the store.
  void pass(seconds duration) {
    for (seconds i{0}; i < duration; ++i) {
      const WallTime before = clock_->now();
      system_.advance(seconds(1));
      clock_->tick();
      ASSERT_GE(clock_->now(), before);
    }
  }
  milliseconds behind_wall() const { return system_.wall_now() - clock_->now(); }

  // Up to the rounding of two clocks.
  bool caught_up() const {
    return behind_wall() >= -milliseconds(3) && behind_wall() <= milliseconds(3);
  }

  test::ManualClock system_;
  bool synchronised_ = false;
  std::unique_ptr<StoreClock> clock_;
};

TEST_F(StoreClockTest, AdvancesWithBootTime) {
  start();
  const WallTime first = clock_->now();
  EXPECT_EQ(first, system_.wall_now());
  system_.advance(milliseconds(1234));
  EXPECT_EQ(clock_->now(), first + milliseconds(1234));
}

TEST_F(StoreClockTest, FollowsASmallForwardDifferenceAtOnce) {
  start();
  system_.step_wall(seconds(60));
  pass(seconds(1));
  EXPECT_TRUE(caught_up()) << behind_wall().count();
}

TEST_F(StoreClockTest, SlowsDownForASmallBackwardDifference) {
  start();
  system_.step_wall(-seconds(5));
  pass(seconds(20));  // pass() checks that time never goes back
  EXPECT_LT(behind_wall(), milliseconds(0));
  pass(seconds(40));
  EXPECT_TRUE(caught_up()) << behind_wall().count();
}

TEST_F(StoreClockTest, DoesNotFollowAForwardStepUntilItWasStableForTenMinutes) {
  start();
  system_.step_wall(hours(24));
  pass(minutes(10));
  EXPECT_EQ(behind_wall(), hours(24));
  EXPECT_EQ(clock_->pending_step(), hours(24));
  pass(seconds(1));
  EXPECT_TRUE(caught_up()) << behind_wall().count();
  EXPECT_EQ(clock_->pending_step(), milliseconds(0));
}

TEST_F(StoreClockTest, AnotherStepStartsTheWaitAgain) {
  start();
  system_.step_wall(hours(24));
  pass(minutes(9));
  system_.step_wall(hours(1));
  pass(minutes(9));
  EXPECT_EQ(behind_wall(), hours(25));
}

TEST_F(StoreClockTest, AStepThatIsTakenBackLeavesNoTrace) {
  start();
  const WallTime before = clock_->now();
  system_.step_wall(hours(24));
  pass(minutes(5));
  system_.step_wall(-hours(24));
  pass(minutes(1));
  EXPECT_EQ(clock_->now(), before + minutes(6));
  EXPECT_EQ(clock_->pending_step(), milliseconds(0));
}

TEST_F(StoreClockTest, FollowsAForwardStepAtOnceIfSynchronised) {
  start();
  synchronised_ = true;
  system_.step_wall(hours(24));
  pass(seconds(1));
  EXPECT_TRUE(caught_up()) << behind_wall().count();
}

TEST_F(StoreClockTest, NeverFollowsABackwardStepOnceItsTimeWasConfirmed) {
  start();
  synchronised_ = true;
  pass(seconds(1));
  ASSERT_TRUE(clock_->confirmed());
  system_.step_wall(-hours(24));
  pass(minutes(30));
  EXPECT_EQ(behind_wall(), -hours(24));
  clock_->confirm();  // the operator
  EXPECT_TRUE(caught_up()) << behind_wall().count();
}

TEST_F(StoreClockTest, CorrectsAWrongStartOnlyBySynchronisation) {
  start();
  system_.step_wall(-hours(24));
  pass(minutes(30));
  EXPECT_EQ(behind_wall(), -hours(24)) << "stability proves nothing backwards";
  synchronised_ = true;
  system_.advance(seconds(1));
  clock_->tick();
  EXPECT_TRUE(caught_up()) << behind_wall().count();
}

TEST_F(StoreClockTest, UnconfirmedTimeIsNotInTheMark) {
  start();
  const WallTime before = clock_->now();
  system_.step_wall(hours(24 * 365));
  pass(seconds(10));
  EXPECT_EQ(clock_->mark().node_time, before + seconds(10));
}

TEST_F(StoreClockTest, ARestartNeverGoesBack) {
  start();
  pass(seconds(10));
  const ClockMark mark = clock_->mark();
  system_.step_wall(-hours(24));
  for (const char* boot : {"boot-1", "boot-2"}) {
    start(mark, boot);
    EXPECT_EQ(clock_->now(), mark.node_time) << boot;
    pass(minutes(20));
    EXPECT_EQ(clock_->now(), mark.node_time + minutes(20)) << boot;
    system_.advance(-minutes(20));
  }
}

TEST_F(StoreClockTest, AStepDuringARestartIsNoticedOnTheSameBoot) {
  start();
  const ClockMark mark = clock_->mark();
  system_.advance(minutes(3));
  system_.step_wall(hours(24));
  start(mark);
  EXPECT_EQ(clock_->now(), mark.node_time + minutes(3));
  pass(minutes(11));
  EXPECT_TRUE(caught_up()) << behind_wall().count();
}

TEST_F(StoreClockTest, RaisesToAFloorAndNeverLowers) {
  start();
  const WallTime before = clock_->now();
  clock_->raise(before - hours(1));
  EXPECT_EQ(clock_->now(), before);
  clock_->raise(before + hours(1));
  EXPECT_EQ(clock_->now(), before + hours(1));
}

TEST_F(StoreClockTest, AfterARebootTheWallClockTellsHowLongItTook) {
  start();
  const ClockMark mark = clock_->mark();
  system_.advance(hours(8));
  start(mark, "boot-2");
  EXPECT_TRUE(caught_up()) << behind_wall().count();
}

}  // namespace
}  // namespace edged::storage
