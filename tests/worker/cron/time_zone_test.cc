// SPDX-License-Identifier: Apache-2.0
#include "worker/cron/time_zone.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>

#include "tests/support/temp_dir.h"

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

// A directory of zone files that the test writes.
class ZoneFiles {
 public:
  // A name is read once in a process: give each file a name of its own.
  Result<TimeZone> load(const std::string& bytes) {
    const std::string name = "zone" + std::to_string(++count_);
    std::ofstream(directory_.path() + "/" + name, std::ios::binary) << bytes;
    return TimeZone::load(name, directory_.path());
  }
  const std::string& path() const { return directory_.path(); }

 private:
  const test::TempDir directory_;
  int count_ = 0;
};

struct Half {
  const char* abbreviation = "";
  seconds offset{0};
};

// A zone file (RFC 8536): standard time from 1970-01-01 on, summer time, if there is one, from
// 1970-06-01 on, and from 1971 on what `rule` says.
std::string file_with_rule(const std::string& rule, Half standard, Half summer = {}) {
  const auto number = [](std::int64_t value, int bytes) {
    std::string text;
    for (int i = bytes; i-- > 0;) text += static_cast<char>(value >> (8 * i));
    return text;
  };
  const bool has_summer = *summer.abbreviation != '\0';
  const std::string names = std::string(standard.abbreviation) + '\0' +
                            (has_summer ? summer.abbreviation + std::string(1, '\0') : "");
  const auto block = [&](int time_bytes) {
    const int types = has_summer ? 2 : 1;
    std::string text = "TZif2" + std::string(15, '\0');
    for (const std::int64_t count : {0, 0, 0, types, types, static_cast<int>(names.size())}) {
      text += number(count, 4);
    }
    text += number(0, time_bytes);
    if (has_summer) text += number(151 * 86400, time_bytes);
    text += '\0';
    if (has_summer) text += '\1';
    text += number(standard.offset.count(), 4) + '\0' + '\0';
    if (has_summer) {
      text += number(summer.offset.count(), 4) + '\1';
      text += static_cast<char>(std::string(standard.abbreviation).size() + 1);
    }
    return text + names;
  };
  return block(4) + block(8) + "\n" + rule + "\n";
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
      // Behind what their files list: Thursday + 50 h, one hour before midnight.
      {"Asia/Gaza", day(2095, 3, 25), hours(2)},
      {"Asia/Gaza", day(2095, 3, 27), hours(3)},
      {"America/Nuuk", day(2060, 3, 28) + hours(1) - seconds(1), hours(-2)},
      {"America/Nuuk", day(2060, 3, 28) + hours(1), hours(-1)},
      {"America/Sao_Paulo", day(2060, 1, 1), hours(-3)},
      {"America/New_York", day(1800, 1, 1), -seconds(4 * 3600 + 56 * 60 + 2)},  // local mean time
  };
  for (const auto& item : cases) {
    const auto zone = TimeZone::load(item.name);
    ASSERT_TRUE(zone) << zone.error().message();
    EXPECT_EQ(zone->offset_at(item.at).count(), item.offset.count()) << item.name;
  }
}

TEST(TimeZoneTest, ChangesAtTheInstantOfTheJump) {
  const auto zone = *TimeZone::load("Europe/Berlin");
  for (const sys_seconds change : {day(2026, 3, 29) + hours(1),
                                   day(2026, 10, 25) + hours(1),
                                   day(2099, 3, 29) + hours(1),
                                   day(2525, 3, 25) + hours(1),
                                   day(9998, 3, 29) + hours(1)}) {
    EXPECT_NE(zone.offset_at(change - seconds(1)), zone.offset_at(change))
        << change.time_since_epoch().count();
  }
  const auto phoenix = *TimeZone::load("America/Phoenix");
  for (sys_seconds at = day(2026, 1, 1); at < day(2126, 1, 1); at += hours(24 * 7)) {
    ASSERT_EQ(phoenix.offset_at(at), hours(-7));
    ASSERT_EQ(TimeZone().offset_at(at), hours(0));
  }
}

