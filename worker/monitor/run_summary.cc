// SPDX-License-Identifier: Apache-2.0
#include "worker/monitor/run_summary.h"

#include <boost/json.hpp>
#include <cmath>
#include <utility>

namespace edged::monitor {
namespace {

// Outcomes that did not occur are left out.
boost::json::object describe(const upstream::FetcherFigures& figures) {
  boost::json::object outcomes;
  std::uint64_t requests = 0;
  for (std::size_t i = 0; i < figures.requests.size(); ++i) {
    requests += figures.requests[i];
    if (figures.requests[i] == 0) continue;
    outcomes[upstream::outcome_name(static_cast<upstream::Outcome>(i))] = figures.requests[i];
  }
  boost::json::object object;
  object["requests"] = requests;
  object["outcomes"] = std::move(outcomes);
  object["retries"] = figures.retries;
  object["refused"] = figures.refused;
  object["window"] = figures.window;
  object["circuit"] = upstream::circuit_state_name(figures.circuit);
  return object;
}

}  // namespace

std::string to_json(const RunSummary& summary) {
  boost::json::object object;
  object["run_id"] = summary.run_id;
  object["sections"] = summary.sections;
  object["fetched"] = summary.fetched;
  object["absent"] = summary.absent;
  object["failed"] = summary.failed;
  object["changed"] = summary.changed;
  object["openings"] = summary.openings;
  object["instructor_assignments"] = summary.instructor_assignments;
  object["sql_statements"] = summary.sql_statements;
  object["kv_hits"] = summary.kv_hits;
  object["kv_misses"] = summary.kv_misses;
  object["seconds"] = std::round(summary.seconds * 1000) / 1000;
  if (summary.upstream) object["upstream"] = describe(*summary.upstream);
  return boost::json::serialize(object);
}

}  // namespace edged::monitor
