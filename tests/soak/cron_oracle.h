// SPDX-License-Identifier: Apache-2.0
// What the cron soak holds true: when each job is due, by the C library's localtime_r on every
// minute there is, and what a worker must do at a given reading of its clock, by docs/jobs.md. No
// code of the scheduler in here. Not thread-safe: the C library's zone is changed.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "tests/soak/cron_jobs.h"

namespace edged::soak {

using UnixMs = std::int64_t;

// Due times of the job in [from, until), rising, each once.
std::vector<UnixMs> due_times(const CronJobSpec& job, UnixMs from, UnixMs until);

struct ZoneChanges {
  std::uint64_t forwards = 0;
  std::uint64_t backwards = 0;
};
// How often clocks of the zone are changed in [from, until).
ZoneChanges zone_changes(const char* zone, UnixMs from, UnixMs until);

// The rules of "Missed ticks and stepped clocks" for one worker and one job.
class PlanOracle {
 public:
  // `due` outlives this object. Ticks after `start` count.
  PlanOracle(const std::vector<UnixMs>& due,
             worker::Misfire misfire,
             std::chrono::milliseconds jitter,
             UnixMs start)
      : due_(&due),
        misfire_(misfire),
        jitter_(jitter.count()),
        latest_reading_(start),
        seen_(start) {}

  // The tick that must be run when the worker looks at its clock; nothing: none.
  std::optional<UnixMs> look(UnixMs reading);

 private:
  const std::vector<UnixMs>* due_;
  worker::Misfire misfire_;
  UnixMs jitter_;
  UnixMs latest_reading_;
  UnixMs seen_;  // ticks up to here are done with
};

// A stretch of real time in which nothing happened to a worker: it was up, its clock ran.
struct CalmStretch {
  UnixMs from = 0;
  UnixMs until = 0;
  UnixMs offset = 0;  // what its clock shows minus real time
};

// When a run of a job was under way, in real time.
struct BusyStretch {
  UnixMs from = 0;
  UnixMs until = 0;
  UnixMs due = 0;  // its tick
};

// True if some worker was there for the tick in time, whatever the scheduler thinks of it: calm for
// more than the three hours that a stepped clock is waited for, and for half a minute after, with
// no run of another tick under way then. `calm` by worker; `busy` in the order of the ends.
bool must_have_run(UnixMs due,
                   UnixMs jitter,
                   const std::vector<std::vector<CalmStretch>>& calm,
                   const std::vector<BusyStretch>& busy);

}  // namespace edged::soak
