// SPDX-License-Identifier: Apache-2.0
#include "tools/kvctl/json_text.h"

#include <cstdint>

namespace edged::kvctl {
namespace {

// The length of the well-formed sequence at the front (Unicode 15, table 3-7); 0: none.
std::size_t sequence_bytes(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const auto in = [&](std::size_t i, int low, int high) {
    return i < text.size() && byte(i) >= low && byte(i) <= high;
  };
  const int lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return in(1, 0x80, 0xBF) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    const int low = lead == 0xE0 ? 0xA0 : 0x80;
    const int high = lead == 0xED ? 0x9F : 0xBF;
    return in(1, low, high) && in(2, 0x80, 0xBF) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    const int low = lead == 0xF0 ? 0x90 : 0x80;
    const int high = lead == 0xF4 ? 0x8F : 0xBF;
    return in(1, low, high) && in(2, 0x80, 0xBF) && in(3, 0x80, 0xBF) ? 4 : 0;
  }
  return 0;
}

}  // namespace

bool is_utf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t length = sequence_bytes(bytes);
    if (length == 0) return false;
    bytes.remove_prefix(length);
  }
  return true;
}

std::string to_base64(std::string_view bytes) {
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
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

void add_bytes(boost::json::object& object, std::string_view name, std::string_view bytes) {
  const bool text = is_utf8(bytes);
  object[std::string(name) + (text ? "" : "_base64")] =
      text ? std::string(bytes) : to_base64(bytes);
}

void add_entry_facts(boost::json::object& object, const net::KvEntry& entry) {
  object["version"] = entry.version;
  object["expires_at"] = nullptr;
  if (entry.expires_at) object["expires_at"] = format_rfc3339(*entry.expires_at);
  object["metadata"] = nullptr;
  if (entry.metadata.empty()) return;
  boost::json::error_code error;
  boost::json::value metadata = boost::json::parse(entry.metadata, error);
  object["metadata"] = error ? boost::json::value(nullptr) : std::move(metadata);
}

}  // namespace edged::kvctl
