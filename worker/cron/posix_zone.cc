// SPDX-License-Identifier: Apache-2.0
#include "worker/cron/posix_zone.h"

#include <algorithm>
#include <cctype>
#include <string>

namespace edged::worker {

using std::chrono::days;
using std::chrono::seconds;
using std::chrono::sys_days;
using std::chrono::sys_seconds;
using std::chrono::year;

// Reads from the front; the first thing that does not fit makes `failed` and everything after
// empty.
class PosixZone::Parser {
 public:
  explicit Parser(std::string_view text) : rest_(text) {}

  bool failed() const { return failed_; }
  bool at_end() const { return rest_.empty(); }

  bool take(char expected) {
    if (rest_.empty() || rest_.front() != expected) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void need(char expected) { failed_ |= !take(expected); }

  // "EST" or "<+03>"; only its form is of interest.
  void skip_name() {
    if (take('<')) {
      const std::size_t end = rest_.find('>');
      failed_ |= end == std::string_view::npos;
      rest_.remove_prefix(std::min(rest_.size(), end == std::string_view::npos ? end : end + 1));
      return;
    }
    std::size_t length = 0;
    while (length < rest_.size() && std::isalpha(static_cast<unsigned char>(rest_[length]))) {
      ++length;
    }
    failed_ |= length < 3;
    rest_.remove_prefix(length);
  }

  unsigned number(unsigned low, unsigned high) {
    unsigned value = 0;
    std::size_t digits = 0;
    while (digits < rest_.size() && digits < 4 && rest_[digits] >= '0' && rest_[digits] <= '9') {
      value = value * 10 + static_cast<unsigned>(rest_[digits++] - '0');
    }
    rest_.remove_prefix(digits);
    failed_ |= digits == 0 || value < low || value > high;
    return value;
  }

  // "[+-]h[h[h]][:mm[:ss]]"
  seconds time() {
    const bool negative = take('-');
    if (!negative) take('+');
    seconds total = std::chrono::hours(number(0, 167));
    if (take(':')) {
      total += std::chrono::minutes(number(0, 59));
      if (take(':')) total += seconds(number(0, 59));
    }
    return negative ? -total : total;
  }

  Rule rule() {
    Rule rule;
    if (take('M')) {
      rule.month = number(1, 12);
      need('.');
      rule.week = number(1, 5);
      need('.');
      rule.weekday = number(0, 6);
    } else if (take('J')) {
      rule.kind = DayKind::kJulianNoLeap;
      rule.day = static_cast<int>(number(1, 365));
    } else {
      rule.kind = DayKind::kZeroBased;
      rule.day = static_cast<int>(number(0, 365));
    }
    if (take('/')) rule.time = time();
    return rule;
  }

 private:
  std::string_view rest_;
  bool failed_ = false;
};

Result<PosixZone> PosixZone::parse(std::string_view text) {
  PosixZone zone;
  Parser parser(text);
  parser.skip_name();
  zone.standard_ = -parser.time();  // POSIX counts west of Greenwich as positive
  if (!parser.at_end()) {
    zone.has_summer_ = true;
    parser.skip_name();
    zone.summer_ = zone.standard_ + std::chrono::hours(1);
    if (!parser.take(',')) {
      zone.summer_ = -parser.time();
      parser.need(',');
    }
    zone.to_summer_ = parser.rule();
    parser.need(',');
    zone.to_standard_ = parser.rule();
  }
  if (parser.failed() || !parser.at_end()) {
    return Status(Code::kInvalidArgument,
                  "could not read the time zone rule \"" + std::string(text.substr(0, 80)) + "\"");
  }
  return zone;
}

sys_days PosixZone::day_in(const Rule& rule, year in) {
  const sys_days first = in / std::chrono::January / 1;
  if (rule.kind == DayKind::kZeroBased) return first + days(rule.day);
  if (rule.kind == DayKind::kJulianNoLeap) {
    return first + days(rule.day - 1 + (in.is_leap() && rule.day >= 60 ? 1 : 0));
  }
  const std::chrono::month month(rule.month);
  const std::chrono::weekday weekday(rule.weekday);
  if (rule.week == 5) return sys_days(in / month / weekday[std::chrono::last]);
  return sys_days(in / month / weekday[rule.week]);
}

// In order. A change from summer time that meets the next one to it stands before it, so that
// summer time all year round is seen as such.
std::vector<PosixZone::Change> PosixZone::changes_around(sys_seconds time) const {
  const std::chrono::year_month_day date(std::chrono::floor<days>(time));
  std::vector<Change> changes;
  for (int offset = -1; offset <= 2; ++offset) {
    const year in = date.year() + std::chrono::years(offset);
    changes.push_back({day_in(to_summer_, in) + to_summer_.time - standard_, summer_});
    changes.push_back({day_in(to_standard_, in) + to_standard_.time - summer_, standard_});
  }
  std::stable_sort(
      changes.begin(), changes.end(), [](const Change& a, const Change& b) { return a.at < b.at; });
  return changes;
}

seconds PosixZone::offset_at(sys_seconds time) const {
  seconds offset = standard_;
  if (!has_summer_) return offset;
  for (const Change& change : changes_around(time)) {
    if (change.at > time) break;
    offset = change.offset;
  }
  return offset;
}

std::optional<sys_seconds> PosixZone::next_change_after(sys_seconds time) const {
  if (!has_summer_) return std::nullopt;
  const seconds before = offset_at(time);
  for (const Change& change : changes_around(time)) {
    if (change.at > time && offset_at(change.at) != before) return change.at;
  }
  return std::nullopt;
}

}  // namespace edged::worker
