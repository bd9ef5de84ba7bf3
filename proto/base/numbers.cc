// SPDX-License-Identifier: Apache-2.0
#include "proto/base/numbers.h"

#include <charconv>
#include <string>

namespace edged {
namespace {

Status refused(std::string_view text, const std::string& why) {
  return {Code::kInvalidArgument, "\"" + std::string(text) + "\" " + why};
}

// Ok if `text` has the form of a whole number, whatever its size.
Status check_form(std::string_view text) {
  if (text.empty()) return refused(text, "is empty: a whole number is expected");
  const bool negative = text.front() == '-';
  const std::string_view digits = text.substr(negative ? 1 : 0);
  if (digits.empty() || digits.find_first_not_of("0123456789") != std::string_view::npos) {
    return refused(text, "is not a whole number in decimal digits");
  }
  if (digits.size() > 1 && digits.front() == '0') {
    return refused(text, "begins with a zero. Write decimal digits without leading zeros");
  }
  return {};
}

template <typename Number>
Result<Number> parse(std::string_view text, Number min, Number max) {
  const Status form = check_form(text);
  if (!form.ok()) return form;
  Number number = 0;
  const char* const end = text.data() + text.size();
  const auto [last, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || last != end || number < min || number > max) {
    return refused(
        text,
        "is out of range: " + std::to_string(min) + " to " + std::to_string(max) + " is allowed");
  }
  return number;
}

}  // namespace

Result<std::int64_t> parse_int64(std::string_view text, std::int64_t min, std::int64_t max) {
  return parse<std::int64_t>(text, min, max);
}

Result<std::uint64_t> parse_uint64(std::string_view text, std::uint64_t min, std::uint64_t max) {
  return parse<std::uint64_t>(text, min, max);
}

}  // namespace edged
