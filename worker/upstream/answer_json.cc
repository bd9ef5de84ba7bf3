// SPDX-License-Identifier: Apache-2.0
// The repair is a scan that knows strings, escapes and numbers, and no more of JSON's grammar: what
// it does not know it copies, and the parser judges it.
#include "worker/upstream/answer_json.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <charconv>
#include <cstdio>
#include <optional>

#include "proto/base/utf8.h"
#include "worker/upstream/answer_values.h"

namespace edged::upstream {
namespace {

namespace json = boost::json;

constexpr std::size_t kDepthMax = 256;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::string_view kHexDigits = "0123456789abcdefABCDEF";
constexpr std::size_t kUnicodeEscapeSize = 6;  // \u0041

bool is_utf16_or_utf32(std::string_view body) {
  const bool has_mark = body.starts_with("\xFF\xFE") || body.starts_with("\xFE\xFF");
  // JSON begins with ASCII, so that the zero bytes of wider characters stand out.
  return has_mark || body.substr(0, 2).find('\0') != body.npos;
}

Result<json::value> parse(std::string_view text) {
  json::parse_options options;
  options.max_depth = kDepthMax;
  json::error_code error;
  json::value value = json::parse(json::string_view(text.data(), text.size()), error, {}, options);
  if (error) return not_understood("it is not JSON: " + error.message());
  return value;
}

// The code unit of the escape "\uXXXX" at the front of `text`.
std::optional<unsigned> unicode_escape(std::string_view text) {
  if (text.size() < kUnicodeEscapeSize || !text.starts_with("\\u")) return std::nullopt;
  const std::string_view digits = text.substr(2, 4);
  if (digits.find_first_not_of(kHexDigits) != digits.npos) return std::nullopt;
  unsigned unit = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), unit, 16);
  return unit;
}

bool is_high_surrogate(unsigned unit) {
  return unit >= 0xD800 && unit < 0xDC00;
}

bool is_low_surrogate(unsigned unit) {
  return unit >= 0xDC00 && unit < 0xE000;
}

class Repair {
 public:
  explicit Repair(std::string_view text) : rest_(text) {}

  std::string run() {
    if (rest_.starts_with(kByteOrderMark)) rest_.remove_prefix(kByteOrderMark.size());
    while (!rest_.empty()) {
      if (in_string_) {
        take_in_string();
      } else {
        take_outside();
      }
    }
    return std::move(out_);
  }

 private:
  void copy(std::size_t count) {
    out_ += rest_.substr(0, count);
    rest_.remove_prefix(std::min(count, rest_.size()));
  }

  void replace(std::size_t count, std::string_view with) {
    out_ += with;
    rest_.remove_prefix(count);
  }

  void take_in_string() {
    const char first = rest_.front();
    if (first == '"') in_string_ = false;
    if (first == '\\') return take_escape();
    if (static_cast<unsigned char>(first) < 0x20) {
      std::array<char, 8> escaped{};
      std::snprintf(escaped.data(), escaped.size(), "\\u%04x", static_cast<unsigned>(first));
      return replace(1, escaped.data());
    }
    const std::size_t length = utf8_character_bytes(rest_);
    if (length == 0) return replace(1, kReplacementCharacter);
    copy(length);
  }

  void take_escape() {
    if (rest_.size() == 1) return copy(1);
    const std::optional<unsigned> unit = unicode_escape(rest_);
    if (unit) return take_unicode_escape(*unit);
    if (std::string_view("\"\\/bfnrt").find(rest_[1]) != std::string_view::npos) return copy(2);
    replace(1, "\\\\");
  }

  void take_unicode_escape(unsigned unit) {
    if (is_high_surrogate(unit)) {
      const std::optional<unsigned> next = unicode_escape(rest_.substr(kUnicodeEscapeSize));
      if (next && is_low_surrogate(*next)) return copy(2 * kUnicodeEscapeSize);
    }
    if (is_high_surrogate(unit) || is_low_surrogate(unit)) {
      return replace(kUnicodeEscapeSize, kReplacementCharacter);
    }
    copy(kUnicodeEscapeSize);
  }

  void take_outside() {
    const char first = rest_.front();
    if (first == '"') in_string_ = true;
    for (const std::string_view word : {"NaN", "Infinity", "-Infinity"}) {
      if (rest_.starts_with(word)) return replace(word.size(), "null");
    }
    const bool is_number = first == '-' || (first >= '0' && first <= '9');
    if (!is_number) return copy(1);
    const std::size_t length = std::min(rest_.find_first_not_of("+-.0123456789eE"), rest_.size());
    double unused = 0;
    const auto read = std::from_chars(rest_.data(), rest_.data() + length, unused);
    if (read.ec == std::errc::result_out_of_range) return replace(length, "null");
    copy(length);
  }

  std::string_view rest_;
  std::string out_;
  bool in_string_ = false;
};

}  // namespace

std::string repair_json(std::string_view text) {
  return Repair(text).run();
}

Result<json::value> parse_answer_json(std::string_view body) {
  if (is_utf16_or_utf32(body)) {
    return not_understood("it is UTF-16 or UTF-32, but JSON must be UTF-8");
  }
  Result<json::value> parsed = parse(body);
  if (parsed) return parsed;
  return parse(repair_json(body));
}

}  // namespace edged::upstream
