// SPDX-License-Identifier: Apache-2.0
// Bytes in JSON: text where they are UTF-8, base64 under another name where they are not. Pure.
#pragma once

#include <boost/json.hpp>
#include <string>
#include <string_view>

#include "proto/base/utf8.h"
#include "proto/net/client.h"

namespace edged::kvctl {

// object["value"] = text, or object["value_base64"] = base64.
void add_bytes(boost::json::object& object, std::string_view name, std::string_view bytes);

// "version", "expires_at" (RFC 3339 or null) and "metadata" (JSON or null).
void add_entry_facts(boost::json::object& object, const net::KvEntry& entry);

}  // namespace edged::kvctl
