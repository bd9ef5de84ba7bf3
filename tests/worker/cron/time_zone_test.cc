// SPDX-License-Identifier: Apache-2.0
#include "worker/cron/time_zone.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <random>

#include "worker/cron/posix_zone.h"

namespace edged::worker {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using std::chrono::sys_days;
using std::chrono::sys_seconds;

sys_seconds day(int year, unsigned month, unsigned of_month) {
  return sys_days(std::chrono::year(year) / month / of_month);
}

std::string file_of(const std::string& name) {
  std::ifstream file("/usr/share/zoneinfo/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

TEST(TimeZoneTest, KnowsOffsets) {
  const struct {
    const char* name;
    sys_seconds at;
    seconds offset;
  } cases[] = {
      {"UTC", day(2026, 1, 1), hours(0)},
      {"America/New_York", day(2026, 1, 1), hours(-5)},
      {"America/New_York", day(2026, 7, 1), hours(-4)},
      {"America/New_York", day(2090, 7, 1), hours(-4)},
      {"America/Phoenix", day(2026, 7, 1), hours(-7)},
      {"Europe/Berlin", day(2026, 3, 29) + minutes(59), hours(1)},
      {"Europe/Berlin", day(2026, 3, 29) + hours(1), hours(2)},
      {"Europe/Dublin", day(2026, 7, 1), hours(1)},
      {"Europe/Dublin", day(2060, 1, 1), hours(0)},
      {"Australia/Sydney", day(2060, 1, 1), hours(11)},  // summer over the turn of the year
      {"Australia/Sydney", day(2060, 7, 1), hours(10)},
      {"Asia/Kolkata", day(2026, 7, 1), minutes(330)},
      {"America/Sao_Paulo", day(2060, 1, 1), hours(-3)},
      {"America/New_York", day(1800, 1, 1), -seconds(4 * 3600 + 56 * 60 + 2)},  // local mean time
  };
  for (const auto& item : cases) {
    const auto zone = TimeZone::load(item.name);
    ASSERT_TRUE(zone) << zone.error().message();
    EXPECT_EQ(zone->offset_at(item.at).count(), item.offset.count()) << item.name;
  }
}

TEST(TimeZoneTest, NextChange) {
  const auto zone = *TimeZone::load("Europe/Berlin");
  EXPECT_EQ(zone.next_change_after(day(2026, 1, 1)), day(2026, 3, 29) + hours(1));
  EXPECT_EQ(zone.next_change_after(day(2026, 3, 29) + hours(1)), day(2026, 10, 25) + hours(1));
  EXPECT_EQ(zone.next_change_after(day(2099, 1, 1)), day(2099, 3, 29) + hours(1));
  EXPECT_EQ(TimeZone::load("America/Phoenix")->next_change_after(day(2026, 1, 1)), std::nullopt);
  EXPECT_EQ(TimeZone().next_change_after(day(2026, 1, 1)), std::nullopt);
}

TEST(TimeZoneTest, RefusesWhatIsNoZone) {
  for (const char* name :
       {"", "Mars/Olympus", "../../etc/passwd", "/etc/passwd", "a b", "Europe"}) {
    const auto zone = TimeZone::load(name);
    ASSERT_FALSE(zone) << name;
    EXPECT_EQ(zone.code(), Code::kInvalidArgument) << name;
  }
  EXPECT_EQ(TimeZone::load("Mars/Olympus").error().message(),
            "could not use time zone \"Mars/Olympus\": no such file in /usr/share/zoneinfo. The "
            "package tzdata installs them");
  EXPECT_EQ(TimeZone::load("tzdata.zi").code(), Code::kInvalidArgument);
  EXPECT_EQ(TimeZone::parse("x", "no zone").code(), Code::kCorruption);
}

TEST(TimeZoneTest, SurvivesDamagedFiles) {
  const std::string whole = file_of("Europe/Berlin");
  ASSERT_TRUE(TimeZone::parse("whole", whole));
  // The footer's last byte included, nothing can be missing.
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(TimeZone::parse("short", std::string_view(whole).substr(0, size))) << size;
  }
  const auto seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (int i = 0; i < 3000; ++i) {
    std::string damaged = whole;
    for (int j = 0; j < 3; ++j) damaged[random() % damaged.size()] = static_cast<char>(random());
    const auto zone = TimeZone::parse("damaged", damaged);  // refused, or some zone: never a crash
    const auto offset = zone ? zone->offset_at(day(2026, 7, 1)) : seconds(0);
    EXPECT_LE(std::abs(offset.count()), 169 * 3600);
  }
}

TEST(PosixZoneTest, ReadsRules) {
  const struct {
    const char* text;
    sys_seconds at;
    seconds offset;
  } cases[] = {
      {"EST5", day(2026, 7, 1), hours(-5)},
      {"<+0330>-3:30", day(2026, 7, 1), minutes(210)},
      {"EST5EDT,M3.2.0,M11.1.0", day(2026, 3, 8) + hours(7) - seconds(1), hours(-5)},
      {"EST5EDT,M3.2.0,M11.1.0", day(2026, 3, 8) + hours(7), hours(-4)},
      {"EST5EDT4,M3.2.0/2,M11.1.0/2", day(2026, 11, 1) + hours(6), hours(-5)},
      {"IST-1GMT0,M10.5.0,M3.5.0/1", day(2026, 1, 1), hours(0)},
      {"IST-1GMT0,M10.5.0,M3.5.0/1", day(2026, 7, 1), hours(1)},
      {"EET-2EEST,M3.4.4/50,M10.4.4/50", day(2026, 3, 28), hours(3)},  // Gaza: Thursday + 50 h
      {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", day(2026, 3, 29) + hours(1), hours(-1)},  // Nuuk
      {"XXX3EDT4,0/0,J365/23", day(2026, 1, 1) + hours(4), hours(-4)},
      {"XXX3EDT4,0/0,J365/23", day(2026, 7, 1), hours(-4)},  // all year, RFC 8536 section 3.3.1
      {"AAA0BBB,J60,J300", day(2028, 3, 1) + hours(2), hours(1)},  // J60 is 1 March, leap or not
      {"AAA0BBB,59,J300", day(2028, 2, 29) + hours(2), hours(1)},  // 59 counts from 0
  };
  for (const auto& item : cases) {
    const auto zone = PosixZone::parse(item.text);
    ASSERT_TRUE(zone) << zone.error().message();
    EXPECT_EQ(zone->offset_at(item.at).count(), item.offset.count()) << item.text;
  }
}

TEST(PosixZoneTest, RefusesRubbish) {
  for (const char* text : {"",
                           "E5",
                           "EST",
                           "EST5EDT",
                           "EST5EDT,M3.2.0",
                           "EST5EDT,M13.2.0,M11.1.0",
                           "EST5EDT,M3.6.0,M11.1.0",
                           "EST5EDT,M3.2.7,M11.1.0",
                           "<EST5",
                           "EST200",
                           "EST5EDT,J0,J3",
                           "EST5EDT,M3.2.0,M11.1.0 ",
                           "EST5:60"}) {
    EXPECT_FALSE(PosixZone::parse(text)) << text;
  }
}

}  // namespace
}  // namespace edged::worker
