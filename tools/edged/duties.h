// SPDX-License-Identifier: Apache-2.0
// What a worker process does: the roles of its configuration, or nothing under --dev without
// --dev-database. Pure; any thread.
#pragma once

#include <functional>
#include <string>

#include "proto/base/metrics.h"
#include "tools/edged/config.h"
#include "worker/db/schema_check.h"

namespace edged {

struct Duties {
  bool jobs = false;    // ticks, triggers, take-overs, the deletion of old history
  bool mail = false;    // delivers edged.mails
  bool mirror = false;  // follows PostgreSQL
  bool queue = false;   // creates queues and pushes their messages

  bool any() const { return jobs || mail || mirror || queue; }
};

Duties duties_of(const config::Config& config);

// What the database is checked for.
db::DatabaseUse database_use(const Duties& duties, const config::Config& config);

// Logs what this worker does and what it leaves to others, and sets the metric edged_worker_role.
void tell_duties(const config::Config& config, const Duties& duties, MetricsRegistry& metrics);

// worker.cron_secret, or the secret of worker.cron_secret_file as it is now. Empty: none.
std::function<std::string()> current_cron_secret(const config::Worker& worker);

// Why a worker has no jobs, for those who ask for one; empty: it has them.
std::string why_no_jobs(const config::Config& config);

// Errors: kInvalidArgument: --dev-database names another database than the one that was reached.
Status check_dev_database(const config::Config& config, const std::string& database);

}  // namespace edged
