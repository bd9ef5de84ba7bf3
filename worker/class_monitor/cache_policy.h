// SPDX-License-Identifier: Apache-2.0
// The job's keys in the KV node, and how long they live there. Pure; any thread.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "proto/base/clock.h"
#include "worker/cron/time_zone.h"

namespace edged::class_monitor {

inline constexpr const char* kStateKeyPrefix = "class_state:";  // and the class_nbr
inline constexpr const char* kClaimKeyPrefix = "notif:";        // and "{class_watch_id}:{type}"

inline constexpr std::chrono::milliseconds kStateLifetime = std::chrono::hours(1);
inline constexpr std::chrono::milliseconds kClaimLifetime = std::chrono::hours(24);

// How long a state lives in the node in the classic flow: `usual`, or if ticks are rarer than that,
// their distance and a quarter of an hour more, so that the next run still finds it. Its epoch, not
// its age, says whether it is fresh. `crons`: the job's schedules.
std::chrono::milliseconds state_lifetime(std::chrono::milliseconds usual,
                                         const std::vector<std::string>& crons,
                                         const worker::TimeZone& zone,
                                         WallTime now);

}  // namespace edged::class_monitor
