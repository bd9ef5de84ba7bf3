// SPDX-License-Identifier: Apache-2.0
// Due times of schedules, as tables: expression, zone, a time, and the times that follow it.
#include "worker/cron/schedule.h"

#include <gtest/gtest.h>

#include <random>
#include <sstream>

namespace edged::worker {
namespace {

// "2026-03-08 01:59" or "2026-03-08 01:59:30", UTC.
WallTime utc(const std::string& text) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  const int read =
      std::sscanf(text.c_str(), "%d-%d-%d %d:%d:%d", &year, &month, &day, &hour, &minute, &second);
  EXPECT_GE(read, 5) << text;
  return std::chrono::sys_days(std::chrono::year(year) / month / day) + std::chrono::hours(hour) +
         std::chrono::minutes(minute) + std::chrono::seconds(second);
}

std::string show(WallTime time) {
  const std::string text = format_rfc3339(time);  // 2026-03-08T01:59:00.000Z
  return text.substr(0, 10) + " " + text.substr(11, text.substr(17, 6) == "00.000" ? 5 : 12);
}

TimeZone zone(const std::string& name) {
  auto loaded = TimeZone::load(name);
  EXPECT_TRUE(loaded) << (loaded ? "" : loaded.error().message());
  return loaded ? *loaded : TimeZone();
}

Schedule schedule(const std::string& text, const std::string& zone_name = "UTC") {
  auto parsed = Schedule::parse(text, zone(zone_name));
  EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().message());
  return parsed ? *parsed : *Schedule::parse("* * * * *", TimeZone());
}

struct Case {
  const char* text;
  const char* zone;
  const char* after;
  std::vector<std::string> due;
};

void expect_due(const std::vector<Case>& cases) {
  for (const Case& item : cases) {
    SCOPED_TRACE(std::string(item.text) + " in " + item.zone + " after " + item.after);
    const Schedule parsed = schedule(item.text, item.zone);
    std::vector<std::string> due;
    std::optional<WallTime> time = utc(item.after);
    while (due.size() < item.due.size() && (time = parsed.next_after(*time))) {
      due.push_back(show(*time));
    }
    EXPECT_EQ(due, item.due);
  }
}

TEST(ScheduleTest, FollowsTheFields) {
  expect_due({
      {"* * * * *", "UTC", "2026-01-01 00:00", {"2026-01-01 00:01", "2026-01-01 00:02"}},
      {"* * * * *", "UTC", "2025-12-31 23:59:59", {"2026-01-01 00:00"}},
      {"0 * * * *", "UTC", "2026-01-01 00:00:01", {"2026-01-01 01:00", "2026-01-01 02:00"}},
      {"*/15 9-10 * * *",
       "UTC",
       "2026-01-01 09:31",
       {"2026-01-01 09:45",
        "2026-01-01 10:00",
        "2026-01-01 10:15",
        "2026-01-01 10:30",
        "2026-01-01 10:45",
        "2026-01-02 09:00"}},
      {"10-20/5,55 3 * * *",
       "UTC",
       "2026-01-01 00:00",
       {"2026-01-01 03:10", "2026-01-01 03:15", "2026-01-01 03:20", "2026-01-01 03:55"}},
      {"50/5 0 * * *", "UTC", "2026-01-01 00:00", {"2026-01-01 00:50", "2026-01-01 00:55"}},
      {"0 0 1 jan,JUL *", "UTC", "2026-01-01 00:00", {"2026-07-01 00:00", "2027-01-01 00:00"}},
      {"0 12 * * mon-fri", "UTC", "2026-11-27 12:00", {"2026-11-30 12:00", "2026-12-01 12:00"}},
      {"0 0 * * fri-sun",
       "UTC",
       "2026-11-27 00:00",
       {"2026-11-28 00:00", "2026-11-29 00:00", "2026-12-04 00:00"}},
      {"0 0 31 * *", "UTC", "2026-01-31 00:00", {"2026-03-31 00:00", "2026-05-31 00:00"}},
      {"\t0  0 * * *  ", "UTC", "2026-01-01 00:00", {"2026-01-02 00:00"}},
      {"\n0\t0\r\n* * *\n", "UTC", "2026-01-01 00:00", {"2026-01-02 00:00"}},
      {"0 0 * FEB Mon", "UTC", "2026-01-01 00:00", {"2026-02-02 00:00", "2026-02-09 00:00"}},
  });
}

