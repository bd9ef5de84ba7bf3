// SPDX-License-Identifier: Apache-2.0
// Time as edged's modules see it. Nothing reads the system's clock directly: a Clock is passed in,
// so that tests can step it. Wall time is UTC in milliseconds; boot time is CLOCK_BOOTTIME, which
// never steps and goes on during suspend.
#pragma once

#include <chrono>
#include <string>

namespace edged {

using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;

// Any thread may call every method.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallTime wall_now() const = 0;
  virtual std::chrono::milliseconds boot_now() const = 0;
};

class SystemClock final : public Clock {
 public:
  WallTime wall_now() const override;
  std::chrono::milliseconds boot_now() const override;
};

// Milliseconds since 1970-01-01T00:00:00Z.
inline std::int64_t to_unix_ms(WallTime time) {
  return time.time_since_epoch().count();
}
inline WallTime from_unix_ms(std::int64_t ms) {
  return WallTime(std::chrono::milliseconds(ms));
}

// "2026-11-24T14:33:35.123Z" (RFC 3339, UTC, milliseconds).
std::string format_rfc3339(WallTime time);

}  // namespace edged
