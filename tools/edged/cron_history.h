// SPDX-License-Identifier: Apache-2.0
// `edged cron history NAME`: the last runs of a job, read from PostgreSQL. docs/jobs.md, "History".
#pragma once

#include <string>

#include "tools/edged/config.h"
#include "worker/cron/run_json.h"

namespace edged {

struct CronHistoryOptions {
  std::string job;
  int limit = worker::kHistoryLimitDefault;
  bool json = false;
};

// Prints a table or JSON on stdout. The exit code: 0 done, 2 no such job, 3 the schema is missing,
// 4 PostgreSQL cannot be reached.
int run_cron_history(const config::Config& config, const CronHistoryOptions& options);

}  // namespace edged
