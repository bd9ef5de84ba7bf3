// SPDX-License-Identifier: Apache-2.0
// Durations and sizes as people write them in configuration and flags. Pure functions; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "proto/base/status.h"

namespace edged {

// "250ms", "5s", "1.5m", "1h", "7d"; a bare number is an error, since its unit would be a guess.
// Result: 0 or more milliseconds, at most 100 years. Errors: kInvalidArgument.
Result<std::chrono::milliseconds> parse_duration(std::string_view text);

// "4096", "64KiB", "256MiB", "10GiB", "1KB" (1000). Result: bytes. Errors: kInvalidArgument.
Result<std::uint64_t> parse_size(std::string_view text);

// "1.5 s", "250 ms", "2 h": three significant figures, for people.
std::string format_duration(std::chrono::milliseconds duration);

}  // namespace edged
