// SPDX-License-Identifier: Apache-2.0
#include "worker/cron/schedule.h"

#include <algorithm>
#include <array>
#include <utility>

#include "proto/base/units.h"

namespace edged::worker {

using std::chrono::floor;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using std::chrono::sys_seconds;

namespace {

constexpr milliseconds kEveryMin{100};
constexpr milliseconds kEveryMax = std::chrono::days(366);
constexpr std::size_t kTextBytesMax = 1000;
// A time of day that clocks skip or show twice is at most a day away from one they do not.
constexpr int kTicksPerDayMax = 2 * 24 * 60;
// Where the calendar of schedules ends: 9999-12-30.
constexpr sys_seconds kEnd =
    std::chrono::sys_days(std::chrono::year(9999) / std::chrono::December / 30);

constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kNamed{{
    {"@hourly", "0 * * * *"},
    {"@daily", "0 0 * * *"},
    {"@midnight", "0 0 * * *"},
    {"@weekly", "0 0 * * 0"},
    {"@monthly", "0 0 1 * *"},
    {"@yearly", "0 0 1 1 *"},
    {"@annually", "0 0 1 1 *"},
}};

std::string_view trim(std::string_view text) {
  const std::size_t start = text.find_first_not_of(" \t");
  if (start == std::string_view::npos) return {};
  return text.substr(start, text.find_last_not_of(" \t") - start + 1);
}

Result<milliseconds> parse_every(std::string_view text) {
  auto period = parse_duration(trim(text));
  if (!period) return period.error();
  if (*period < kEveryMin || *period > kEveryMax) {
    return Status(Code::kInvalidArgument, "@every: the period must be 100 ms to 366 days");
  }
  return *period;
}

}  // namespace

Result<Schedule> Schedule::parse(std::string_view text, TimeZone zone) {
  const std::string_view trimmed = trim(text);
  const auto failed = [trimmed](const Status& status) {
    return status.with_context("could not read schedule \"" + std::string(trimmed.substr(0, 200)) +
                               "\"");
  };
  if (trimmed.size() > kTextBytesMax) {
    return failed(Status(Code::kInvalidArgument, "it is longer than 1000 characters"));
  }
  Schedule schedule;
  schedule.text_ = std::string(trimmed);
  schedule.zone_ = std::move(zone);
  std::string_view fields = trimmed;
  if (trimmed.rfind("@every ", 0) == 0) {
    auto period = parse_every(trimmed.substr(7));
    if (!period) return failed(period.error());
    schedule.every_ = *period;
    return schedule;
  }
  if (!trimmed.empty() && trimmed.front() == '@') {
    const auto* const named =
        std::find_if(kNamed.begin(), kNamed.end(), [trimmed](const auto& name) {
          return name.first == trimmed;
        });
    if (named == kNamed.end()) {
      return failed(
          Status(Code::kInvalidArgument,
                 "known names are @hourly, @daily, @midnight, @weekly, @monthly, @yearly, "
                 "@annually and @every PERIOD"));
    }
    fields = named->second;
  }
  auto parsed = CronFields::parse(fields);
  if (!parsed) return failed(parsed.error());
  schedule.fields_ = *parsed;
  schedule.fields_.weekday_digits &= fields == trimmed;
  return schedule;
}

std::optional<WallTime> Schedule::next_after(WallTime time) const {
  if (time >= kEnd) return std::nullopt;
  if (every_.count() > 0) {
    // floor, not '/': due times before 1970 are multiples too.
    std::int64_t ticks = time.time_since_epoch() / every_;
    if (WallTime(every_ * ticks) > time) --ticks;
    return WallTime(every_ * (ticks + 1));
  }
  const auto after = floor<seconds>(time);
  return fields_.real_time ? next_real_time(after) : next_fixed_time(after);
}

// Follows real time: the clock's readings from one change of the offset to the next, in order.
std::optional<WallTime> Schedule::next_real_time(sys_seconds after) const {
  sys_seconds from = after + seconds(1);
  while (from < kEnd) {
    const seconds offset = zone_.offset_at(from);
    const auto local = fields_.next_local(zone_.to_local(from));
    if (!local) return std::nullopt;
    const sys_seconds due(local->time_since_epoch() - offset);
    const auto change = zone_.next_change_after(from);
    if (!change || due < *change) return WallTime(due);
    from = *change;
  }
  return std::nullopt;
}

// Each reading of the clock counts once: the first time if shown twice, at the jump if skipped. The
// instants of rising readings never fall, so the first one past `after` is the answer.
std::optional<WallTime> Schedule::next_fixed_time(sys_seconds after) const {
  auto from = zone_.to_local(after) + seconds(1);
  for (int i = 0; i < kTicksPerDayMax; ++i) {
    const auto local = fields_.next_local(from);
    if (!local) return std::nullopt;
    const sys_seconds due = zone_.to_instant(*local);
    if (due > after) return WallTime(due);
    from = *local + seconds(1);
  }
  return std::nullopt;
}

std::optional<WallTime> Schedule::latest_in(WallTime after, WallTime until) const {
  if (until <= after) return std::nullopt;
  if (every_.count() > 0) {
    const auto next = next_after(until);
    if (!next || *next - every_ <= after) return std::nullopt;
    return *next - every_;
  }
  // Look back twice as far each time: once a window holds a tick, all are in its older half.
  for (milliseconds window = minutes(2);; window *= 2) {
    const bool whole = window >= until - after;
    const WallTime from = whole ? after : until - window;
    std::optional<WallTime> tick = next_after(from);
    if (tick && *tick <= until) {
      for (auto next = tick; next && *next <= until; next = next_after(*next)) tick = next;
      return tick;
    }
    if (whole) return std::nullopt;
  }
}

std::string Schedule::warning() const {
  if (!fields_.weekday_digits) return "";
  return "schedule \"" + text_ +
         "\": weekday numbers are cron's, 0 and 7 are Sunday; Cloudflare counts from 1 = Sunday. "
         "Names (sun, mon) mean the same to both";
}

}  // namespace edged::worker
