// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/guarded_time.h"

#include <gtest/gtest.h>

#include "tests/support/manual_clock.h"

namespace edged {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

TEST(GuardedTimeTest, FollowsTheWallClockAndSmallSteps) {
  test::ManualClock clock;
  const GuardedTime time(clock);
  clock.advance(hours(30));
  EXPECT_EQ(time.wall_now(), clock.wall_now());
  for (int i = 0; i < 10; ++i) {
    clock.step_wall(seconds(i % 2 == 0 ? 60 : -60));
    EXPECT_EQ(time.wall_now(), clock.wall_now());
    EXPECT_FALSE(time.pending());
  }
}

TEST(GuardedTimeTest, HoldsAgainstALargeStepUntilTheStoreFollowsIt) {
  for (const auto step :
       {seconds(61), seconds(-61), seconds(hours(24 * 365)), -seconds(hours(24))}) {
    test::ManualClock clock;
    GuardedTime time(clock);
    const WallTime before = time.wall_now();
    clock.step_wall(step);
    EXPECT_TRUE(time.pending());
    EXPECT_EQ(time.wall_now(), before);
    clock.advance(hours(1));
    EXPECT_EQ(time.wall_now(), before + hours(1));
    time.set(clock.wall_now() - step);  // the store does not follow it yet
    EXPECT_EQ(time.wall_now(), before + hours(1));
    time.set(clock.wall_now());
    EXPECT_FALSE(time.pending());
    EXPECT_EQ(time.wall_now(), clock.wall_now());
  }
}

TEST(GuardedTimeTest, AStepThatIsTakenBackWasNone) {
  test::ManualClock clock;
  const GuardedTime time(clock);
  clock.step_wall(hours(5));
  EXPECT_TRUE(time.pending());
  clock.step_wall(-hours(5));
  EXPECT_FALSE(time.pending());
  EXPECT_EQ(time.wall_now(), clock.wall_now());
}

}  // namespace
}  // namespace edged
