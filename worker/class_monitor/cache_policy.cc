// SPDX-License-Identifier: Apache-2.0
#include "worker/class_monitor/cache_policy.h"

#include <algorithm>
#include <optional>

#include "worker/cron/schedule.h"

namespace edged::class_monitor {

std::chrono::milliseconds state_lifetime(std::chrono::milliseconds usual,
                                         const std::vector<std::string>& crons,
                                         const worker::TimeZone& zone,
                                         WallTime now) {
  std::chrono::milliseconds lifetime = usual;
  for (const std::string& cron : crons) {
    const auto schedule = worker::Schedule::parse(cron, zone);
    const auto first = schedule ? schedule->next_after(now) : std::nullopt;
    const auto second = first ? schedule->next_after(*first) : std::nullopt;
    if (second) lifetime = std::max(lifetime, *second - *first + std::chrono::minutes(15));
  }
  return lifetime;
}

}  // namespace edged::class_monitor
