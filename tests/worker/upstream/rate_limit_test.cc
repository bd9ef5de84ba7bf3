// SPDX-License-Identifier: Apache-2.0
// The adaptive window: when it halves, when it grows, and how long Retry-After holds.
#include "worker/upstream/rate_limit.h"

#include <gtest/gtest.h>

#include "tests/support/manual_clock.h"

namespace edged::upstream {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class RateWindowTest : public ::testing::Test {
 protected:
  void succeed(RateWindow& window, int count) {
    for (int i = 0; i < count; ++i) window.succeeded(window.admit());
  }
  void push_back(RateWindow& window) { window.pushed_back(window.admit(), std::nullopt); }

  test::ManualClock clock_;
};

TEST_F(RateWindowTest, StartsAtTheCeilingAndNeverExceedsIt) {
  RateWindow window(10, clock_);
  EXPECT_EQ(window.limit(), 10);
  succeed(window, 1000);
  EXPECT_EQ(window.limit(), 10);
}

TEST_F(RateWindowTest, HalvesDownToOne) {
  RateWindow window(10, clock_);
  for (const int expected : {5, 2, 1, 1}) {
    push_back(window);
    EXPECT_EQ(window.limit(), expected);
  }
}

TEST_F(RateWindowTest, OneBurstHalvesOnce) {
  RateWindow window(10, clock_);
  const RateWindow::Ticket burst = window.admit();
  for (int i = 0; i < 10; ++i) window.pushed_back(burst, std::nullopt);
  EXPECT_EQ(window.limit(), 5);
}

TEST_F(RateWindowTest, AWideWindowPutsUpWithSingleFailures) {
  RateWindow window(2000, clock_);
  for (int i = 0; i < 39; ++i) push_back(window);
  EXPECT_EQ(window.limit(), 2000);
  succeed(window, 2000);
  for (int i = 0; i < 39; ++i) push_back(window);
  EXPECT_EQ(window.limit(), 2000) << "another round";
  push_back(window);
  EXPECT_EQ(window.limit(), 1000);
}

TEST_F(RateWindowTest, ABurstOfMoreThanHalfLeavesWhatWasNotRefused) {
  RateWindow window(2000, clock_);
  const RateWindow::Ticket burst = window.admit();
  const auto refuse = [&](int count) {
    for (int i = 0; i < count; ++i) window.pushed_back(burst, std::nullopt);
  };
  refuse(1000);
  EXPECT_EQ(window.limit(), 1000);
  refuse(950);
  EXPECT_EQ(window.limit(), 50);
  refuse(50);
  EXPECT_EQ(window.limit(), 8) << "from there on it is halved";
  push_back(window);
  EXPECT_EQ(window.limit(), 4);
  refuse(1);
  EXPECT_EQ(window.limit(), 4) << "long ago";
}

TEST_F(RateWindowTest, GoesHalfOfTheWayBackPerRoundOfSuccesses) {
  RateWindow window(10, clock_);
  succeed(window, 10);
  push_back(window);
  succeed(window, 4);
  EXPECT_EQ(window.limit(), 5);
  succeed(window, 1);
  EXPECT_EQ(window.limit(), 8);
  succeed(window, 8);
  EXPECT_EQ(window.limit(), 9);
  succeed(window, 9);
  EXPECT_EQ(window.limit(), 10);
}

TEST_F(RateWindowTest, AtMostDoublesOnTheWayBack) {
  RateWindow window(100, clock_);
  const RateWindow::Ticket burst = window.admit();
  for (int i = 0; i < 90; ++i) window.pushed_back(burst, std::nullopt);
  EXPECT_EQ(window.limit(), 10);
  succeed(window, 10);
  EXPECT_EQ(window.limit(), 20);
  succeed(window, 20);
  EXPECT_EQ(window.limit(), 40);
}

TEST_F(RateWindowTest, ProbesBeyondWhatLastedWithGrowingSteps) {
  RateWindow window(200, clock_);
  succeed(window, 200);
  const auto fail = [&] {
    for (const int before = window.limit(); window.limit() == before;) push_back(window);
  };
  fail();
  fail();
  EXPECT_EQ(window.limit(), 50) << "100 did not last: 99 is the most that may";
  for (const int expected : {75, 87, 93, 96, 99, 100, 102, 106, 114, 126, 138}) {
    succeed(window, window.limit());
    EXPECT_EQ(window.limit(), expected) << "at the end a sixteenth of the ceiling";
  }
}

TEST_F(RateWindowTest, SuccessesFromBeforeTheHalvingDoNotGrowIt) {
  RateWindow window(2, clock_);
  const RateWindow::Ticket before = window.admit();
  push_back(window);
  window.succeeded(before);
  EXPECT_EQ(window.limit(), 1);
}

TEST_F(RateWindowTest, CeilingBelowOneIsOne) {
  EXPECT_EQ(RateWindow(0, clock_).limit(), 1);
  EXPECT_EQ(RateWindow(-5, clock_).limit(), 1);
}

TEST_F(RateWindowTest, RetryAfterPausesAndTheLongestWins) {
  RateWindow window(10, clock_);
  EXPECT_EQ(window.pause(), milliseconds(0));
  window.pushed_back(window.admit(), seconds(5));
  window.pushed_back(window.admit(), seconds(2));
  EXPECT_EQ(window.pause(), seconds(5));
  clock_.advance(milliseconds(4'999));
  EXPECT_EQ(window.pause(), milliseconds(1));
  clock_.advance(seconds(10));
  EXPECT_EQ(window.pause(), milliseconds(0));
}

TEST_F(RateWindowTest, AbsurdRetryAfterIsBounded) {
  RateWindow window(10, clock_);
  window.pushed_back(window.admit(), milliseconds::max());
  EXPECT_EQ(window.pause(), RateWindow::kPauseMax);
  RateWindow other(10, clock_);
  other.pushed_back(other.admit(), milliseconds(-5));
  EXPECT_EQ(other.pause(), milliseconds(0));
}

}  // namespace
}  // namespace edged::upstream
