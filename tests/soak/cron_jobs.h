// SPDX-License-Identifier: Apache-2.0
// The jobs of the cron soak: what the product reads, and beside it, written anew by hand, what the
// oracle goes by. Immutable; any thread.
#pragma once

#include <chrono>
#include <ctime>
#include <vector>

#include "worker/cron/tick_plan.h"

namespace edged::soak {

struct CronRule {
  const char* text;                       // the schedule
  bool real_time;                         // the minute or hour field begins with '*'
  bool (*matches)(const std::tm& local);  // whether the clock on the wall shows a due time
  std::chrono::milliseconds every{0};     // of "@every"; 0: `matches` decides
};

struct CronJobSpec {
  const char* name;
  const char* zone;
  worker::Misfire misfire;
  std::chrono::milliseconds jitter_max;
  std::vector<CronRule> rules;
};

const std::vector<CronJobSpec>& cron_jobs();

}  // namespace edged::soak
