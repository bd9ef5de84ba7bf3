// SPDX-License-Identifier: Apache-2.0
// A section's last known state, as class_states stores it, and how an observation changes it. The
// rules are those of apply_results in statements.sql, for seats of edged.seat_rule(). Here they
// only decide whether PostgreSQL must be asked at all; PostgreSQL's judgement is the one that
// counts. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proto/base/clock.h"
#include "proto/base/status.h"
#include "worker/upstream/section_source.h"

namespace edged::class_monitor {

struct SectionState {
  std::string class_nbr;
  std::string term;
  std::string subject;
  std::string catalog_nbr;
  std::optional<std::string> title, instructor, location, meeting_times;
  std::int64_t seats_available = 0;
  std::int64_t seats_capacity = 0;
  std::optional<std::int64_t> non_reserved_seats;

  bool operator==(const SectionState&) const = default;
};

// The observation as apply_results takes it: negative seats are 0, seats beyond PostgreSQL's
// integer are unknown, a blank instructor is "Staff".
upstream::SectionObservation normalize(upstream::SectionObservation observation);

// The state after a normalized observation of a section whose state was seen before.
SectionState merge(const SectionState& known, const upstream::SectionObservation& observation);

// The KV value of a state: a JSON object with class_states' column names, and the epoch of the run
// that settled it.
std::string encode_state(const SectionState& state, std::int64_t epoch);

struct StoredState {
  SectionState state;
  std::int64_t epoch = 0;
};

// Errors: kCorruption if `text` is not what encode_state writes.
Result<StoredState> decode_state(std::string_view text);
// Of a row of class_states as the mirror stores it: column names and values, no epoch. Errors:
// kCorruption.
Result<SectionState> decode_row(std::string_view text);

}  // namespace edged::class_monitor
