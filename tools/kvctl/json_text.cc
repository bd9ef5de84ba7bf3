// SPDX-License-Identifier: Apache-2.0
#include "tools/kvctl/json_text.h"

#include "proto/base/base64.h"

namespace edged::kvctl {

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
