// SPDX-License-Identifier: Apache-2.0
// A ticker's decisions under a clock that is moved by hand, forwards and backwards.
#include "worker/cron/tick_plan.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace edged::worker {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

const WallTime kNoon = std::chrono::sys_days(std::chrono::year(2026) / 11 / 24) + hours(12);

std::vector<Schedule> schedules(std::initializer_list<const char*> texts) {
  std::vector<Schedule> result;
  for (const char* text : texts) result.push_back(*Schedule::parse(text, TimeZone()));
  return result;
}

TickPlan plan_of(std::initializer_list<const char*> texts,
                 Misfire misfire = Misfire::kLast,
                 milliseconds jitter = milliseconds(0),
                 WallTime start = kNoon) {
  return {schedules(texts), misfire, jitter, start};
}

// What the plan wants run if asked at `now`; it must then want to sleep.
std::optional<WallTime> ask(TickPlan& plan, WallTime now) {
  const TickPlan::Step step = plan.next(now);
  if (step.run) {
    EXPECT_FALSE(plan.next(now).run.has_value());
  }
  return step.run;
}

TEST(TickPlanTest, SleepsUntilTheTickAndRunsItOnce) {
  TickPlan plan = plan_of({"* * * * *"});
  TickPlan::Step step = plan.next(kNoon + seconds(45));
  EXPECT_FALSE(step.run);
  EXPECT_EQ(step.sleep, seconds(15));
  EXPECT_EQ(plan.next_due(), kNoon + minutes(1));
  EXPECT_EQ(ask(plan, kNoon + minutes(1)), kNoon + minutes(1));
  EXPECT_EQ(ask(plan, kNoon + minutes(1) + milliseconds(5)), std::nullopt);
  EXPECT_EQ(ask(plan, kNoon + minutes(2) + milliseconds(5)), kNoon + minutes(2));
}

TEST(TickPlanTest, NeverSleepsLongerThanTheClockIsTrusted) {
  TickPlan plan = plan_of({"@hourly"});
  EXPECT_EQ(plan.next(kNoon).sleep, TickPlan::kSleepMax);
  TickPlan empty = plan_of({});
  EXPECT_EQ(empty.next(kNoon).sleep, TickPlan::kSleepMax);
  EXPECT_EQ(empty.next_due(), std::nullopt);
}

TEST(TickPlanTest, ATickOfSeveralSchedulesIsOne) {
  TickPlan plan = plan_of({"0 * * * *", "*/30 * * * *"});
  EXPECT_EQ(ask(plan, kNoon + minutes(30)), kNoon + minutes(30));
  EXPECT_EQ(ask(plan, kNoon + minutes(60)), kNoon + minutes(60));
  EXPECT_EQ(ask(plan, kNoon + minutes(61)), std::nullopt);
}

TEST(TickPlanTest, ForwardStepRunsTheLatestMissedTickWithLast) {
  TickPlan plan = plan_of({"*/10 * * * *"});
  EXPECT_EQ(ask(plan, kNoon + minutes(10)), kNoon + minutes(10));
  EXPECT_EQ(ask(plan, kNoon + hours(5) + minutes(7)), kNoon + hours(5));
  EXPECT_EQ(plan.next_due(), kNoon + hours(5) + minutes(10));
}

TEST(TickPlanTest, ForwardStepSkipsMissedTicksWithNone) {
  TickPlan plan = plan_of({"*/10 * * * *"}, Misfire::kNone);
  EXPECT_EQ(ask(plan, kNoon + hours(5) + minutes(7)), std::nullopt);
  EXPECT_EQ(plan.next_due(), kNoon + hours(5) + minutes(10));
  // Late by no more than a sleep and a bit is not missed.
  EXPECT_EQ(ask(plan, kNoon + hours(5) + minutes(10) + seconds(60)),
            kNoon + hours(5) + minutes(10));
  EXPECT_EQ(ask(plan, kNoon + hours(5) + minutes(20) + seconds(61)), std::nullopt);
}

