// SPDX-License-Identifier: Apache-2.0
// The worker's HTTP routes for jobs: GET /cron lists them, POST /cron/NAME starts one, GET
// /cron/NAME/runs tells its last runs. docs/jobs.md, "Triggering by HTTP". The executor's thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "proto/base/clock.h"
#include "proto/http/server.h"
#include "worker/cron/job_runner.h"

namespace edged::worker {

struct CronJob {
  std::string name;
  std::vector<std::string> schedules;  // as configured
  std::string time_zone;
  std::function<std::optional<WallTime>()> next_due;
  JobRunner* runner = nullptr;
};

// As GET /cron lists it, its last run included. The job outlives the call.
boost::asio::awaitable<boost::json::object> describe_job(const CronJob* job);

struct CronRoutes {
  // Asked for each POST, so that a secret can be replaced. What it answers is empty if none is
  // configured: then nobody is let in, POST is answered 503.
  std::function<std::string()> secret;
  std::vector<CronJob> jobs;
  // Asked before a job is started; an error is answered with 503. Null: everything is admitted.
  std::function<boost::asio::awaitable<Status>()> admit{};
  std::string why_no_jobs{};  // said with the 404 of a job that is not there; empty: nothing
};

// `clock` and the runners outlive the server.
void add_cron_routes(http::Server& server, CronRoutes routes, const Clock& clock);

}  // namespace edged::worker
