// SPDX-License-Identifier: Apache-2.0
// How many requests may be under way at once, under a hard ceiling, which is also the start. The
// window is judged in rounds of as many successes as it is wide.
//
// It halves when the upstream pushes back (429, 503, a time-out) as often in a round as once per 50
// requests of its width: below 100 that is the first time; above, single failures, which an
// upstream of that size always has, cost nothing. Requests sent before that neither halve it again
// nor let it grow, so one overload counts once; but where more than half of the window is pushed
// back, it goes on down to what was not.
//
// Each round without that lets it grow: half of the way to the widest window that lasted a round,
// at most to twice its width, so that a passing trouble is soon made good; beyond by 1, 2, 4, ...
// up to a sixteenth of the ceiling, so that an upstream with a bound is seldom asked for more. Pure
// but for the clock; one thread.
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
  void grow();
  void shrink();
  void count_straggler();

  const int ceiling_;
  const Clock& clock_;
  int limit_;
  int good_;                          // the widest window that lasted a round, as far as is known
  int stride_ = 1;                    // the next step beyond good_
  bool lasted_ = false;               // limit_ has lasted a round
  int successes_ = 0, failures_ = 0;  // of this round
  int before_ = 0, failures_before_ = 0;  // the window before the last halving, and its failures
  std::uint64_t epoch_ = 0;
  std::chrono::milliseconds paused_until_{0};
};

}  // namespace edged::upstream