TEST(TimeZoneTest, SaysWhetherClocksShowAReadingOnceNeverOrTwice) {
  using Kind = TimeZone::Reading::Kind;
  const struct {
    const char* name;
    sys_seconds local;
    Kind kind;
    sys_seconds first, change, last;
  } cases[] = {
      {"Europe/Berlin",
       day(2026, 6, 1),
       Kind::kUnique,
       day(2026, 5, 31) + hours(22),
       day(2026, 5, 31) + hours(22),
       day(2026, 5, 31) + hours(22)},
      {"Europe/Berlin",
       day(2026, 3, 29) + minutes(150),
       Kind::kSkipped,
       day(2026, 3, 29) + hours(1),
       day(2026, 3, 29) + hours(1),
       day(2026, 3, 29) + hours(1)},
      {"Europe/Berlin",
       day(2026, 10, 25) + minutes(150),
       Kind::kRepeated,
       day(2026, 10, 25) + minutes(30),
       day(2026, 10, 25) + minutes(60),
       day(2026, 10, 25) + minutes(90)},
      // Half an hour of summer time: 02:00 becomes 02:30, and 02:00 becomes 01:30.
      {"Australia/Lord_Howe",
       day(2026, 10, 4) + minutes(135),
       Kind::kSkipped,
       day(2026, 10, 3) + minutes(930),
       day(2026, 10, 3) + minutes(930),
       day(2026, 10, 3) + minutes(930)},
      {"Australia/Lord_Howe",
       day(2026, 4, 5) + minutes(105),
       Kind::kRepeated,
       day(2026, 4, 4) + minutes(885),
       day(2026, 4, 4) + minutes(900),
       day(2026, 4, 4) + minutes(915)},
      // A day that never was.
      {"Pacific/Apia",
       day(2011, 12, 30) + hours(12),
       Kind::kSkipped,
       day(2011, 12, 30) + hours(10),
       day(2011, 12, 30) + hours(10),
       day(2011, 12, 30) + hours(10)},
  };
  for (const auto& item : cases) {
    const auto reading = TimeZone::load(item.name)->look_up(
        std::chrono::local_seconds(item.local.time_since_epoch()));
    EXPECT_EQ(reading.kind, item.kind) << item.name;
    EXPECT_EQ(reading.first, item.first) << item.name;
    EXPECT_EQ(reading.change, item.change) << item.name;
    EXPECT_EQ(reading.last, item.last) << item.name;
  }
}

TEST(TimeZoneTest, RefusesWhatIsNoZone) {
  for (const char* name : {"",
                           "Mars/Olympus",
                           "../../etc/passwd",
                           "Europe/../../../../etc/passwd",
                           "/etc/passwd",
                           "file:/etc/passwd",
                           "libc:localtime",
                           "Fixed/UTC+05:00:00",
                           ":Europe/Berlin",
                           "EST5EDT,M3.2.0,M11.1.0",
                           "a b",
                           "Europe/Berlin ",
                           "Europe",
                           "Europe/"}) {
    const auto zone = TimeZone::load(name);
    ASSERT_FALSE(zone) << name;
    EXPECT_EQ(zone.code(), Code::kInvalidArgument) << name;
  }
  EXPECT_FALSE(TimeZone::load(std::string("Europe/Berlin\0x", 15)));
  EXPECT_EQ(TimeZone::load("Mars/Olympus").error().message(),
            "could not use time zone \"Mars/Olympus\": there is no such zone in "
            "/usr/share/zoneinfo. Check the spelling; the package tzdata installs the zones");
  EXPECT_EQ(TimeZone::load("Europe/Berlin", "/nowhere").error().message(),
            "could not use time zone \"Europe/Berlin\": there is no directory /nowhere with zone "
            "files. Install the package tzdata, or set TZDIR");
  EXPECT_TRUE(TimeZone::load("UTC", "/nowhere")) << "UTC needs no file";
  ZoneFiles files;
  EXPECT_EQ(files.load("no zone").code(), Code::kCorruption);
  EXPECT_EQ(files.load(std::string(2 << 20, 'x')).code(), Code::kCorruption);
}

