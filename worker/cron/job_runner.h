// SPDX-License-Identifier: Apache-2.0
// What the scheduler and the HTTP trigger need of a job: start a run, wait for its summary, tell
// the last ones. The job itself implements it (worker/class_monitor) and makes a tick run once in
// the fleet with SQL: unique (job, due_at) in edged.cron_runs. Calls are made on the executor's
// thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/clock.h"
#include "proto/base/status.h"

namespace edged::worker {

enum class Cause { kSchedule, kManual };  // edged.cron_runs.cause: 'schedule', 'manual'

struct StartRequest {
  WallTime due_at{};  // the tick; of a manual start: now
  Cause cause = Cause::kSchedule;
  // Given by the caller: a second request with the key starts nothing, its answer is the run that
  // the first one started. Empty: none.
  std::string idempotency_key{};
};

// True for 1 to 255 printable ASCII characters.
bool is_idempotency_key(std::string_view text);

// A row of edged.cron_runs.
struct RunRecord {
  std::int64_t run_id = 0;
  std::string cause;          // "schedule", "manual"
  std::string status;         // "running", "succeeded", "failed"
  std::int64_t attempts = 1;  // starts of this run, take-overs included
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
  virtual boost::asio::awaitable<Result<std::int64_t>> start(StartRequest request) = 0;

  // Returns once the run has ended, in whichever worker: its summary as one JSON object. A run that
  // failed gives kInternal with its error. Other errors: the outcome is not known.
  virtual boost::asio::awaitable<Result<std::string>> wait(std::int64_t run_id) = 0;

  // The newest runs of any cause, the newest first, at most `limit`.
  virtual boost::asio::awaitable<Result<std::vector<RunRecord>>> newest_runs(int limit) = 0;
};

}  // namespace edged::worker
