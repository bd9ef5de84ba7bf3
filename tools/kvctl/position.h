// SPDX-License-Identifier: Apache-2.0
// A mirror's position in its source as people write it: PostgreSQL's LSN, "0/16B3748", for the 8
// bytes big-endian that the worker stores, hexadecimal digits for anything else. Pure.
#pragma once

#include <boost/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "proto/base/clock.h"
#include "proto/base/status.h"

namespace edged::kvctl {

// An LSN, or 1 to 64 bytes in hexadecimal digits. Errors: kInvalidArgument.
Result<std::string> parse_position(std::string_view text);
std::string show_position(std::string_view position);

// "fresh_as_of" (RFC 3339 or null) and "position" (as show_position; null if there is none).
void add_freshness(boost::json::object& object,
                   const std::optional<WallTime>& fresh_as_of,
                   std::string_view position);

}  // namespace edged::kvctl
