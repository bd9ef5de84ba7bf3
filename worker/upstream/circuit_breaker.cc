// SPDX-License-Identifier: Apache-2.0
// The breaker's transitions; see circuit_breaker.h.
#include "worker/upstream/circuit_breaker.h"

#include "proto/base/check.h"

namespace edged::upstream {

CircuitBreaker::State CircuitBreaker::state() {
  if (state_ == State::kOpen && clock_.boot_now() - opened_at_ >= options_.open_for) {
    enter(State::kHalfOpen);
  }
  return state_;
}

std::chrono::milliseconds CircuitBreaker::open_for() {
  if (state() != State::kOpen) return std::chrono::milliseconds(0);
  return options_.open_for - (clock_.boot_now() - opened_at_);
}

bool CircuitBreaker::may_admit() {
  switch (state()) {
    case State::kClosed:
      return true;
    case State::kHalfOpen:
      return trials_under_way_ + trials_succeeded_ < options_.successes_to_close;
    case State::kOpen:
      break;
  }
  return false;
}

CircuitBreaker::Ticket CircuitBreaker::admit() {
  KV_CHECK(state_ != State::kOpen);
  if (state_ == State::kHalfOpen) ++trials_under_way_;
  return Ticket{generation_};
}

void CircuitBreaker::report(Ticket ticket, Verdict verdict) {
  if (ticket.generation != generation_) return;
  if (state_ == State::kClosed) {
    if (verdict == Verdict::kSuccess) failures_in_row_ = 0;
    if (verdict == Verdict::kFailure && ++failures_in_row_ >= options_.failures_to_open) {
      enter(State::kOpen);
    }
    return;
  }
  --trials_under_way_;
  if (verdict == Verdict::kFailure) {
    enter(State::kOpen);
  } else if (verdict == Verdict::kSuccess && ++trials_succeeded_ >= options_.successes_to_close) {
    enter(State::kClosed);
  }
}

void CircuitBreaker::enter(State state) {
  state_ = state;
  ++generation_;
  failures_in_row_ = 0;
  trials_under_way_ = 0;
  trials_succeeded_ = 0;
  if (state == State::kOpen) opened_at_ = clock_.boot_now();
}

}  // namespace edged::upstream
