// SPDX-License-Identifier: Apache-2.0
#include "tools/kvctl/position.h"

#include <charconv>
#include <cstdint>
#include <cstdio>

#include "proto/base/hex.h"

namespace edged::kvctl {
namespace {

constexpr std::size_t kPositionBytesMax = 64, kLsnBytes = 8;

std::optional<std::uint32_t> parse_half(std::string_view digits) {
  std::uint32_t half = 0;
  const char* const end = digits.data() + digits.size();
  const auto [last, error] = std::from_chars(digits.data(), end, half, 16);
  if (digits.empty() || error != std::errc() || last != end) return std::nullopt;
  return half;
}

void append_big(std::string& out, std::uint32_t half) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(half >> shift & 0xFF);
}

std::uint32_t load_big(std::string_view bytes) {
  std::uint32_t half = 0;
  for (std::size_t i = 0; i < 4; ++i) half = half << 8 | static_cast<std::uint8_t>(bytes[i]);
  return half;
}

}  // namespace

Result<std::string> parse_position(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash != std::string_view::npos) {
    const auto high = parse_half(text.substr(0, slash));
    const auto low = parse_half(text.substr(slash + 1));
    if (high && low) {
      std::string position;
      append_big(position, *high);
      append_big(position, *low);
      return position;
    }
  } else if (const auto bytes = from_hex(text);
             bytes && !bytes->empty() && bytes->size() <= kPositionBytesMax) {
    return *bytes;
  }
  return Status(
      Code::kInvalidArgument,
      "\"" + std::string(text) +
          "\" is not a position. Write an LSN such as 0/16B3748, or 2 to 128 hexadecimal digits");
}

std::string show_position(std::string_view position) {
  if (position.size() != kLsnBytes) return to_hex(position);
  char text[20];
  std::snprintf(
      text, sizeof text, "%X/%X", load_big(position.substr(0, 4)), load_big(position.substr(4)));
  return text;
}

void add_freshness(boost::json::object& object,
                   const std::optional<WallTime>& fresh_as_of,
                   std::string_view position) {
  object["fresh_as_of"] = nullptr;
  if (fresh_as_of) object["fresh_as_of"] = format_rfc3339(*fresh_as_of);
  object["position"] = nullptr;
  if (!position.empty()) object["position"] = show_position(position);
}

}  // namespace edged::kvctl