TEST(ScheduleTest, WeekdaysCountAsInCron) {
  // 2026-11-29 is a Sunday.
  expect_due({
      {"0 0 * * 0", "UTC", "2026-11-24 00:00", {"2026-11-29 00:00", "2026-12-06 00:00"}},
      {"0 0 * * 7", "UTC", "2026-11-24 00:00", {"2026-11-29 00:00", "2026-12-06 00:00"}},
      {"0 0 * * 7/2",
       "UTC",
       "2026-11-24 00:00",
       {"2026-11-26 00:00", "2026-11-28 00:00", "2026-11-29 00:00"}},
      {"0 0 * * 5-7",
       "UTC",
       "2026-11-24 00:00",
       {"2026-11-27 00:00", "2026-11-28 00:00", "2026-11-29 00:00", "2026-12-04 00:00"}},
      {"0 0 * * 1", "UTC", "2026-11-24 00:00", {"2026-11-30 00:00"}},
      {"0 0 * * */2",
       "UTC",
       "2026-11-28 00:00",
       {"2026-11-29 00:00", "2026-12-01 00:00", "2026-12-03 00:00", "2026-12-05 00:00"}},
  });
  EXPECT_NE(schedule("0 0 * * 1").warning(), "");
  EXPECT_EQ(schedule("0 0 * * mon").warning(), "");
  EXPECT_EQ(schedule("0 0 * * *").warning(), "");
  EXPECT_EQ(schedule("@weekly").warning(), "");
}

TEST(ScheduleTest, DayOfMonthOrDayOfWeek) {
  expect_due({
      // Both given: either.
      {"0 0 13 * fri",
       "UTC",
       "2026-11-12 00:00",
       {"2026-11-13 00:00",
        "2026-11-20 00:00",
        "2026-11-27 00:00",
        "2026-12-04 00:00",
        "2026-12-11 00:00",
        "2026-12-13 00:00"}},
      // One begins with '*': both.
      {"0 0 */2 * fri", "UTC", "2026-11-01 00:00", {"2026-11-13 00:00", "2026-11-27 00:00"}},
      {"0 0 13 * *", "UTC", "2026-11-14 00:00", {"2026-12-13 00:00"}},
  });
}

TEST(ScheduleTest, LeapYears) {
  expect_due({
      {"0 0 29 2 *", "UTC", "2026-01-01 00:00", {"2028-02-29 00:00", "2032-02-29 00:00"}},
      {"0 0 29 2 *", "UTC", "2096-03-01 00:00", {"2104-02-29 00:00"}},
      // 29 February on a Sunday; 2100 is no leap year.
      {"0 0 29 feb */7", "UTC", "2076-03-01 00:00", {"2088-02-29 00:00", "2128-02-29 00:00"}},
  });
}

TEST(ScheduleTest, Names) {
  expect_due({
      {"@hourly", "UTC", "2026-01-01 00:00", {"2026-01-01 01:00"}},
      {"@daily", "America/Phoenix", "2026-01-01 00:00", {"2026-01-01 07:00"}},
      {"@midnight", "UTC", "2026-01-01 00:00", {"2026-01-02 00:00"}},
      {"@weekly", "UTC", "2026-11-24 00:00", {"2026-11-29 00:00"}},
      {"@monthly", "UTC", "2026-01-01 00:00", {"2026-02-01 00:00"}},
      {"@yearly", "UTC", "2026-01-01 00:00", {"2027-01-01 00:00"}},
      {" @Daily\n", "UTC", "2026-01-01 00:00", {"2026-01-02 00:00"}},
      {"@HOURLY", "UTC", "2026-01-01 00:00", {"2026-01-01 01:00"}},
      {"@annually", "UTC", "2026-01-01 00:00", {"2027-01-01 00:00"}},
  });
}

TEST(ScheduleTest, EveryIsAnchoredAtTheEpoch) {
  expect_due({
      {"@every 2s",
       "UTC",
       "2026-01-01 00:00:01",
       {"2026-01-01 00:00:02.000", "2026-01-01 00:00:04.000"}},
      {"@every 90m", "Europe/Berlin", "1970-01-01 00:00", {"1970-01-01 01:30", "1970-01-01 03:00"}},
      {"@every 90m", "UTC", "1969-12-31 23:00", {"1970-01-01 00:00"}},
  });
  const Schedule often = schedule("@every 250ms");
  EXPECT_EQ(to_unix_ms(*often.next_after(from_unix_ms(1001))), 1250);
  EXPECT_EQ(to_unix_ms(*often.next_after(from_unix_ms(1250))), 1500);
}

