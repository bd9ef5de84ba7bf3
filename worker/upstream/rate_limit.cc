// SPDX-License-Identifier: Apache-2.0
// The window's arithmetic; see rate_limit.h.
#include "worker/upstream/rate_limit.h"

#include <algorithm>

namespace edged::upstream {
namespace {

constexpr int kRequestsPerFailure = 50;  // of the window, that a failure is put up with for
constexpr int kStridesToCeiling = 16;
constexpr int kLastStep =
    16;  // what is missing is made up at once if it is this share of the window
// Below it stragglers do not take the window: finding out costs the upstream nothing.
constexpr int kStragglersDownTo = 8;

}  // namespace

RateWindow::RateWindow(int ceiling, const Clock& clock)
    : ceiling_(std::max(1, ceiling)), clock_(clock), limit_(ceiling_), good_(ceiling_) {}

void RateWindow::succeeded(Ticket ticket) {
  if (ticket.epoch != epoch_ || ++successes_ < limit_) return;
  successes_ = failures_ = 0;
  lasted_ = true;
  good_ = std::max(good_, limit_);
  if (limit_ < ceiling_) grow();
}

void RateWindow::grow() {
  if (limit_ < good_) {
    const int missing = good_ - limit_;
    limit_ += missing <= limit_ / kLastStep ? missing : std::min(limit_, (missing + 1) / 2);
  } else {
    limit_ = std::min(ceiling_, limit_ + stride_);
    stride_ = std::min(stride_ * 2, std::max(1, ceiling_ / kStridesToCeiling));
  }
  lasted_ = false;
}

void RateWindow::pushed_back(Ticket ticket, std::optional<std::chrono::milliseconds> retry_after) {
  if (retry_after) {
    const auto wait = std::clamp(*retry_after, std::chrono::milliseconds(0), kPauseMax);
    paused_until_ = std::max(paused_until_, clock_.boot_now() + wait);
  }
  if (ticket.epoch == epoch_) {
    if (++failures_ >= limit_ / kRequestsPerFailure) shrink();
  } else if (ticket.epoch + 1 == epoch_) {
    count_straggler();
  }
}

void RateWindow::shrink() {
  before_ = limit_;
  failures_before_ = failures_;
  good_ = std::max(1, std::min(good_, lasted_ ? limit_ : limit_ - 1));
  limit_ = std::max(1, limit_ / 2);
  stride_ = 1;
  lasted_ = false;
  successes_ = failures_ = 0;
  ++epoch_;
}

void RateWindow::count_straggler() {
  ++failures_before_;
  const int kept = std::max(before_ - failures_before_, kStragglersDownTo);
  limit_ = std::min(limit_, kept);
}

std::chrono::milliseconds RateWindow::pause() const {
  return std::max(std::chrono::milliseconds(0), paused_until_ - clock_.boot_now());
}

}  // namespace edged::upstream
