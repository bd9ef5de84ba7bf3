// SPDX-License-Identifier: Apache-2.0
// Values of an upstream's JSON answer as fields of an observation. A value that cannot be used is
// unknown and does not affect the other fields. Pure; any thread.
#pragma once

#include <boost/json/fwd.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/status.h"
#include "worker/upstream/words.h"

namespace edged::upstream {

// A JSON number, a decimal string, or 0 for a string that is one of `zero_words`. Nothing if it is
// none of these, no integer, beyond ±1,000,000, or null.
std::optional<std::int64_t> to_seats(const boost::json::value* value,
                                     const std::vector<std::string>& zero_words = {});

// A string; a number as its decimal text; a list of such, joined by ", ", blank ones left out.
// Nothing for anything else, and if it has more than 4096 bytes or a NUL (PostgreSQL has none).
std::optional<std::string> to_text(const boost::json::value* value);

// What an upstream says of a failure, as one line of at most 200 bytes for a log or a message:
// a string, or any other value as JSON; "no reason given" if there is none.
std::string to_reason(const boost::json::value* value);

bool is_blank(std::string_view text);

// kCorruption: the answer as a whole is not what the source expects.
Status not_understood(std::string_view why);

}  // namespace edged::upstream
