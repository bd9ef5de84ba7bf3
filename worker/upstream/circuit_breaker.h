// SPDX-License-Identifier: Apache-2.0
// Stops asking an upstream that only fails. Closed: everything passes. After `failures_to_open`
// failures in a row: open, nothing passes for `open_for`. Then half-open: a few trial requests;
// after `successes_to_close` successes closed again, after one failure open again. Results of
// requests that were admitted before the last change of state do not count. Pure but for the clock;
// one thread.
#pragma once

#include <chrono>
#include <cstdint>

#include "proto/base/clock.h"

namespace edged::upstream {

class CircuitBreaker {
 public:
  struct Options {
    int failures_to_open = 10;
    std::chrono::milliseconds open_for{120'000};
    int successes_to_close = 3;
  };
  enum class State { kClosed = 0, kHalfOpen = 1, kOpen = 2 };
  // Neutral: says nothing about the upstream's health (4xx, a cancelled request).
  enum class Verdict { kSuccess, kFailure, kNeutral };
  // Proof of admission, given back with the verdict.
  struct Ticket {
    std::uint64_t generation = 0;
  };

  // `clock` must outlive the breaker.
  CircuitBreaker(Options options, const Clock& clock) : options_(options), clock_(clock) {}

  // The state now; an open circuit whose time is up becomes half-open here.
  State state();

  // How long nothing will be admitted; 0 unless the circuit is open.
  std::chrono::milliseconds open_for();

  // Whether one more request may be sent now: always in kClosed, never in kOpen, and in kHalfOpen
  // while fewer trials are under way than successes are still missing.
  bool may_admit();

  // Counts a request as under way. Call only after may_admit() returned true. Every ticket must be
  // given back with report().
  Ticket admit();
  void report(Ticket ticket, Verdict verdict);

 private:
  void enter(State state);

  const Options options_;
  const Clock& clock_;
  State state_ = State::kClosed;
  std::uint64_t generation_ = 0;
  int failures_in_row_ = 0;
  int trials_under_way_ = 0;
  int trials_succeeded_ = 0;
  std::chrono::milliseconds opened_at_{0};
};

// "closed", "half-open", "open".
constexpr const char* circuit_state_name(CircuitBreaker::State state) {
  switch (state) {
    case CircuitBreaker::State::kClosed:
      return "closed";
    case CircuitBreaker::State::kHalfOpen:
      return "half-open";
    case CircuitBreaker::State::kOpen:
      break;
  }
  return "open";
}

}  // namespace edged::upstream
