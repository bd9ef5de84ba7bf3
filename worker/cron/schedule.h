// SPDX-License-Identifier: Apache-2.0
// When a job is due: a five-field cron expression, "@hourly" and its like, or "@every 2s". Pure;
// any thread. Syntax and the rules for daylight saving time: docs/jobs.md, "Schedules".
#pragma once

#include <bitset>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "proto/base/clock.h"
#include "proto/base/status.h"
#include "worker/cron/time_zone.h"

namespace edged::worker {

// One five-field expression. The bit of each value that matches is set.
struct CronFields {
  std::bitset<60> minutes;
  std::bitset<24> hours;
  std::bitset<32> days;      // 1..31
  std::bitset<13> months;    // 1..12
  std::bitset<7> weekdays;   // 0 = Sunday
  bool any_day = false;      // the day-of-month field begins with '*'
  bool any_weekday = false;  // the day-of-week field begins with '*'
  bool real_time = false;    // the minute or hour field begins with '*'
  bool weekday_digits = false;

  // Errors: kInvalidArgument, with the field's name; also if no date ever matches.
  static Result<CronFields> parse(std::string_view text);
  bool matches(std::chrono::year_month_day date) const;
  // The first matching minute at or after `from`, as clocks on the wall show it. Nothing after
  // 9999.
  std::optional<std::chrono::local_seconds> next_local(std::chrono::local_seconds from) const;
};

class Schedule {
 public:
  // Errors: kInvalidArgument ("could not read schedule \"61 * * * *\": minute: 61 is not in 0-59").
  static Result<Schedule> parse(std::string_view text, TimeZone zone);

  // The first due time after `time`. Nothing only near the end of the calendar (year 9999).
  std::optional<WallTime> next_after(WallTime time) const;
  // The last due time in (after, until].
  std::optional<WallTime> latest_in(WallTime after, WallTime until) const;

  const std::string& text() const { return text_; }
  const TimeZone& zone() const { return zone_; }
  // What a person should know about this expression, to be logged once; empty: nothing.
  std::string warning() const;

 private:
  Schedule() = default;
  std::optional<WallTime> next_real_time(std::chrono::sys_seconds after) const;
  std::optional<WallTime> next_fixed_time(std::chrono::sys_seconds after) const;

  std::string text_;
  TimeZone zone_;
  std::chrono::milliseconds every_{0};  // 0: fields_ decide
  CronFields fields_;
};

}  // namespace edged::worker
