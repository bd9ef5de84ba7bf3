// SPDX-License-Identifier: Apache-2.0
#include "proto/base/rfc3339.h"

namespace edged {
namespace {

// Takes exactly `digits` digits off the front of `text`.
std::optional<int> take_number(std::string_view& text, std::size_t digits) {
  if (text.size() < digits) return std::nullopt;
  int value = 0;
  for (const char c : text.substr(0, digits)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  text.remove_prefix(digits);
  return value;
}

bool take_character(std::string_view& text, std::string_view any_of) {
  if (text.empty() || any_of.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

// ".123456" gives 123; nothing there gives 0.
std::chrono::milliseconds take_fraction(std::string_view& text) {
  if (!take_character(text, ".")) return {};
  int milliseconds = 0;
  int scale = 100;
  while (const std::optional<int> digit = take_number(text, 1)) {
    milliseconds += *digit * scale;
    scale /= 10;
  }
  return std::chrono::milliseconds(milliseconds);
}

std::optional<std::chrono::minutes> take_offset(std::string_view& text) {
  if (take_character(text, "Zz")) return std::chrono::minutes(0);
  const bool is_west = !text.empty() && text.front() == '-';
  if (!take_character(text, "+-")) return std::nullopt;
  const std::optional<int> hours = take_number(text, 2);
  take_character(text, ":");
  const std::optional<int> minutes = text.empty() ? 0 : take_number(text, 2);
  if (!hours || !minutes || *hours > 23 || *minutes > 59) return std::nullopt;
  const std::chrono::minutes offset(*hours * 60 + *minutes);
  return is_west ? -offset : offset;
}

}  // namespace

std::optional<WallTime> parse_rfc3339(std::string_view text) {
  const std::optional<int> year = take_number(text, 4);
  const bool dash = take_character(text, "-");
  const std::optional<int> month = take_number(text, 2);
  const bool second_dash = take_character(text, "-");
  const std::optional<int> day = take_number(text, 2);
  const bool separator = take_character(text, "Tt ");
  const std::optional<int> hour = take_number(text, 2);
  const bool colon = take_character(text, ":");
  const std::optional<int> minute = take_number(text, 2);
  const bool second_colon = take_character(text, ":");
  const std::optional<int> second = take_number(text, 2);
  if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
  if (!dash || !second_dash || !separator || !colon || !second_colon) return std::nullopt;
  const std::chrono::milliseconds fraction = take_fraction(text);
  const std::optional<std::chrono::minutes> offset = take_offset(text);
  if (!offset || !text.empty() || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
         std::chrono::seconds(*second) + fraction - *offset;
}

}  // namespace edged
