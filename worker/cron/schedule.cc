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

constexpr std::string_view kBlanks = " \t\r\n\v\f";

std::string_view trim(std::string_view text) {
  const std::size_t start = text.find_first_not_of(kBlanks);
  if (start == std::string_view::npos) return {};
  return text.substr(start, text.find_last_not_of(kBlanks) - start + 1);
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return result;
}

Status every_refused(const std::string& why) {
  return {Code::kInvalidArgument, "@every: " + why};
}

// "90s", "1.5h", "1h30m": durations one after the other, whose sum is the period.
Result<milliseconds> parse_every(std::string_view text) {
  constexpr std::string_view kNumber = "0123456789.";
  text = trim(text);
  if (text.empty()) return every_refused("the period is missing. Write one such as 90s or 1h30m");
  milliseconds period{0};
  while (!text.empty()) {
    const std::size_t unit = std::min(text.find_first_not_of(kNumber), text.size());
    const std::size_t end = std::min(text.find_first_of(kNumber, unit), text.size());
    const auto part = parse_duration(trim(text.substr(0, end)));
    if (!part) return part.error().with_context("@every");
    period += *part;  // each is at most 100 years, so that the check comes long before an overflow
    if (period > kEveryMax) break;
    text.remove_prefix(end);
  }
  if (period < kEveryMin || period > kEveryMax) {
    return every_refused("the period must be 100 ms to 366 days");
  }
  return period;
}

Result<std::string_view> fields_of_name(std::string_view text) {
  const std::string name = lower(text);
  for (const auto& [known, fields] : kNamed) {
    if (known == name) return fields;
  }
  if (name == "@reboot") {
    return Status(Code::kInvalidArgument,
                  "@reboot is not supported: a schedule names times, and the start of a worker is "
                  "not one. To start a job once, run: edged cron run NAME");
  }
  return Status(
      Code::kInvalidArgument,
      "unknown name. The names are @hourly, @daily, @midnight, @weekly, @monthly, @yearly, "
      "@annually and @every PERIOD");
}

// Whether the first word of `text` is `word`, in either case.
bool begins_with_word(std::string_view text, std::string_view word) {
  return lower(text.substr(0, text.find_first_of(kBlanks))) == word;
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
  if (begins_with_word(trimmed, "@every")) {
    auto period = parse_every(trimmed.substr(std::string_view("@every").size()));
    if (!period) return failed(period.error());
    schedule.every_ = *period;
    return schedule;
  }
  if (!trimmed.empty() && trimmed.front() == '@') {
    const auto named = fields_of_name(trimmed);
    if (!named) return failed(named.error());
    fields = *named;
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

// Follows real time: what clocks show one moment after the other. They show a reading twice if they
// were put back, and never if they skip it.
std::optional<WallTime> Schedule::next_real_time(sys_seconds after) const {
  using Kind = TimeZone::Reading::Kind;
  sys_seconds from = after + seconds(1);
  while (from < kEnd) {
    const auto local_from = zone_.to_local(from);
    const auto local = fields_.next_local(local_from);
    const auto begin = zone_.look_up(local_from);
    if (begin.kind == Kind::kRepeated && from < begin.change) {
      // Clocks will be put back at begin.change: a later reading counts only if it comes before.
      const auto due = local ? zone_.look_up(*local).first : begin.change;
      if (due >= from && due < begin.change) return WallTime(due);
      from = begin.change;
      continue;
    }
    if (!local) return std::nullopt;
    const auto due = zone_.look_up(*local);
    if (due.kind != Kind::kSkipped) return WallTime(due.first >= from ? due.first : due.last);
    from = due.change;
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
         "\": its weekday numbers count as in cron, where 0 and 7 are Sunday and 1 is Monday. "
         "Cloudflare counts 1 as Sunday. Write names (sun, mon), which mean the same to both";
}

}  // namespace edged::worker
