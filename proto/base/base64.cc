// SPDX-License-Identifier: Apache-2.0
#include "proto/base/base64.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace edged {

namespace {

constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t kNone = 0xff;

// The value of each byte as a digit; kNone: it is none.
constexpr std::array<std::uint8_t, 256> kValues = [] {
  std::array<std::uint8_t, 256> values{};
  values.fill(kNone);
  for (std::size_t i = 0; i < kDigits.size(); ++i) {
    values[static_cast<std::uint8_t>(kDigits[i])] = static_cast<std::uint8_t>(i);
  }
  return values;
}();

std::uint32_t value_of(char digit) {
  return kValues[static_cast<std::uint8_t>(digit)];
}

}  // namespace

std::string to_base64(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      group = group << 8 | (k < count ? static_cast<std::uint8_t>(bytes[i + k]) : 0U);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      out += k <= count ? kDigits[group >> (18 - 6 * k) & 63] : '=';
    }
  }
  return out;
}

std::optional<std::string> from_base64(std::string_view text) {
  const std::size_t digits = std::min(text.find_last_not_of('=') + 1, text.size());
  const std::size_t padding = text.size() - digits;
  const std::size_t rest = digits % 4;
  if (rest == 1 || (padding != 0 && (rest == 0 || padding != 4 - rest))) return std::nullopt;
  std::string out(digits * 3 / 4, '\0');
  auto at = out.begin();
  const std::size_t whole = digits - rest;
  for (std::size_t i = 0; i < whole; i += 4) {
    const std::uint32_t a = value_of(text[i]), b = value_of(text[i + 1]);
    const std::uint32_t c = value_of(text[i + 2]), d = value_of(text[i + 3]);
    if ((a | b | c | d) == kNone) return std::nullopt;
    const std::uint32_t group = a << 18 | b << 12 | c << 6 | d;
    *at++ = static_cast<char>(group >> 16);
    *at++ = static_cast<char>(group >> 8 & 0xff);
    *at++ = static_cast<char>(group & 0xff);
  }
  std::uint32_t group = 0;
  for (std::size_t i = whole; i < digits; ++i) {
    const std::uint32_t value = value_of(text[i]);
    if (value == kNone) return std::nullopt;
    group = group << 6 | value;
    if (i > whole) *at++ = static_cast<char>(group >> (i == whole + 1 ? 4 : 2) & 0xff);
  }
  return out;
}

}  // namespace edged
