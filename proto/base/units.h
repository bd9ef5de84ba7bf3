// SPDX-License-Identifier: Apache-2.0
// Durations and sizes as people write them in configuration and flags. Pure functions; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "proto/base/status.h"

namespace edged {

// "250ms", "5s", "1.5m", "1h", "7d". A bare number is an error because its unit would be a guess;
// so are signs, leading zeros, exponents and anything that is no whole number of milliseconds.
// Result: 0 or more milliseconds, at most 100 years. Errors: kInvalidArgument.
Result<std::chrono::milliseconds> parse_duration(std::string_view text);

// "4096", "64KiB", "1.5GiB", "1KB" (1000). As strict as parse_duration; a fraction of a larger unit
// is rounded down to bytes. Result: bytes, at most 8 PiB. Errors: kInvalidArgument.
Result<std::uint64_t> parse_size(std::string_view text);

// "1.5 s", "250 ms", "2 h": three significant figures, for people.
std::string format_duration(std::chrono::milliseconds duration);

}  // namespace edged
