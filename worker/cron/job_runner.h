// SPDX-License-Identifier: Apache-2.0
// What the scheduler and the HTTP trigger need of a job: start a run, wait for its summary, tell
// the last one. The job itself implements it (worker/monitor) and makes a tick run once in the
// fleet with SQL: unique (job, due_at) in edged.cron_runs. Calls are made on the executor's thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "proto/base/clock.h"
#include "proto/base/status.h"

namespace edged::worker {

enum class Cause { kSchedule, kManual };  // edged.cron_runs.cause: 'schedule', 'manual'

// The newest row of edged.cron_runs for the job.
struct RunRecord {
  std::int64_t run_id = 0;
  std::string cause;   // "schedule", "manual"
  std::string status;  // "running", "succeeded", "failed"
  WallTime due_at{};
  WallTime started_at{};
  std::optional<WallTime> finished_at;
  std::string summary_json;  // empty: none
  std::string error;         // empty: none
};

class JobRunner {
 public:
  virtual ~JobRunner() = default;

  // Records the run and lets it go on in the background; the answer is its id. Errors: kConflict
  // (the job is running already under overlap "forbid", or another worker took this tick);
  // kUnavailable, kDeadlineExceeded (PostgreSQL does not answer).
  virtual boost::asio::awaitable<Result<std::int64_t>> start(WallTime due_at, Cause cause) = 0;

  // Returns once the run has ended: its summary as one JSON object. A run that failed gives its
  // error. kNotFound if this process did not start it.
  virtual boost::asio::awaitable<Result<std::string>> wait(std::int64_t run_id) = 0;

  // The newest run of any cause, nothing if the job never ran.
  virtual boost::asio::awaitable<Result<std::optional<RunRecord>>> last_run() = 0;
};

}  // namespace edged::worker
