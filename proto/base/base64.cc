// SPDX-License-Identifier: Apache-2.0
#include "proto/base/base64.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace edged {

namespace {

constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

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
  std::string out;
  out.reserve(digits / 4 * 3 + 2);
  std::uint32_t group = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    const std::size_t value = kDigits.find(text[i]);
    if (value == std::string_view::npos) return std::nullopt;
    group = group << 6 | static_cast<std::uint32_t>(value);
    if (i % 4 == 0) continue;
    out += static_cast<char>(group >> (6 - 2 * (i % 4)) & 0xff);
  }
  return out;
}

}  // namespace edged
