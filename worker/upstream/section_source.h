// SPDX-License-Identifier: Apache-2.0
// Where the current state of a class section comes from: one HTTP question per section. A source is
// asked by coroutines on one thread; it bounds its own concurrency and applies its own deadline.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "proto/base/status.h"

namespace edged::upstream {

struct SectionKey {
  std::string class_nbr;  // "12431"
  std::string term;       // "2261"
};

// What one answer said. An absent field is unknown: missing, null or not parsable in the answer.
struct SectionObservation {
  std::optional<std::string> subject, catalog_nbr, title, instructor, location, meeting_times;
  std::optional<std::int64_t> seats_available, seats_capacity, non_reserved_seats;
  // The section does not take place: the source says that no seat is available and no instructor is
  // known, so that nothing is announced.
  bool is_cancelled = false;
};

class SectionSource {
 public:
  virtual ~SectionSource() = default;

  // Errors: kNotFound: the upstream answered that it has no such section (`success:false`);
  // kUnavailable: transport error, 5xx, 429 or circuit open; kDeadlineExceeded; kCorruption: an
  // answer that cannot be understood; kDenied: 401 or 403; kInvalidArgument: other 4xx. `run_id` is
  // sent as the header X-Edged-Run, so that an upstream can tell runs apart.
  virtual boost::asio::awaitable<Result<SectionObservation>> fetch(SectionKey section,
                                                                   std::string run_id) = 0;
};

}  // namespace edged::upstream
