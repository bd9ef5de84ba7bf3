// SPDX-License-Identifier: Apache-2.0
// A simulated worker of the cron soak: a clock of its own, and for each job the product's TickPlan
// and RunStore beside the oracle's opinion. It does nothing by itself: cron_fleet.h moves it. One
// thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/soak/cron_ledger.h"
#include "tests/soak/cron_oracle.h"
#include "worker/class_monitor/run_store.h"
#include "worker/cron/tick_plan.h"

namespace edged::soak {

// A worker's part in one job.
struct CronPost {
  struct Current {
    std::int64_t id = 0;
    std::int64_t epoch = 0;
    UnixMs due = 0;
    UnixMs since = 0;     // real time
    bool ticked = false;  // the ticker waits for it; otherwise it was taken over beside
  };

  std::unique_ptr<class_monitor::RunStore> store;
  std::optional<worker::TickPlan> plan;
  std::optional<PlanOracle> oracle;
  std::optional<Current> current;         // the run that this worker has, as far as it knows
  std::optional<std::int64_t> waits_for;  // the ticker waits for another worker to end this run
  UnixMs looked_at = 0;                   // real time of the last look at the clock
  UnixMs wakes_at = 0;                    // of the next one that can matter
  bool asleep = false;
  std::uint64_t sleep = 0;  // number of the sleep; a wake of an older one is void
  bool polling = false;
};

class CronWorker {
 public:
  CronWorker(std::string name, std::size_t jobs) : name_(std::move(name)), posts(jobs) {}

  RunHolder holder() const { return {name_, name_ + "-" + std::to_string(process)}; }
  UnixMs reading(UnixMs at) const { return at + offset; }
  bool frozen(UnixMs at) const { return at < frozen_until; }
  // When what was to happen at `at`, while the worker stands still, happens. A machine that sleeps
  // takes its timers along, a process that is stopped does not.
  UnixMs after_freeze(UnixMs at) const {
    return machine_sleeps ? at + frozen_until - frozen_from : frozen_until;
  }

  void begin_stretch(UnixMs at) { calm_from_ = at; }
  void end_stretch(UnixMs at) {
    if (calm_from_ && at > *calm_from_) stretches.push_back({*calm_from_, at, offset});
    calm_from_.reset();
  }

 private:
  std::string name_;
  std::optional<UnixMs> calm_from_;

 public:
  std::vector<CronPost> posts;  // by job
  std::vector<CalmStretch> stretches;
  std::uint64_t process = 0;  // counts restarts; what was planned for an older one is void
  UnixMs offset = 0;          // what its clock shows minus real time
  UnixMs started_at = 0;
  bool up = false;
  UnixMs frozen_from = 0;
  UnixMs frozen_until = 0;
  bool machine_sleeps = false;
};

}  // namespace edged::soak
