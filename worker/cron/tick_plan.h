// SPDX-License-Identifier: Apache-2.0
// What a ticker does next, given the time: run a tick, or sleep. No clock and no timer in here, so
// that every step of the clock can be tested. Not thread-safe.
//
// A tick counts once per plan. Of ticks that were missed (the process slept, a run took long, the
// clock jumped forwards) only the latest counts, and if it is later than kLateMax, `misfire`
// decides. A clock stepped back by up to kBackStepMax repeats nothing: the plan waits until time
// has caught up. A larger step means that the clock was wrong before: the plan starts anew from the
// new time.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "proto/base/clock.h"
#include "worker/cron/schedule.h"

namespace edged::worker {

// "none": a tick missed is skipped. "last": the latest missed tick is run, late.
enum class Misfire { kNone, kLast };

// "none" or "last".
std::optional<Misfire> parse_misfire(std::string_view text);

// The part of `jitter_max` by which the job is delayed: always the same for one name, on every
// machine.
std::chrono::milliseconds stable_jitter(std::string_view job, std::chrono::milliseconds jitter_max);

class TickPlan {
 public:
  static constexpr std::chrono::milliseconds kSleepMax{
      30'000};  // a stepped clock is noticed by then
  static constexpr std::chrono::milliseconds kLateMax{60'000};
  static constexpr std::chrono::milliseconds kBackStepMax = std::chrono::hours(3);

  // Ticks after `start` count. A start in the past (the last tick known) lets `misfire` see what
  // the process missed while it was down.
  TickPlan(std::vector<Schedule> schedules,
           Misfire misfire,
           std::chrono::milliseconds jitter,
           WallTime start);

  struct Step {
    std::optional<WallTime> run;        // start the run of this tick, then ask again
    std::chrono::milliseconds sleep{};  // if nothing is to run: ask again after this
  };
  Step next(WallTime now);

  // The next tick, without jitter. Nothing if there are no schedules.
  std::optional<WallTime> next_due() const { return next_due_; }

 private:
  void settle(WallTime time);  // ticks up to `time` are done with
  std::optional<WallTime> latest_in(WallTime after, WallTime until) const;

  std::vector<Schedule> schedules_;
  Misfire misfire_;
  std::chrono::milliseconds jitter_;
  WallTime settled_;
  WallTime latest_now_;  // the latest time shown to next()
  std::optional<WallTime> next_due_;
};

}  // namespace edged::worker
