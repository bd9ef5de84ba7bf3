// SPDX-License-Identifier: Apache-2.0
// The judge of the cron soak must know due times that people have looked up, and refuse what is
// wrong.
#include "tests/soak/cron_oracle.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "proto/base/clock.h"
#include "tests/soak/cron_ledger.h"

namespace edged::soak {
namespace {

constexpr UnixMs kSecond = 1'000, kMinute = 60'000, kHour = 60 * kMinute, kDay = 24 * kHour;

UnixMs day(int year, unsigned month, unsigned of_month) {
  return to_unix_ms(std::chrono::sys_days(std::chrono::year(year) / month / of_month));
}

const CronJobSpec& job(const std::string& name) {
  return *std::find_if(cron_jobs().begin(), cron_jobs().end(), [&](const CronJobSpec& spec) {
    return name == spec.name;
  });
}

std::vector<std::string> due_texts(const std::string& name, UnixMs from, UnixMs until) {
  std::vector<std::string> texts;
  for (const UnixMs due : due_times(job(name), from, until)) {
    texts.push_back(format_rfc3339(from_unix_ms(due)).substr(0, 16));
  }
  return texts;
}

using Texts = std::vector<std::string>;

TEST(CronOracleTest, ASkippedTimeIsDueAtTheJump) {
  EXPECT_EQ(due_texts("ny-nightly", day(2026, 3, 7), day(2026, 3, 10)),
            (Texts{"2026-03-07T07:30", "2026-03-08T07:00", "2026-03-09T06:30"}));
  EXPECT_EQ(due_texts("berlin-fixed", day(2026, 3, 28) + 12 * kHour, day(2026, 3, 29) + 12 * kHour),
            (Texts{"2026-03-29T01:00", "2026-03-29T01:30"}));
}

TEST(CronOracleTest, ATimeShownTwiceIsDueOnce) {
  EXPECT_EQ(due_texts("ny-shown-twice", day(2026, 11, 1), day(2026, 11, 2)),
            (Texts{"2026-11-01T05:00", "2026-11-01T05:30", "2026-11-01T05:59"}));
}

TEST(CronOracleTest, RealTimeGoesOnThroughAChange) {
  const auto autumn = due_times(job("ny-hourly"), day(2026, 11, 1), day(2026, 11, 2));
  ASSERT_EQ(autumn.size(), 24u);
  for (std::size_t i = 1; i < autumn.size(); ++i) EXPECT_EQ(autumn[i] - autumn[i - 1], kHour);
}

// Lord Howe's clocks are changed by half an hour: 02:00 becomes 02:30 on 4 October 2026.
TEST(CronOracleTest, HalfAnHourOfSummerTime) {
  EXPECT_EQ(
      due_texts("lord-howe-fixed", day(2026, 10, 3) + 14 * kHour, day(2026, 10, 3) + 18 * kHour),
      (Texts{"2026-10-03T14:30",
             "2026-10-03T14:45",
             "2026-10-03T15:00",
             "2026-10-03T15:15",
             "2026-10-03T15:30",
             "2026-10-03T15:45"}));
}

TEST(CronOracleTest, CountsChanges) {
  const ZoneChanges york = zone_changes("America/New_York", day(2026, 1, 1), day(2028, 1, 1));
  EXPECT_EQ(york.forwards, 2u);
  EXPECT_EQ(york.backwards, 2u);
  const ZoneChanges phoenix = zone_changes("America/Phoenix", day(2026, 1, 1), day(2028, 1, 1));
  EXPECT_EQ(phoenix.forwards + phoenix.backwards, 0u);
}

TEST(PlanOracleTest, MissedTicksAndStepsBack) {
  const std::vector<UnixMs> due{1 * kHour, 2 * kHour, 3 * kHour, 8 * kHour};
  const auto none = worker::Misfire::kNone, last = worker::Misfire::kLast;
  PlanOracle strict(due, none, std::chrono::seconds(0), 0);
  EXPECT_EQ(strict.look(kHour - 1), std::nullopt);
  EXPECT_EQ(strict.look(kHour + 60 * kSecond), kHour);
  EXPECT_EQ(strict.look(2 * kHour + 61 * kSecond), std::nullopt);
  EXPECT_EQ(strict.look(kHour), std::nullopt);
  PlanOracle lenient(due, last, std::chrono::seconds(5), 0);
  EXPECT_EQ(lenient.look(2 * kHour + 4 * kSecond), kHour);
  EXPECT_EQ(lenient.look(7 * kHour), 3 * kHour);
  EXPECT_EQ(lenient.look(4 * kHour), std::nullopt);
  EXPECT_EQ(lenient.look(kHour), std::nullopt);  // more than three hours: counts anew
  EXPECT_EQ(lenient.look(2 * kHour + 6 * kSecond), 2 * kHour);
}

TEST(MustHaveRunTest, WantsACalmWorkerAndNoOtherRun) {
  const UnixMs due = 10 * kDay;
  const auto must = [&](CalmStretch stretch, std::vector<BusyStretch> busy = {}) {
    return must_have_run(due, 0, {{}, {stretch}}, busy);
  };
  EXPECT_TRUE(must({due - kDay, due + kHour, 0}));
  EXPECT_TRUE(must({due - kDay, due + kMinute, 0}));
  EXPECT_FALSE(must({due - kDay, due + kSecond, 0}));       // disturbed just then
  EXPECT_FALSE(must({due - 3 * kHour, due + kHour, 0}));    // may still wait for its old time
  EXPECT_FALSE(must({due - kDay, due + kHour, 2 * kDay}));  // its clock was far beyond
  EXPECT_TRUE(must({due - 3 * kDay, due + kHour, 2 * kDay}));
  EXPECT_FALSE(must({due - kDay, due + kHour, 0}, {{due - kHour, due + kHour, due - kHour}}));
  EXPECT_TRUE(must({due - kDay, due + kHour, 0}, {{due, due + kHour, due}}));
  EXPECT_TRUE(must({due - kDay, due + kHour, 0}, {{due - kHour, due - kMinute, due - kHour}}));
}

class CronLedgerTest : public testing::Test {
 protected:
  void start(std::int64_t id, UnixMs due) {
    CronLedger::Running run;
    run.id = run.epoch = id;
    run.due = due;
    run.holder = {"a", "a-1"};
    ledger_.started(0, run, due, due);
  }
  std::uint64_t violations() const { return ledger_.figures().violations; }

