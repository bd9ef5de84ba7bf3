// SPDX-License-Identifier: Apache-2.0
// See answer_values.h.
#include "worker/upstream/answer_values.h"

#include <boost/json.hpp>
#include <charconv>
#include <cmath>

namespace edged::upstream {
namespace {

namespace json = boost::json;

constexpr std::int64_t kSeatsMax = 1'000'000;  // far above any room, far below PostgreSQL's integer
constexpr std::size_t kTextBytesMax = 4096;
constexpr std::string_view kBlanks = " \t\r\n\f\v";

std::optional<std::int64_t> bounded(std::int64_t number) {
  if (number < -kSeatsMax || number > kSeatsMax) return std::nullopt;
  return number;
}

std::optional<std::int64_t> parse_decimal(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return std::nullopt;
  text = text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return bounded(number);
}

// Appends the text of a string, a number, or a list of them; false for anything else.
bool append_text(const json::value& value, std::string& out) {
  if (const auto* list = value.if_array()) {
    for (const json::value& one : *list) {
      std::string text;
      if (!append_text(one, text)) return false;
      if (is_blank(text)) continue;
      if (!out.empty()) out += ", ";
      out += text;
    }
    return true;
  }
  if (const auto* text = value.if_string()) {
    out += std::string_view(*text);
  } else if (value.is_number()) {
    out += json::serialize(value);
  } else {
    return false;
  }
  return true;
}

}  // namespace

std::optional<std::int64_t> to_seats(const json::value* value) {
  if (value == nullptr) return std::nullopt;
  if (const auto* number = value->if_int64()) return bounded(*number);
  if (const auto* number = value->if_double()) {
    const bool whole =
        std::abs(*number) <= static_cast<double>(kSeatsMax) && *number == std::trunc(*number);
    if (whole) return static_cast<std::int64_t>(*number);
    return std::nullopt;
  }
  if (const auto* text = value->if_string()) return parse_decimal(*text);
  return std::nullopt;
}

std::optional<std::string> to_text(const json::value* value) {
  std::string text;
  if (value == nullptr || !append_text(*value, text)) return std::nullopt;
  if (text.size() > kTextBytesMax || text.find('\0') != std::string::npos) return std::nullopt;
  return text;
}

bool is_blank(std::string_view text) {
  return text.find_first_not_of(kBlanks) == std::string_view::npos;
}

Status not_understood(std::string_view why) {
  return Status(Code::kCorruption,
                "could not understand the upstream's answer: " + std::string(why));
}

}  // namespace edged::upstream
