// SPDX-License-Identifier: Apache-2.0
// What Schedule::parse takes and what it refuses, with its messages.
#include <gtest/gtest.h>

#include "worker/cron/schedule.h"

namespace edged::worker {
namespace {

TEST(ScheduleTest, EveryTakesDurationsAsPeopleWriteThem) {
  const std::pair<const char*, std::int64_t> cases[] = {
      {"@every 90s", 90'000},
      {"@every 1h30m", 5'400'000},
      {"@every 1.5h", 5'400'000},
      {"@every 1h30m10s500ms", 5'410'500},
      {"@every 30m1h", 5'400'000},
      {"@every 1h 30m", 5'400'000},
      {"@every\t90s", 90'000},
      {" @EVERY  2d12h\n", 216'000'000},
      {"@every 366d", 31'622'400'000},
      {"@every 100ms", 100},
  };
  for (const auto& [text, period_ms] : cases) {
    const auto parsed = Schedule::parse(text, TimeZone());
    ASSERT_TRUE(parsed) << text << ": " << parsed.error().message();
    EXPECT_EQ(to_unix_ms(*parsed->next_after(from_unix_ms(0))), period_ms) << text;
  }
}

TEST(ScheduleTest, EveryRefusesWhatIsNoPeriod) {
  const std::pair<const char*, const char*> cases[] = {
      {"@every", "@every: the period is missing. Write one such as 90s or 1h30m"},
      {"@every 0s", "@every: the period must be 100 ms to 366 days"},
      {"@every 0h0m", "@every: the period must be 100 ms to 366 days"},
      {"@every 99ms", "@every: the period must be 100 ms to 366 days"},
      {"@every 366d1ms", "@every: the period must be 100 ms to 366 days"},
  };
  for (const auto& [text, message] : cases) {
    const auto parsed = Schedule::parse(text, TimeZone());
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().message(),
              "could not read schedule \"" + std::string(text) + "\": " + message);
  }
  for (const char* text : {"@every 5",
                           "@every 1h30",
                           "@every h",
                           "@every -1h",
                           "@every +1h",
                           "@every 1h-30m",
                           "@every 1.5.5h",
                           "@every 1y",
                           "@every 1µs",
                           "@every 1e3s",
                           "@every 99999999999999999999h",
                           "@every 90d90d90d90d90d90d99999999999999999999h",
                           "@every soon",
                           "@every 1h,2h",
                           "@every nan s",
                           "@every1h"}) {
    const auto parsed = Schedule::parse(text, TimeZone());
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.code(), Code::kInvalidArgument) << text;
  }
}

TEST(ScheduleTest, NamesTheFieldThatIsWrong) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "it has 0 fields, not 5 (minute, hour, day of month, month, day of week)"},
      {"* * * *", "it has 4 fields, not 5 (minute, hour, day of month, month, day of week)"},
      {"*", "it has 1 field, not 5 (minute, hour, day of month, month, day of week)"},
      {"* * * * * *",
       "it has 6 fields, not 5 (minute, hour, day of month, month, day of week). Seconds, years "
       "and "
       "commands are not supported; for a period below a minute write @every"},
      {"CRON_TZ=Europe/Berlin 0 3 * * *",
       "it has 6 fields, not 5 (minute, hour, day of month, month, day of week). Set time_zone of "
       "the "
       "job instead of CRON_TZ=Europe/Berlin"},
      {"60 * * * *", "minute: 60 is not in 0-59"},
      {"-1 * * * *", "minute: a value is missing"},
      {"* 24 * * *", "hour: 24 is not in 0-23"},
      {"* * 0 * *", "day of month: 0 is not in 1-31"},
      {"* * L * *", "day of month: \"L\" is not supported: L, W, # and ? are no part of cron"},
      {"* * L-3 * *", "day of month: \"L\" is not supported: L, W, # and ? are no part of cron"},
      {"* * 15W * *", "day of month: \"15W\" is not supported: L, W, # and ? are no part of cron"},
      {"* * LW * *", "day of month: \"LW\" is not supported: L, W, # and ? are no part of cron"},
      {"0 0 ? * mon", "day of month: \"?\" is not supported: L, W, # and ? are no part of cron"},
      {"* * * * 5L", "day of week: \"5L\" is not supported: L, W, # and ? are no part of cron"},
      {"* * * * friL", "day of week: \"friL\" is not supported: L, W, # and ? are no part of cron"},
      {"x * * * *", "minute: \"x\" is not a number"},
      {"* * * 13 *", "month: 13 is not in 1-12"},
      {"* * * january *",
       "month: \"january\" is neither a number nor a name. Names have three letters: jan to dec"},
      {"* * * april *",
       "month: \"april\" is neither a number nor a name. Names have three letters: jan to dec"},
      {"* * * * monday",
       "day of week: \"monday\" is neither a number nor a name. Names have three letters: sun to "
       "sat"},
      {"* * * * 8", "day of week: 8 is not in 0-7"},
      {"* * * * 99999999999", "day of week: 99999999999 is not in 0-7"},
      {"* * * * fri#2",
       "day of week: \"fri#2\" is not supported: L, W, # and ? are no part of cron"},
      {"5-1 * * * *", "minute: the range 5-1 ends before it begins"},
      {"*/0 * * * *", "minute: the step \"0\" is not in 1-59"},
      {"*/60 * * * *", "minute: the step \"60\" is not in 1-59"},
      {"*/ * * * *", "minute: the step \"\" is not in 1-59"},
      {"1,,2 * * * *", "minute: a value is missing"},
      {"1- * * * *", "minute: a value is missing"},
      {"*5 * * * *", "minute: \"*5\" is not a number"},
      {"0 0 30 2 *", "day of month: no month of \"2\" has a day 30"},
      {"0 0 31 feb,apr,jun *", "day of month: no month of \"feb,apr,jun\" has a day 31"},
      {"@reboot",
       "@reboot is not supported: a schedule names times, and the start of a worker is not one. To "
       "start a job once, run: edged cron run NAME"},
      {"@fortnightly",
       "unknown name. The names are @hourly, @daily, @midnight, @weekly, @monthly, @yearly, "
       "@annually "
       "and @every PERIOD"},
      {"@every 10ms", "@every: the period must be 100 ms to 366 days"},
      {"@every 400d", "@every: the period must be 100 ms to 366 days"},
  };
  for (const auto& [text, message] : cases) {
    const auto parsed = Schedule::parse(text, TimeZone());
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.code(), Code::kInvalidArgument);
    EXPECT_EQ(parsed.error().message(),
              "could not read schedule \"" + std::string(text) + "\": " + message);
  }
  EXPECT_FALSE(Schedule::parse("@every 5", TimeZone()));
  EXPECT_FALSE(Schedule::parse(std::string(2000, '*'), TimeZone()));
}

}  // namespace
}  // namespace edged::worker
