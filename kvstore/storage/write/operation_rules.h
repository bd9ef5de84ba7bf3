// SPDX-License-Identifier: Apache-2.0
// What can be said of an operation by itself and of the entry it meets, without touching the store:
// sizes, expiry, conditions, sums. Pure functions; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "kvstore/storage/operation.h"

namespace edged::storage {

// The entry under a key, as a condition sees it.
struct Found {
  bool live = false;
  Version version = 0;
};

WriteOutcome refusal(Code code, std::string message);
WriteOutcome refusal(const Status& status);

// Sizes and contradictions. kOk, kInvalidArgument or kTooLarge.
WriteOutcome check_operation(const Operation& operation);

// Keys, values and metadata.
std::size_t payload_bytes(const Operation& operation);

// When an entry written at `now_ms` expires, in Unix milliseconds, 0 for never; 1, long past,
// stands for any time before. Errors: kInvalidArgument.
Result<std::uint64_t> resolve_expiry(const std::optional<std::chrono::milliseconds>& ttl,
                                     const std::optional<WallTime>& expires_at,
                                     std::int64_t now_ms);

// kOk if `found` meets the condition; else kExists, kNotFound or kVersionMismatch. A version that
// meets nothing is kNotFound for those that need an entry, kVersionMismatch for a Put.
WriteOutcome judge(const Found& found, Condition condition, Version version, bool needs_entry);

// value + delta. kInvalidArgument: the value is no decimal 64-bit integer, or the sum does not fit.
Result<std::int64_t> add_to(std::string_view value, std::int64_t delta);

}  // namespace edged::storage