TEST(ScheduleTest, NewYorkDaylightSaving) {
  // 2026-03-08 02:00 EST (07:00 UTC) becomes 03:00 EDT; 2026-11-01 02:00 EDT (06:00 UTC) 01:00 EST.
  expect_due({
      {"30 2 * * *",
       "America/New_York",
       "2026-03-07 00:00",
       {"2026-03-07 07:30", "2026-03-08 07:00", "2026-03-09 06:30"}},
      {"0,30 2 * * *",
       "America/New_York",
       "2026-03-08 06:59",
       {"2026-03-08 07:00", "2026-03-09 06:00"}},
      {"0 2,3 * * *",
       "America/New_York",
       "2026-03-08 00:00",
       {"2026-03-08 07:00", "2026-03-09 06:00"}},
      {"30 1 * * *",
       "America/New_York",
       "2026-11-01 00:00",
       {"2026-11-01 05:30", "2026-11-02 06:30"}},
      {"30 1 * * *", "America/New_York", "2026-11-01 06:10", {"2026-11-02 06:30"}},
      {"0 2 * * *", "America/New_York", "2026-11-01 05:30", {"2026-11-01 07:00"}},
      // '*' in minute or hour follows real time.
      {"0 * * * *",
       "America/New_York",
       "2026-03-08 05:30",
       {"2026-03-08 06:00", "2026-03-08 07:00", "2026-03-08 08:00"}},
      {"0 * * * *",
       "America/New_York",
       "2026-11-01 04:30",
       {"2026-11-01 05:00", "2026-11-01 06:00", "2026-11-01 07:00"}},
      {"*/30 1 * * *",
       "America/New_York",
       "2026-11-01 04:30",
       {"2026-11-01 05:00",
        "2026-11-01 05:30",
        "2026-11-01 06:00",
        "2026-11-01 06:30",
        "2026-11-02 06:00"}},
      {"*/30 2 * * *", "America/New_York", "2026-03-08 05:00", {"2026-03-09 06:00"}},
  });
}

TEST(ScheduleTest, BerlinDaylightSaving) {
  // 2026-03-29 02:00 CET (01:00 UTC) becomes 03:00 CEST; 2026-10-25 03:00 CEST (01:00 UTC) 02:00
  // CET.
  expect_due({
      {"15 2 * * *", "Europe/Berlin", "2026-03-28 12:00", {"2026-03-29 01:00", "2026-03-30 00:15"}},
      {"15 2 * * *", "Europe/Berlin", "2026-10-24 12:00", {"2026-10-25 00:15", "2026-10-26 01:15"}},
      {"*/20 * * * *",
       "Europe/Berlin",
       "2026-10-25 00:30",
       {"2026-10-25 00:40", "2026-10-25 01:00", "2026-10-25 01:20"}},
      // Far past the last transition that files list.
      {"15 2 * * *", "Europe/Berlin", "2099-03-28 12:00", {"2099-03-29 01:00", "2099-03-30 00:15"}},
  });
}

TEST(ScheduleTest, OtherZones) {
  expect_due({
      {"0 2 * * *",
       "America/Phoenix",
       "2026-03-08 00:00",  // no daylight saving time
       {"2026-03-08 09:00", "2026-03-09 09:00"}},
      {"0 9 * * *", "Asia/Kathmandu", "2026-01-01 00:00", {"2026-01-01 03:15"}},
      {"15 2 * * *",
       "Australia/Lord_Howe",
       "2026-10-03 00:00",  // jumps half an hour
       {"2026-10-03 15:30", "2026-10-04 15:15"}},
      {"0 12 * * *",
       "Pacific/Apia",
       "2011-12-29 00:00",  // 30 December 2011 never was
       {"2011-12-29 22:00", "2011-12-30 10:00", "2011-12-30 22:00"}},
  });
}

// Far past the last transition that files list, through all the years of the calendar.
TEST(ScheduleTest, FollowsSummerTimeInFarYears) {
  expect_due({
      {"15 2 * * *", "Europe/Berlin", "2525-03-24 12:00", {"2525-03-25 01:00", "2525-03-26 00:15"}},
      {"*/30 1 * * *",
       "America/New_York",
       "2525-11-04 04:30",
       {"2525-11-04 05:00", "2525-11-04 05:30", "2525-11-04 06:00", "2525-11-04 06:30"}},
      {"*/15 2 * * *",
       "Australia/Lord_Howe",
       "9998-10-03 12:00",
       {"9998-10-03 15:30", "9998-10-03 15:45"}},
  });
}

