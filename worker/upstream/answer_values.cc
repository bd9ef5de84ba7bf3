// SPDX-License-Identifier: Apache-2.0
// See answer_values.h.
#include "worker/upstream/answer_values.h"

#include <boost/json.hpp>
#include <charconv>
#include <cmath>

#include "proto/json/write_json.h"

namespace edged::upstream {
namespace {

namespace json = boost::json;

constexpr std::int64_t kSeatsMax = 1'000'000;  // far above any room, far below PostgreSQL's integer
constexpr std::size_t kTextBytesMax = 4096;
constexpr std::size_t kReasonBytesMax = 200;
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
  } else if (const auto* number = value.if_double()) {
    if (!std::isfinite(*number)) return false;
    out += write_json_number(*number);
  } else if (value.is_number()) {
    out += write_json(value);
  } else {
    return false;
  }
  return true;
}

}  // namespace

std::optional<std::int64_t> to_seats(const json::value* value,
                                     const std::vector<std::string>& zero_words) {
  if (value == nullptr) return std::nullopt;
  if (const auto* number = value->if_int64()) return bounded(*number);
  if (const auto* number = value->if_double()) {
    const bool whole =
        std::abs(*number) <= static_cast<double>(kSeatsMax) && *number == std::trunc(*number);
    if (whole) return static_cast<std::int64_t>(*number);
    return std::nullopt;
  }
  const auto* text = value->if_string();
  if (text == nullptr) return std::nullopt;
  if (is_one_of(*text, zero_words)) return 0;
  return parse_decimal(*text);
}

std::optional<std::string> to_text(const json::value* value) {
  std::string text;
  if (value == nullptr || !append_text(*value, text)) return std::nullopt;
  if (text.size() > kTextBytesMax || text.find('\0') != std::string::npos) return std::nullopt;
  return text;
}

std::string to_reason(const json::value* value) {
  if (value == nullptr || value->is_null()) return "no reason given";
  const auto* text = value->if_string();
  std::string words = text == nullptr ? write_json(*value) : std::string(*text);
  for (char& c : words) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  }
  if (is_blank(words)) return "no reason given";
  if (words.size() <= kReasonBytesMax) return words;
  std::size_t end = kReasonBytesMax;
  while (end > 0 && (static_cast<unsigned char>(words[end]) & 0xC0) == 0x80) --end;
  return words.substr(0, end) + "…";
}

bool is_blank(std::string_view text) {
  return text.find_first_not_of(kBlanks) == std::string_view::npos;
}

Status not_understood(std::string_view why) {
  return Status(Code::kCorruption,
                "could not understand the upstream's answer: " + std::string(why));
}

}  // namespace edged::upstream