TEST(TimeZoneTest, ReadsTheDirectoryThatTheEnvironmentNames) {
  ZoneFiles files;
  ASSERT_TRUE(files.load(file_with_rule("XYZ-3", {"XYZ", hours(3)})));
  ::setenv("TZDIR", files.path().c_str(), 1);
  const auto zone = TimeZone::load("zone1");
  const auto absent = TimeZone::load("Europe/Berlin");
  ::setenv("TZDIR", "", 1);
  EXPECT_TRUE(TimeZone::load("Europe/Berlin")) << "an empty TZDIR is none";
  ::unsetenv("TZDIR");
  ASSERT_TRUE(zone) << zone.error().message();
  EXPECT_EQ(zone->offset_at(day(2026, 1, 1)), hours(3));
  EXPECT_FALSE(absent);
}

TEST(TimeZoneTest, SurvivesDamagedFiles) {
  const std::string whole = file_of("Europe/Berlin");
  ZoneFiles files;
  ASSERT_TRUE(files.load(whole));
  // The footer's last byte included, nothing can be missing.
  for (std::size_t size = 0; size < whole.size(); size += size + 80 < whole.size() ? 7 : 1) {
    EXPECT_FALSE(files.load(whole.substr(0, size))) << size;
  }
  const auto seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (int i = 0; i < 500; ++i) {
    std::string damaged = whole;
    for (int j = 0; j < 3; ++j) damaged[random() % damaged.size()] = static_cast<char>(random());
    const auto zone = files.load(damaged);  // refused, or some zone: never a crash
    const auto offset = zone ? zone->offset_at(day(2026, 7, 1)) : seconds(0);
    EXPECT_LE(std::abs(offset.count()), 169 * 3600);
  }
}

// The rule at the end of a zone file, for instants after its last entry.
TEST(TimeZoneTest, FollowsTheRuleForTheFuture) {
  const Half est{"EST", hours(-5)}, edt{"EDT", hours(-4)};
  const Half irish{"IST", hours(1)}, gmt{"GMT", hours(0)};
  const struct {
    const char* text;
    Half standard, summer;
    sys_seconds at;
    seconds offset;
  } cases[] = {
      {"EST5", est, {}, day(2026, 7, 1), hours(-5)},
      {"<+0330>-3:30", {"+0330", minutes(210)}, {}, day(2026, 7, 1), minutes(210)},
      {"EST5EDT,M3.2.0,M11.1.0", est, edt, day(2026, 3, 8) + hours(7) - seconds(1), hours(-5)},
      {"EST5EDT,M3.2.0,M11.1.0", est, edt, day(2026, 3, 8) + hours(7), hours(-4)},
      {"EST5EDT,M3.2.0,M11.1.0", est, edt, day(9626, 3, 8) + hours(7), hours(-4)},
      {"EST5EDT4,M3.2.0/2,M11.1.0/2", est, edt, day(2026, 11, 1) + hours(6), hours(-5)},
      {"IST-1GMT0,M10.5.0,M3.5.0/1", irish, gmt, day(2026, 1, 1), hours(0)},
      {"IST-1GMT0,M10.5.0,M3.5.0/1", irish, gmt, day(2026, 7, 1), hours(1)},
  };
  ZoneFiles files;
  for (const auto& item : cases) {
    const auto zone = files.load(file_with_rule(item.text, item.standard, item.summer));
    ASSERT_TRUE(zone) << item.text << ": " << zone.error().message();
    EXPECT_EQ(zone->offset_at(item.at).count(), item.offset.count()) << item.text;
  }
}

// Summer time all year round, RFC 8536 section 3.3.1: no zone has it, and cctz 2.3 does not know
// it.
TEST(TimeZoneTest, RefusesARuleOfSummerTimeAllYear) {
  ZoneFiles files;
  const auto zone =
      files.load(file_with_rule("XXX3EDT4,0/0,J365/23", {"XXX", hours(-3)}, {"EDT", hours(-4)}));
  EXPECT_EQ(zone.code(), Code::kCorruption);
}

TEST(TimeZoneTest, SurvivesARuleThatIsNone) {
  ZoneFiles files;
  for (const char* text : {"E5",
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
    const auto zone = files.load(file_with_rule(text, {"EST", hours(-5)}, {"EDT", hours(-4)}));
    if (!zone) continue;  // else it has one of the file's offsets
    const seconds offset = zone->offset_at(day(2026, 7, 1));
    EXPECT_TRUE(offset == hours(-5) || offset == hours(-4)) << text;
  }
}

}  // namespace
}  // namespace edged::worker