  CronLedger ledger_{1};
};

TEST_F(CronLedgerTest, AcceptsWhatIsPromised) {
  start(1, kHour);
  ledger_.refused(0, kHour);
  ledger_.refused(0, 2 * kHour);
  ledger_.renewed(0, 1, true, kHour + kSecond);
  ledger_.taken_over(0, 1, 2, {"b", "b-1"}, kHour + 2 * kMinute);
  ledger_.renewed(0, 1, false, kHour);
  ledger_.ended(0, 1, false, {});
  ledger_.ended(0, 2, true, {});
  start(3, 2 * kHour);
  ledger_.taken_over(0, 3, 4, {"a", "a-2"}, 2 * kHour + 1);
  EXPECT_EQ(violations(), 0u);
  EXPECT_EQ(ledger_.figures().ticks, 2u);
  EXPECT_EQ(ledger_.figures().taken_over, 2u);
  EXPECT_EQ(ledger_.figures().fenced, 2u);
  EXPECT_EQ(ledger_.latest_run(0, 90 * kMinute), kHour);
  EXPECT_EQ(ledger_.latest_run(0, kMinute), std::nullopt);
}

TEST_F(CronLedgerTest, ATickTwice) {
  start(1, kHour);
  ledger_.ended(0, 1, true, {});
  start(2, kHour);
  EXPECT_EQ(violations(), 1u);
}

TEST_F(CronLedgerTest, TwoRunsAtATime) {
  start(1, kHour);
  start(2, 2 * kHour);
  EXPECT_EQ(violations(), 1u);
}

TEST_F(CronLedgerTest, ARunTakenFromALivingWorker) {
  start(1, kHour);
  ledger_.taken_over(0, 1, 2, {"b", "b-1"}, kHour + 59 * kSecond);
  EXPECT_EQ(violations(), 1u);
}

TEST_F(CronLedgerTest, AnEndByOneWhoLostTheRun) {
  start(1, kHour);
  ledger_.taken_over(0, 1, 2, {"b", "b-1"}, 2 * kHour);
  ledger_.ended(0, 1, true, {});
  EXPECT_EQ(violations(), 1u);
}

TEST_F(CronLedgerTest, ALeaseThatIsRefusedToItsHolder) {
  start(1, kHour);
  ledger_.renewed(0, 1, false, kHour);
  EXPECT_EQ(violations(), 1u);
}

TEST_F(CronLedgerTest, ARefusalWithoutAReason) {
  start(1, kHour);
  ledger_.ended(0, 1, true, {});
  ledger_.refused(0, 2 * kHour);
  EXPECT_EQ(violations(), 1u);
}

}  // namespace
}  // namespace edged::soak
