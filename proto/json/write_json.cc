// SPDX-License-Identifier: Apache-2.0
#include "proto/json/write_json.h"

#include <array>
#include <charconv>
#include <cmath>

#include "proto/base/check.h"

namespace edged {
namespace {

namespace json = boost::json;

// Between these, numbers are written without an exponent (ECMA-262, Number::toString).
constexpr double kPlainMin = 1e-6;
constexpr double kPlainEnd = 1e21;

void append(const json::value& value, std::string& out);

void append(const json::object& object, std::string& out) {
  out += '{';
  bool is_first = true;
  for (const auto& member : object) {
    if (!is_first) out += ',';
    is_first = false;
    out += json::serialize(member.key());
    out += ':';
    append(member.value(), out);
  }
  out += '}';
}

void append(const json::array& array, std::string& out) {
  out += '[';
  bool is_first = true;
  for (const json::value& element : array) {
    if (!is_first) out += ',';
    is_first = false;
    append(element, out);
  }
  out += ']';
}

void append(const json::value& value, std::string& out) {
  if (const auto* number = value.if_double()) {
    out += write_json_number(*number);
  } else if (const auto* object = value.if_object()) {
    append(*object, out);
  } else if (const auto* array = value.if_array()) {
    append(*array, out);
  } else {
    out += json::serialize(value);
  }
}

}  // namespace

std::string write_json(const json::value& value) {
  std::string out;
  append(value, out);
  return out;
}

std::string write_json(const json::object& object) {
  std::string out;
  append(object, out);
  return out;
}

std::string write_json(const json::array& array) {
  std::string out;
  append(array, out);
  return out;
}

std::string write_json_string(std::string_view text) {
  return json::serialize(json::string_view(text.data(), text.size()));
}

std::string write_json_number(double number) {
  if (!std::isfinite(number)) return "null";
  const double size = std::abs(number);
  const bool is_plain = size == 0 || (size >= kPlainMin && size < kPlainEnd);
  std::array<char, 64> text{};
  const auto [end, error] =
      std::to_chars(text.data(),
                    text.data() + text.size(),
                    number,
                    is_plain ? std::chars_format::fixed : std::chars_format::scientific);
  KV_CHECK(error == std::errc());
  return std::string(text.data(), end);
}

}  // namespace edged
