// SPDX-License-Identifier: Apache-2.0
// A run as the JSON that GET /cron, GET /cron/NAME/runs and `edged cron history --json` show.
// docs/jobs.md, "History". Pure; any thread.
#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <vector>

#include "worker/cron/job_runner.h"

namespace edged::worker {

constexpr int kHistoryLimitDefault = 20;
constexpr int kHistoryLimitMax = 100;

// From its first start to its end; nothing while it is under way.
std::optional<double> duration_seconds(const RunRecord& run);

boost::json::object describe_run(const RunRecord& run);
// The same with `attempts` and `duration_seconds`, as {"runs":[...]}.
boost::json::object describe_history(const std::vector<RunRecord>& runs);

// True if a run's summary says that it had nothing to check.
bool has_no_sections(const std::string& summary_json);

}  // namespace edged::worker
