// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/schedules.h"

#include <string>
#include <utility>

#include "proto/base/log.h"

namespace edged {

Result<std::vector<worker::Schedule>> parse_schedules(const config::Config& config) {
  auto zone = worker::TimeZone::load(config.class_monitor.time_zone);
  if (!zone) return zone.error();
  std::vector<worker::Schedule> schedules;
  for (const std::string& cron : config.class_monitor_crons()) {
    auto schedule = worker::Schedule::parse(cron, *zone);
    if (!schedule) return schedule.error();
    if (const std::string warning = schedule->warning(); !warning.empty()) log::warn(warning);
    schedules.push_back(std::move(*schedule));
  }
  return schedules;
}

}  // namespace edged
