// SPDX-License-Identifier: Apache-2.0
// What a run of class-monitor did, in numbers, and its JSON (docs/class-monitor.md). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "worker/upstream/fetcher_figures.h"

namespace edged::class_monitor {

struct RunSummary {
  std::int64_t run_id = 0;
  std::uint64_t sections = 0;                // watched
  std::uint64_t fetched = 0;                 // answered with a state
  std::uint64_t cancelled = 0;               // of these, sections that do not take place
  std::uint64_t absent = 0;                  // answered that there is no such section
  std::vector<std::string> absent_sections;  // the first of them
  std::uint64_t failed = 0;                  // nothing is known: not answered, or refused
  std::uint64_t refused = 0;                 // of these, by the database
  std::uint64_t changed = 0;                 // rows of class_states written
  std::uint64_t openings = 0;
  std::uint64_t instructor_assignments = 0;
  std::uint64_t sql_statements = 0;
  std::uint64_t kv_hits = 0;
  std::uint64_t kv_misses = 0;
  double seconds = 0;
  std::optional<upstream::FetcherFigures> upstream;  // what was asked during the run
};

// An object without "notifications", which finish_run adds from the database.
std::string to_json(const RunSummary& summary);

}  // namespace edged::class_monitor
