// SPDX-License-Identifier: Apache-2.0
// The window's arithmetic; see rate_limit.h.
#include "worker/upstream/rate_limit.h"

#include <algorithm>

namespace edged::upstream {

RateWindow::RateWindow(int ceiling, const Clock& clock)
    : ceiling_(std::max(1, ceiling)), clock_(clock), limit_(ceiling_) {}

void RateWindow::succeeded(Ticket ticket) {
  if (ticket.epoch != epoch_ || limit_ == ceiling_) return;
  if (++successes_ < limit_) return;
  successes_ = 0;
  ++limit_;
}

void RateWindow::pushed_back(Ticket ticket, std::optional<std::chrono::milliseconds> retry_after) {
  if (retry_after) {
    const auto wait = std::clamp(*retry_after, std::chrono::milliseconds(0), kPauseMax);
    paused_until_ = std::max(paused_until_, clock_.boot_now() + wait);
  }
  if (ticket.epoch != epoch_) return;
  limit_ = std::max(1, limit_ / 2);
  successes_ = 0;
  ++epoch_;
}

std::chrono::milliseconds RateWindow::pause() const {
  return std::max(std::chrono::milliseconds(0), paused_until_ - clock_.boot_now());
}

}  // namespace edged::upstream
