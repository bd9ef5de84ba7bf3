// SPDX-License-Identifier: Apache-2.0
// When the job class-monitor is due, from the configuration. Any thread.
#pragma once

#include <vector>

#include "proto/base/status.h"
#include "tools/edged/config.h"
#include "worker/cron/schedule.h"

namespace edged {

// One schedule for each expression. Warnings about them are logged. Errors: kInvalidArgument,
// kNotFound: an expression or the time zone cannot be used.
Result<std::vector<worker::Schedule>> parse_schedules(const config::Config& config);

}  // namespace edged
