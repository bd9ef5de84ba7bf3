// SPDX-License-Identifier: Apache-2.0
// See text_numbers.h.
#include "kvstore/redis/text_numbers.h"

#include <array>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace edged::redis {
namespace {

constexpr std::size_t kFloatTextMax = 255;

// Judges the class at pattern[at] == '[' and moves `at` to its last byte.
bool class_holds(std::string_view pattern, std::size_t& at, char c) {
  ++at;
  const bool negated = at < pattern.size() && pattern[at] == '^';
  if (negated) ++at;
  bool found = false;
  for (; at < pattern.size() && pattern[at] != ']'; ++at) {
    if (pattern[at] == '\\' && at + 1 < pattern.size()) {
      ++at;
      found = found || pattern[at] == c;
    } else if (at + 2 < pattern.size() && pattern[at + 1] == '-') {
      auto low = static_cast<unsigned char>(pattern[at]);
      auto high = static_cast<unsigned char>(pattern[at + 2]);
      if (low > high) std::swap(low, high);
      const auto byte = static_cast<unsigned char>(c);
      found = found || (byte >= low && byte <= high);
      at += 2;
    } else {
      found = found || pattern[at] == c;
    }
  }
  return found != negated;
}

// Whether the pattern's element at `at` takes `c`; `at` moves behind the element.
bool element_takes(std::string_view pattern, std::size_t& at, char c) {
  switch (pattern[at]) {
    case '?':
      ++at;
      return true;
    case '[': {
      const bool held = class_holds(pattern, at, c);
      if (at < pattern.size()) ++at;
      return held;
    }
    case '\\':
      if (at + 1 < pattern.size()) ++at;
      [[fallthrough]];
    default:
      return pattern[at++] == c;
  }
}

}  // namespace

std::optional<long double> to_float(std::string_view text) {
  if (text.empty() || text.size() > kFloatTextMax) return std::nullopt;
  const auto first = static_cast<unsigned char>(text.front());
  if (first <= ' ' || text.find('\0') != std::string_view::npos) return std::nullopt;
  const std::string copy(text);
  char* end = nullptr;
  errno = 0;
  const long double number = std::strtold(copy.c_str(), &end);
  if (end != copy.c_str() + copy.size() || std::isnan(number)) return std::nullopt;
  if (errno == ERANGE && (std::isinf(number) || number == 0)) return std::nullopt;
  return number;
}

std::string float_text(long double number) {
  std::array<char, 6000> text;  // the largest long double has 4,933 digits
  const int size = std::snprintf(text.data(), text.size(), "%.17Lf", number);
  std::string_view written(text.data(), static_cast<std::size_t>(size));
  while (written.ends_with('0')) written.remove_suffix(1);
  if (written.ends_with('.')) written.remove_suffix(1);
  return written == "-0" ? std::string("0") : std::string(written);
}

// A "*" is tried again from the last one only, which is enough: an earlier one could take no more.
bool matches_glob(std::string_view pattern, std::string_view text) {
  std::size_t at = 0, byte = 0;
  std::size_t star = std::string_view::npos, star_byte = 0;
  for (;;) {
    if (at < pattern.size() && pattern[at] == '*') {
      star = ++at;
      star_byte = byte;
      continue;
    }
    if (byte == text.size()) break;
    if (at < pattern.size() && element_takes(pattern, at, text[byte])) {
      ++byte;
      continue;
    }
    if (star == std::string_view::npos) return false;
    at = star;
    byte = ++star_byte;
  }
  return at == pattern.size();
}

std::string glob_prefix(std::string_view pattern) {
  std::string prefix;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '*' || c == '?' || c == '[') break;
    if (c == '\\' && i + 1 < pattern.size()) ++i;
    prefix += pattern[i];
  }
  return prefix;
}

}  // namespace edged::redis
