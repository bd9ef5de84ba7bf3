// SPDX-License-Identifier: Apache-2.0
// The breaker's promises, step by step on a clock the test moves.
#include "worker/upstream/circuit_breaker.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/support/manual_clock.h"

namespace edged::upstream {
namespace {

using State = CircuitBreaker::State;
using Verdict = CircuitBreaker::Verdict;
using std::chrono::seconds;

class CircuitBreakerTest : public ::testing::Test {
 protected:
  void one(Verdict verdict) {
    ASSERT_TRUE(breaker_.may_admit());
    breaker_.report(breaker_.admit(), verdict);
  }
  void many(int count, Verdict verdict) {
    for (int i = 0; i < count; ++i) one(verdict);
  }
  void open() {
    many(10, Verdict::kFailure);
    ASSERT_EQ(breaker_.state(), State::kOpen);
  }

  test::ManualClock clock_;
  CircuitBreaker breaker_{CircuitBreaker::Options{}, clock_};
};

TEST_F(CircuitBreakerTest, OpensAtTheTenthFailureInARow) {
  many(9, Verdict::kFailure);
  EXPECT_EQ(breaker_.state(), State::kClosed);
  one(Verdict::kFailure);
  EXPECT_EQ(breaker_.state(), State::kOpen);
  EXPECT_FALSE(breaker_.may_admit());
}

TEST_F(CircuitBreakerTest, SuccessBreaksTheRow) {
  many(9, Verdict::kFailure);
  one(Verdict::kSuccess);
  many(9, Verdict::kFailure);
  EXPECT_EQ(breaker_.state(), State::kClosed);
}

TEST_F(CircuitBreakerTest, NeutralNeitherCountsNorBreaksTheRow) {
  many(9, Verdict::kFailure);
  many(100, Verdict::kNeutral);
  EXPECT_EQ(breaker_.state(), State::kClosed);
  one(Verdict::kFailure);
  EXPECT_EQ(breaker_.state(), State::kOpen);
}

TEST_F(CircuitBreakerTest, StaysOpenForItsTime) {
  open();
  clock_.advance(seconds(120) - std::chrono::milliseconds(1));
  EXPECT_FALSE(breaker_.may_admit());
  clock_.advance(std::chrono::milliseconds(1));
  EXPECT_TRUE(breaker_.may_admit());
  EXPECT_EQ(breaker_.state(), State::kHalfOpen);
}

TEST_F(CircuitBreakerTest, WallClockStepsDoNotMatter) {
  open();
  clock_.step_wall(seconds(3600));
  EXPECT_FALSE(breaker_.may_admit());
  clock_.step_wall(seconds(-7200));
  clock_.advance(seconds(120));
  EXPECT_TRUE(breaker_.may_admit());
}

TEST_F(CircuitBreakerTest, HalfOpenAdmitsOnlyTheTrialsItNeeds) {
  open();
  clock_.advance(seconds(120));
  std::vector<CircuitBreaker::Ticket> trials;
  while (breaker_.may_admit()) {
    trials.push_back(breaker_.admit());
    ASSERT_LE(trials.size(), 3u);
  }
  ASSERT_EQ(trials.size(), 3u);
  breaker_.report(trials[0], Verdict::kSuccess);
  EXPECT_FALSE(breaker_.may_admit()) << "one success and two trials under way are enough";
  breaker_.report(trials[1], Verdict::kNeutral);
  EXPECT_TRUE(breaker_.may_admit()) << "a trial that says nothing must be replaced";
  breaker_.report(trials[2], Verdict::kSuccess);
  one(Verdict::kSuccess);
  EXPECT_EQ(breaker_.state(), State::kClosed);
}

TEST_F(CircuitBreakerTest, FailedTrialOpensAgainForTheWholeTime) {
  open();
  clock_.advance(seconds(120));
  many(2, Verdict::kSuccess);
  one(Verdict::kFailure);
  EXPECT_EQ(breaker_.state(), State::kOpen);
  clock_.advance(seconds(119));
  EXPECT_FALSE(breaker_.may_admit());
  clock_.advance(seconds(1));
  many(2, Verdict::kSuccess);
  EXPECT_EQ(breaker_.state(), State::kHalfOpen) << "successes before the failure do not count";
  one(Verdict::kSuccess);
  EXPECT_EQ(breaker_.state(), State::kClosed);
}

TEST_F(CircuitBreakerTest, LateResultsOfAnEarlierStateDoNotCount) {
  const CircuitBreaker::Ticket early_failure = breaker_.admit();
  const CircuitBreaker::Ticket early_success = breaker_.admit();
  open();
  breaker_.report(early_success, Verdict::kSuccess);
  EXPECT_EQ(breaker_.state(), State::kOpen);
  clock_.advance(seconds(120));
  EXPECT_EQ(breaker_.state(), State::kHalfOpen);
  breaker_.report(early_failure, Verdict::kFailure);
  EXPECT_EQ(breaker_.state(), State::kHalfOpen);
  many(3, Verdict::kSuccess);
  EXPECT_EQ(breaker_.state(), State::kClosed);
}

}  // namespace
}  // namespace edged::upstream