TEST(ScheduleTest, RealTimeInARepeatedHalfHour) {
  // Lord Howe: 2026-04-05 02:00 (2026-04-04 15:00 UTC) becomes 01:30.
  expect_due({
      {"*/15 * * * *",
       "Australia/Lord_Howe",
       "2026-04-04 14:20",
       {"2026-04-04 14:30", "2026-04-04 14:45", "2026-04-04 15:00", "2026-04-04 15:15"}},
      {"40 * * * *",
       "Australia/Lord_Howe",
       "2026-04-04 14:00",
       {"2026-04-04 14:40", "2026-04-04 15:10", "2026-04-04 16:10"}},
      {"40 1 * * *",
       "Australia/Lord_Howe",
       "2026-04-04 14:00",
       {"2026-04-04 14:40", "2026-04-05 15:10"}},
  });
}

TEST(ScheduleTest, EndsWithTheCalendar) {
  const Schedule yearly = schedule("@yearly");
  EXPECT_EQ(yearly.next_after(utc("9999-06-01 00:00")), std::nullopt);
  EXPECT_EQ(yearly.next_after(utc("9999-12-31 00:00")), std::nullopt);
}

TEST(ScheduleTest, LatestIn) {
  const Schedule daily = schedule("0 3 * * *");
  EXPECT_EQ(daily.latest_in(utc("2026-01-01 00:00"), utc("2026-01-01 02:59")), std::nullopt);
  EXPECT_EQ(daily.latest_in(utc("2026-01-01 00:00"), utc("2026-01-01 03:00")),
            utc("2026-01-01 03:00"));
  EXPECT_EQ(daily.latest_in(utc("2026-01-01 03:00"), utc("2026-01-01 04:00")), std::nullopt);
  EXPECT_EQ(daily.latest_in(utc("2020-01-01 03:00"), utc("2026-05-06 02:00")),
            utc("2026-05-05 03:00"));
  EXPECT_EQ(daily.latest_in(utc("2026-05-06 02:00"), utc("2020-01-01 03:00")), std::nullopt);
  EXPECT_EQ(schedule("@every 1h").latest_in(utc("2026-01-01 00:00"), utc("2026-01-01 02:30")),
            utc("2026-01-01 02:00"));
  EXPECT_EQ(schedule("@every 1h").latest_in(utc("2026-01-01 02:00"), utc("2026-01-01 02:30")),
            std::nullopt);
}

// A second opinion: ask the zone what the clock shows at each minute of real time.
TEST(ScheduleTest, AgreesWithTheClockOnTheWall) {
  const auto seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (const char* name : {"America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "UTC"}) {
    const TimeZone where = zone(name);
    const auto minute = std::to_string(random() % 60);
    const auto hour = std::to_string(random() % 24);
    const Schedule real_time = schedule(minute + " * * * *", name);
    const Schedule fixed = schedule(minute + " " + hour + " * * *", name);
    std::vector<WallTime> expected, fixed_days;
    const WallTime start = utc("2026-01-01 00:00"), end = utc("2027-01-01 00:00");
    for (WallTime t = start + std::chrono::minutes(1); t <= end; t += std::chrono::minutes(1)) {
      const auto local = where.to_local(std::chrono::floor<std::chrono::seconds>(t));
      const auto of_day = local - std::chrono::floor<std::chrono::days>(local);
      if (of_day / std::chrono::minutes(1) % 60 == std::stoi(minute)) expected.push_back(t);
    }
    std::vector<WallTime> due;
    for (auto t = real_time.next_after(start); t && *t <= end; t = real_time.next_after(*t)) {
      due.push_back(*t);
    }
    EXPECT_EQ(due, expected) << name << " " << minute << " * * * *";
    // A fixed time is due exactly once for each local date.
    int count = 0;
    for (auto t = fixed.next_after(start); t && *t <= end; t = fixed.next_after(*t)) ++count;
    EXPECT_EQ(count, 365) << name << " " << minute << " " << hour << " * * *";
  }
}

}  // namespace
}  // namespace edged::worker
