// SPDX-License-Identifier: Apache-2.0
// CronFields: the parser of five-field expressions and the search through the calendar.
#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <vector>

#include "worker/cron/schedule.h"

namespace edged::worker {

using std::chrono::days;
using std::chrono::local_days;
using std::chrono::local_seconds;
using std::chrono::year_month_day;

namespace {

// The longest gap between two matches is 40 years: 29 February on a given weekday around 2100.
constexpr days kSearchDays{41 * 366};

constexpr std::string_view kBlanks = " \t\r\n\v\f";

struct FieldRule {
  std::string_view name;
  int low, high;
  std::vector<std::string_view> names;  // of low, low + 1, ...
};

const FieldRule& rule_of(std::size_t field) {
  static const std::array<FieldRule, 5> kRules{{
      {"minute", 0, 59, {}},
      {"hour", 0, 23, {}},
      {"day of month", 1, 31, {}},
      {"month",
       1,
       12,
       {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
      {"day of week", 0, 7, {"sun", "mon", "tue", "wed", "thu", "fri", "sat"}},
  }};
  return kRules[field];
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return result;
}

struct Value {
  int number = 0;
  bool named = false;
};

// "L", "15W", "fri#2", "?": what Quartz and Cloudflare add to cron.
bool is_quartz(std::string_view text, const FieldRule& rule) {
  if (text.find_first_of("#?") != std::string_view::npos) return true;
  const std::string word = lower(text);
  const std::size_t end = word.find_last_not_of("lw");
  if (end + 1 == word.size()) return false;
  const std::string before = word.substr(0, end + 1);
  return before.find_first_not_of("0123456789") == std::string::npos ||
         std::find(rule.names.begin(), rule.names.end(), before) != rule.names.end();
}

Status not_a_value(std::string_view text, const FieldRule& rule) {
  if (text.empty()) return {Code::kInvalidArgument, "a value is missing"};
  const std::string quoted = "\"" + std::string(text) + "\"";
  if (is_quartz(text, rule)) {
    return {Code::kInvalidArgument,
            quoted + " is not supported: L, W, # and ? are no part of cron"};
  }
  if (rule.names.empty()) return {Code::kInvalidArgument, quoted + " is not a number"};
  return {Code::kInvalidArgument,
          quoted + " is neither a number nor a name. Names have three letters: " +
              std::string(rule.names.front()) + " to " + std::string(rule.names.back())};
}

Result<Value> parse_value(std::string_view text, const FieldRule& rule) {
  for (std::size_t i = 0; i < rule.names.size(); ++i) {
    if (lower(text) == rule.names[i]) {
      return Value{rule.low + static_cast<int>(i), true};
    }
  }
  Value value;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value.number);
  if (text.empty() || text.front() == '-' || parsed.ptr != end ||
      parsed.ec == std::errc::invalid_argument) {
    return not_a_value(text, rule);
  }
  if (parsed.ec != std::errc() || value.number < rule.low || value.number > rule.high) {
    return Status(Code::kInvalidArgument,
                  std::string(text) + " is not in " + std::to_string(rule.low) + "-" +
                      std::to_string(rule.high));
  }
  return value;
}

// Calls set(value) for each value of one member of a list: "*", "5", "1-5", each maybe with
// "/step".
template <typename Set>
Status parse_member(std::string_view text, const FieldRule& rule, bool& digits, Set set) {
  const std::size_t slash = text.find('/');
  const std::string_view range = text.substr(0, slash);
  int low = rule.low;
  // A bare "*" in the weekday field is 0-6: 7 is Sunday again, and would upset a step.
  int high = rule.high == 7 ? 6 : rule.high;
  const std::size_t dash = range.find('-');
  if (range != "*") {
    auto first = parse_value(range.substr(0, dash), rule);
    if (!first) return first.error();
    digits |= !first->named;
    low = first->number;
    // "5/15" is "from 5 on, every 15", as in "5-59/15"; "7/2" begins on a Sunday too.
    if (slash == std::string_view::npos) {
      high = low;
    } else if (rule.high == 7 && low == 7) {
      low = 0;
    }
  }
  if (dash != std::string_view::npos && range != "*") {
    auto last = parse_value(range.substr(dash + 1), rule);
    if (!last) return last.error();
    digits |= !last->named;
    high = last->number;
    if (rule.high == 7 && last->named && high == 0 && low > 0) high = 7;  // "fri-sun"
    if (high < low) {
      return {Code::kInvalidArgument, "the range " + std::string(range) + " ends before it begins"};
    }
  }
  int step = 1;
  if (slash != std::string_view::npos) {
    const std::string_view digits_of_step = text.substr(slash + 1);
    const char* end = digits_of_step.data() + digits_of_step.size();
    const auto parsed = std::from_chars(digits_of_step.data(), end, step);
    if (digits_of_step.empty() || parsed.ec != std::errc() || parsed.ptr != end || step < 1 ||
        step > rule.high) {
      return {Code::kInvalidArgument,
              "the step \"" + std::string(digits_of_step) + "\" is not in 1-" +
                  std::to_string(rule.high)};
    }
  }
  for (int value = low; value <= high; value += step) set(value);
  return {};
}

template <typename Set>
Status parse_field(std::string_view text, std::size_t field, bool& digits, Set set) {
  const FieldRule& rule = rule_of(field);
  while (true) {
    const std::size_t comma = text.find(',');
    const Status status = parse_member(text.substr(0, comma), rule, digits, set);
    if (!status.ok()) return status.with_context(rule.name);
    if (comma == std::string_view::npos) return {};
    text.remove_prefix(comma + 1);
  }
}

std::vector<std::string_view> split_words(std::string_view text) {
  std::vector<std::string_view> words;
  while (true) {
    const std::size_t start = text.find_first_not_of(kBlanks);
    if (start == std::string_view::npos) return words;
    text.remove_prefix(start);
    const std::size_t end = text.find_first_of(kBlanks);
    words.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return words;
    text.remove_prefix(end);
  }
}

Status wrong_number_of_fields(const std::vector<std::string_view>& words) {
  std::string why = "it has " + std::to_string(words.size()) +
                    (words.size() == 1 ? " field" : " fields") +
                    ", not 5 (minute, hour, day of month, month, day of week)";
  if (!words.empty() && words[0].find("TZ=") != std::string_view::npos) {
    why += ". Set time_zone of the job instead of " + std::string(words[0]);
  } else if (words.size() == 6 || words.size() == 7) {
    why +=
        ". Seconds, years and commands are not supported; for a period below a minute write @every";
  }
  return {Code::kInvalidArgument, why};
}

// Days of each month in a leap year.
constexpr std::array<int, 13> kMonthDays{0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

}  // namespace

Result<CronFields> CronFields::parse(std::string_view text) {
  const std::vector<std::string_view> words = split_words(text);
  if (words.size() != 5) return wrong_number_of_fields(words);
  CronFields fields;
  bool digits = false;
  Status status = parse_field(words[0], 0, digits, [&](int v) { fields.minutes.set(v); });
  if (status.ok()) status = parse_field(words[1], 1, digits, [&](int v) { fields.hours.set(v); });
  if (status.ok()) status = parse_field(words[2], 2, digits, [&](int v) { fields.days.set(v); });
  if (status.ok()) status = parse_field(words[3], 3, digits, [&](int v) { fields.months.set(v); });
  digits = false;
  if (status.ok()) {
    status = parse_field(words[4], 4, digits, [&](int v) { fields.weekdays.set(v % 7); });
  }
  if (!status.ok()) return status;
  fields.real_time = words[0].front() == '*' || words[1].front() == '*';
  fields.any_day = words[2].front() == '*';
  fields.any_weekday = words[4].front() == '*';
  fields.weekday_digits = digits;

  // With a weekday of its own a day matches by that; otherwise some month must be long enough.
  bool possible = !fields.any_day && !fields.any_weekday;
  for (int month = 1; month <= 12 && !possible; ++month) {
    if (!fields.months.test(month)) continue;
    for (int day = 1; day <= kMonthDays[month]; ++day) possible |= fields.days.test(day);
  }
  if (!possible) {
    return Status(Code::kInvalidArgument,
                  "day of month: no month of \"" + std::string(words[3]) + "\" has a day " +
                      std::string(words[2]));
  }
  return fields;
}

bool CronFields::matches(year_month_day date) const {
  if (!months.test(static_cast<unsigned>(date.month()))) return false;
  const bool day = days.test(static_cast<unsigned>(date.day()));
  const bool weekday =
      weekdays.test(std::chrono::weekday(std::chrono::sys_days(date)).c_encoding());
  return any_day || any_weekday ? day && weekday : day || weekday;
}

std::optional<local_seconds> CronFields::next_local(local_seconds from) const {
  const auto minute = std::chrono::ceil<std::chrono::minutes>(from);
  local_days day = std::chrono::floor<std::chrono::days>(minute);
  const auto of_day = minute - day;
  int start = static_cast<int>(of_day / std::chrono::minutes(1));
  for (const local_days end = day + kSearchDays; day < end;
       day += std::chrono::days(1), start = 0) {
    const year_month_day date(day);
    if (date.year() > std::chrono::year(9999)) return std::nullopt;
    if (!matches(date)) continue;
    for (int hour = start / 60; hour < 24; ++hour) {
      if (!hours.test(hour)) continue;
      for (int m = hour == start / 60 ? start % 60 : 0; m < 60; ++m) {
        if (minutes.test(m)) return day + std::chrono::hours(hour) + std::chrono::minutes(m);
      }
    }
  }
  return std::nullopt;
}

}  // namespace edged::worker
