// SPDX-License-Identifier: Apache-2.0
// Limits how many requests to the upstream are under way at once. The limit, called the window,
// starts at a hard ceiling, shrinks when the upstream pushes back (429, 503, a time-out), and grows
// again with success. It is judged in rounds; a round is as many successes as the window is wide.
//
// Shrinking: the window halves when the push-backs of a round reach one per 50 requests of its
// width. Below a width of 100 that is the first push-back; above it single failures, which a large
// upstream always has, cost nothing. Requests that were sent before a halving neither halve the
// window again nor let it grow, so that one overload counts once. But if more than half of the
// window is pushed back, the window goes down to the part that was not.
//
// Growing: each round without a halving brings the window half of the way to the widest window that
// lasted a round, at most to twice its width, so that a short trouble is soon made good. Beyond
// that it grows by 1, 2, 4, ... up to a sixteenth of the ceiling, so that an upstream with a bound
// is seldom asked for more. Pure but for the clock; one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "proto/base/clock.h"

namespace edged::upstream {

class RateWindow {
 public:
  // A longer Retry-After counts as this long.
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
