// SPDX-License-Identifier: Apache-2.0
// The store's own time. It starts from the wall clock and advances by CLOCK_BOOTTIME; a step of the
// wall clock above 60 s is not followed until it is confirmed, so that a jump neither destroys live
// data nor revives dead data. Node time never goes backwards by itself, restarts included: a mark
// of it is kept (MarkFile), and since steps enter it only once confirmed, unconfirmed time is never
// persisted. Small differences: forward ones are followed at once, backward ones by running slower.
// now() may be called by any thread; tick() and confirm() by any thread, one at a time inside.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "proto/base/clock.h"

namespace edged::storage {

// What is kept of node time across restarts.
struct ClockMark {
  WallTime node_time{};
  std::chrono::milliseconds boot{};  // CLOCK_BOOTTIME at node_time
  std::string boot_id;               // 16 bytes, of the boot that `boot` counts from
  bool confirmed = false;            // see StoreClock::confirmed
};

// True if `wall` is a time that the kernel says is synchronised.
using SynchronisedProbe = std::function<bool(WallTime wall)>;

// Asks adjtimex(2); false also if its time differs from `wall` by more than a second, because then
// the clock being read is not the one that is synchronised.
bool kernel_says_synchronised(WallTime wall);

// The kernel's id of this boot, 16 bytes; 16 zero bytes if it cannot be read.
std::string read_boot_id();

class StoreClock {
 public:
  static constexpr std::chrono::milliseconds kStepMax{60'000};
  static constexpr std::chrono::milliseconds kStableFor{10 * 60'000};

  // `clock` must outlive this object.
  StoreClock(const Clock& clock,
             SynchronisedProbe synchronised,
             std::string boot_id,
             const std::optional<ClockMark>& mark);

  WallTime now() const;

  // Compares with the wall clock and corrects as described above. To be called about once a second.
  void tick();

  // Node time is at least `floor` from now on.
  void raise(WallTime floor);

  // The operator's word that the wall clock is right: node time becomes wall time, backwards too.
  void confirm();

  // Wall time minus node time while a step waits for confirmation, else 0.
  std::chrono::milliseconds pending_step() const;

  // Whether node time was ever found synchronised, or stable for 10 minutes. Only node time that
  // was not follows a synchronised wall clock backwards.
  bool confirmed() const;

  ClockMark mark() const;

 private:
  std::optional<std::pair<WallTime, std::int64_t>> read_both() const;
  void judge_step(std::chrono::milliseconds difference, WallTime wall, std::int64_t boot_ms);
  void follow(std::int64_t difference_ms, std::int64_t boot_ms);

  const Clock& clock_;
  const SynchronisedProbe synchronised_;
  const std::string boot_id_;
  std::atomic<std::int64_t> offset_ms_{0};  // node time = boot time + offset, but not below floor
  std::atomic<std::int64_t> floor_ms_{0};

  mutable std::mutex mutex_;  // guards all below, and changes of the two above
  std::int64_t last_tick_boot_ms_ = 0;
  std::int64_t steady_since_boot_ms_ = 0;  // no step seen since
  std::int64_t pending_ms_ = 0;            // 0: none
  std::int64_t pending_since_boot_ms_ = 0;
  bool confirmed_ = false;
};

}  // namespace edged::storage
