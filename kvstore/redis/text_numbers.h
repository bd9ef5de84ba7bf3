// SPDX-License-Identifier: Apache-2.0
// Numbers as the Redis protocol and Redis's string values write them. Pure; any thread.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace edged::redis {

// A 64-bit integer in the one form that Redis accepts: no blank, no "+", no leading zero, no "-0".
inline std::optional<std::int64_t> to_integer(std::string_view text) {
  if (text.empty() || (text[0] == '0' && text.size() > 1)) return std::nullopt;
  if (text[0] == '-' && (text.size() == 1 || text[1] == '0')) return std::nullopt;
  std::int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [last, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || last != end) return std::nullopt;
  return number;
}

// A finite or infinite number as strtold reads it, without blanks and not "nan".
std::optional<long double> to_float(std::string_view text);
// At most 17 digits behind the point, without zeros at the end: "3.1", "5e+20" is written out.
std::string float_text(long double number);

// True if `text` matches the pattern with "*", "?", "[a-c]", "[^x]" and "\": Redis's KEYS. Work is
// bounded by the product of the lengths.
bool matches_glob(std::string_view pattern, std::string_view text);
// The bytes before the first special character: every match begins with them.
std::string glob_prefix(std::string_view pattern);

}  // namespace edged::redis
