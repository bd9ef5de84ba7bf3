// SPDX-License-Identifier: Apache-2.0
// How many requests may be under way at once: additive increase, multiplicative decrease under a
// hard ceiling. It starts at the ceiling, halves when the upstream pushes back (429, 503, a
// time-out), and grows by one after each full window of successes. Requests sent before the last
// halving neither halve it again nor let it grow: one overload counts once. Pure but for the clock;
// one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "proto/base/clock.h"

namespace edged::upstream {

class RateWindow {
 public:
  // The longest Retry-After that is believed.
  static constexpr std::chrono::milliseconds kPauseMax{3'600'000};

  struct Ticket {
    std::uint64_t epoch = 0;
  };

  // `ceiling` below 1 counts as 1. `clock` must outlive the window.
  RateWindow(int ceiling, const Clock& clock);

  int limit() const { return limit_; }
  Ticket admit() const { return Ticket{epoch_}; }
  void succeeded(Ticket ticket);
  void pushed_back(Ticket ticket, std::optional<std::chrono::milliseconds> retry_after);

  // How long nothing may be sent, because the upstream asked for it (Retry-After); 0 if it did not.
  std::chrono::milliseconds pause() const;

 private:
  const int ceiling_;
  const Clock& clock_;
  int limit_;
  int successes_ = 0;
  std::uint64_t epoch_ = 0;
  std::chrono::milliseconds paused_until_{0};
};

}  // namespace edged::upstream
