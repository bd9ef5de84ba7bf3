// SPDX-License-Identifier: Apache-2.0
#include "worker/class_monitor/run_summary.h"

#include <boost/json.hpp>
#include <cmath>

#include "proto/json/write_json.h"

namespace edged::class_monitor {

std::string to_json(const RunSummary& summary) {
  boost::json::object object;
  object["run_id"] = summary.run_id;
  object["sections"] = summary.sections;
  object["fetched"] = summary.fetched;
  object["cancelled"] = summary.cancelled;
  object["absent"] = summary.absent;
  if (!summary.absent_sections.empty()) {
    object["absent_sections"] = boost::json::value_from(summary.absent_sections);
  }
  object["failed"] = summary.failed;
  object["refused"] = summary.refused;
  object["changed"] = summary.changed;
  object["openings"] = summary.openings;
  object["instructor_assignments"] = summary.instructor_assignments;
  object["sql_statements"] = summary.sql_statements;
  object["kv_hits"] = summary.kv_hits;
  object["kv_misses"] = summary.kv_misses;
  object["seconds"] = std::round(summary.seconds * 1000) / 1000;
  if (summary.upstream) object["upstream"] = describe(*summary.upstream);
  return write_json(object);
}

}  // namespace edged::class_monitor