TEST(TickPlanTest, ALongRunMissesTicksAndGoesOnWithTheLatest) {
  TickPlan plan = plan_of({"@every 2s"}, Misfire::kNone);
  EXPECT_EQ(ask(plan, kNoon + seconds(2)), kNoon + seconds(2));
  EXPECT_EQ(ask(plan, kNoon + seconds(9)), kNoon + seconds(8));
  EXPECT_EQ(ask(plan, kNoon + seconds(10)), kNoon + seconds(10));
}

TEST(TickPlanTest, BackwardStepRepeatsNothing) {
  TickPlan plan = plan_of({"*/10 * * * *"});
  EXPECT_EQ(ask(plan, kNoon + minutes(60)), kNoon + minutes(60));
  for (int minute = 5; minute < 70; ++minute) {
    EXPECT_EQ(ask(plan, kNoon + minutes(minute)), std::nullopt) << minute;
  }
  EXPECT_EQ(ask(plan, kNoon + minutes(70)), kNoon + minutes(70));
}

TEST(TickPlanTest, AfterALargeBackwardStepItStartsAnew) {
  TickPlan plan = plan_of({"*/10 * * * *"});
  EXPECT_EQ(ask(plan, kNoon + hours(24 * 365)), kNoon + hours(24 * 365));
  const WallTime corrected = kNoon + minutes(5);
  EXPECT_EQ(ask(plan, corrected), std::nullopt);
  EXPECT_EQ(ask(plan, kNoon + minutes(10)), kNoon + minutes(10));
}

TEST(TickPlanTest, AStartInThePastSeesWhatWasMissed) {
  TickPlan last = plan_of({"0 3 * * *"}, Misfire::kLast, milliseconds(0), kNoon - hours(72));
  EXPECT_EQ(ask(last, kNoon), kNoon - hours(9));
  TickPlan none = plan_of({"0 3 * * *"}, Misfire::kNone, milliseconds(0), kNoon - hours(72));
  EXPECT_EQ(ask(none, kNoon), std::nullopt);
  TickPlan nothing = plan_of({"0 3 * * *"}, Misfire::kLast, milliseconds(0), kNoon - hours(9));
  EXPECT_EQ(ask(nothing, kNoon), std::nullopt);
}

TEST(TickPlanTest, JitterDelaysTheRunAndKeepsTheTick) {
  TickPlan plan = plan_of({"* * * * *"}, Misfire::kLast, seconds(20));
  EXPECT_EQ(plan.next(kNoon + seconds(61)).sleep, seconds(19));
  EXPECT_EQ(ask(plan, kNoon + seconds(79)), std::nullopt);
  EXPECT_EQ(ask(plan, kNoon + seconds(80)), kNoon + seconds(60));
}

TEST(TickPlanTest, JitterIsStableAndSpread) {
  EXPECT_EQ(stable_jitter("a", milliseconds(0)), milliseconds(0));
  std::set<std::int64_t> tenths;
  for (int i = 0; i < 100; ++i) {
    const std::string job = "job-" + std::to_string(i);
    const milliseconds jitter = stable_jitter(job, seconds(60));
    EXPECT_EQ(jitter, stable_jitter(job, seconds(60)));
    EXPECT_GE(jitter.count(), 0);
    EXPECT_LT(jitter, seconds(60));
    tenths.insert(jitter / seconds(6));
  }
  EXPECT_EQ(tenths.size(), 10u);
  EXPECT_EQ(stable_jitter("class-monitor", seconds(60)).count(), 40685);  // on every machine
}

TEST(TickPlanTest, ParsesThePolicy) {
  EXPECT_EQ(parse_misfire("none"), Misfire::kNone);
  EXPECT_EQ(parse_misfire("last"), Misfire::kLast);
  EXPECT_EQ(parse_misfire("all"), std::nullopt);
}

}  // namespace
}  // namespace edged::worker
