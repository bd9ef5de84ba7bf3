// SPDX-License-Identifier: Apache-2.0
// What a fetcher has done since it was made, and how it is now. Value type; any thread.
#pragma once

#include <array>
#include <boost/json/fwd.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "proto/base/clock.h"
#include "worker/upstream/attempt.h"
#include "worker/upstream/circuit_breaker.h"

namespace edged::upstream {

struct FetcherFigures {
  std::array<std::uint64_t, kOutcomeCount> requests{};  // by outcome
  std::uint64_t retries = 0;
  std::uint64_t refused = 0;  // fetches answered without asking
  int window = 0;             // requests that may be under way at once, now
  CircuitBreaker::State circuit = CircuitBreaker::State::kClosed;
  std::optional<WallTime> circuit_open_until;  // while it is open
  std::string circuit_reason;                  // why it is open, or was last opened

  // What was done between `earlier` and this; window and circuit are those of now.
  FetcherFigures since(const FetcherFigures& earlier) const {
    FetcherFigures change = *this;
    for (std::size_t i = 0; i < requests.size(); ++i) change.requests[i] -= earlier.requests[i];
    change.retries -= earlier.retries;
    change.refused -= earlier.refused;
    return change;
  }
};

// An object, as the summary of a run has it (docs/class-monitor.md).
boost::json::object describe(const FetcherFigures& figures);

}  // namespace edged::upstream
