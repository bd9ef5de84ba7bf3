// SPDX-License-Identifier: Apache-2.0
// Whole numbers as people write them on command lines, in environment variables and in text. The
// reading is strict: decimal digits with at most one "-" before them, and nothing else. A blank, a
// "+", a leading zero, "0x10", "1e3", "1.0", trailing text and a number out of range are refused,
// because any other reading would be a guess. Pure functions; any thread.
#pragma once

#include <cstdint>
#include <limits>
#include <string_view>

#include "proto/base/status.h"

namespace edged {

// Errors: kInvalidArgument, with the text, what is wrong with it and what is allowed.
Result<std::int64_t> parse_int64(std::string_view text,
                                 std::int64_t min = std::numeric_limits<std::int64_t>::min(),
                                 std::int64_t max = std::numeric_limits<std::int64_t>::max());
Result<std::uint64_t> parse_uint64(std::string_view text,
                                   std::uint64_t min = 0,
                                   std::uint64_t max = std::numeric_limits<std::uint64_t>::max());

}  // namespace edged
