// SPDX-License-Identifier: Apache-2.0
// A Clock that moves only when a test moves it. `advance` is time passing: wall and boot time move
// together. `step_wall` is somebody setting the clock: only wall time moves, in either direction.
// Any thread may call every method.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "proto/base/clock.h"

namespace edged::test {

class ManualClock final : public Clock {
 public:
  // 2026-01-01T00:00:00Z, one hour after boot.
  explicit ManualClock(WallTime wall = from_unix_ms(1'767'225'600'000),
                       std::chrono::milliseconds boot = std::chrono::hours(1))
      : boot_ms_(boot.count()), wall_minus_boot_ms_(to_unix_ms(wall) - boot.count()) {}

  WallTime wall_now() const override {
    return from_unix_ms(boot_ms_.load() + wall_minus_boot_ms_.load());
  }
  std::chrono::milliseconds boot_now() const override {
    return std::chrono::milliseconds(boot_ms_.load());
  }

  void advance(std::chrono::milliseconds duration) { boot_ms_.fetch_add(duration.count()); }
  void step_wall(std::chrono::milliseconds by) { wall_minus_boot_ms_.fetch_add(by.count()); }

 private:
  std::atomic<std::int64_t> boot_ms_;
  std::atomic<std::int64_t> wall_minus_boot_ms_;
};

}  // namespace edged::test
