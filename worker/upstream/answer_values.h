// SPDX-License-Identifier: Apache-2.0
// Values of an upstream's JSON answer as fields of an observation: what cannot be used is unknown
// and spoils nothing else. Pure; any thread.
#pragma once

#include <boost/json/fwd.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proto/base/status.h"

namespace edged::upstream {

// A JSON number or a decimal string; nothing if it is no integer, beyond ±1,000,000, or null.
std::optional<std::int64_t> to_seats(const boost::json::value* value);

// A string; a number as its decimal text; a list of such, joined by ", ", blank ones left out.
// Nothing for anything else, and if it has more than 4096 bytes or a NUL (PostgreSQL has none).
std::optional<std::string> to_text(const boost::json::value* value);

bool is_blank(std::string_view text);

// kCorruption: the answer as a whole is not what the source expects.
Status not_understood(std::string_view why);

}  // namespace edged::upstream
