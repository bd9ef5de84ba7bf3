// SPDX-License-Identifier: Apache-2.0
// The node's time for tokens: the wall clock as long as it does not step. A step of more than 60 s,
// either way, is followed only when the store follows it (docs/storage-format.md, section 6), so
// that a wrong clock neither ends valid tokens nor revives expired ones. Any thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "proto/base/clock.h"

namespace edged {

class GuardedTime final : public Clock {
 public:
  // `base` outlives this.
  explicit GuardedTime(const Clock& base) : base_(base) { set(base.wall_now()); }

  WallTime wall_now() const override {
    const WallTime wall = base_.wall_now();
    if (steps(wall)) return held();
    offset_ms_.store(to_unix_ms(wall) - base_.boot_now().count());  // it drifts a little
    return wall;
  }
  std::chrono::milliseconds boot_now() const override { return base_.boot_now(); }

  // True while the wall clock has stepped and that is not followed.
  bool pending() const { return steps(base_.wall_now()); }
  // What the store says the time is.
  void set(WallTime now) { offset_ms_.store(to_unix_ms(now) - base_.boot_now().count()); }

 private:
  static constexpr std::chrono::seconds kStepMax{60};

  WallTime held() const { return from_unix_ms(base_.boot_now().count() + offset_ms_.load()); }
  bool steps(WallTime wall) const {
    const auto difference = wall - held();
    return difference > kStepMax || difference < -kStepMax;
  }

  const Clock& base_;
  mutable std::atomic<std::int64_t> offset_ms_{0};  // node time minus boot time
};

}  // namespace edged
