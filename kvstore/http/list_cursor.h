// SPDX-License-Identifier: Apache-2.0
// The cursor of a key list: where its next page begins. Opaque text for clients, in base64url, so
// that it needs no escapes in a query: the byte 1 for this version, then the last key of the page
// before. It holds no secret and needs no state in the node. Pure functions; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace edged::kv_http {

// For the page after `last_key`.
std::string make_list_cursor(std::string_view last_key);

// The key after which the page begins; nothing if `cursor` was not made by make_list_cursor().
std::optional<std::string> parse_list_cursor(std::string_view cursor);

}  // namespace edged::kv_http
