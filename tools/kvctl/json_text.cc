// SPDX-License-Identifier: Apache-2.0
#include "tools/kvctl/json_text.h"

#include <algorithm>
#include <cstdint>

namespace edged::kvctl {

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
