// SPDX-License-Identifier: Apache-2.0
// What a notification says, frozen when it was claimed: the `data` of its mail in the queue. Pure;
// any thread.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proto/base/clock.h"
#include "proto/base/status.h"

namespace edged::class_monitor {

enum class NotificationType { kSeatAvailable, kInstructorAssigned };

// "seat_available", "instructor_assigned".
std::string notification_type_name(NotificationType type);
std::optional<NotificationType> parse_notification_type(std::string_view name);

struct NotificationFacts {
  NotificationType type = NotificationType::kSeatAvailable;
  std::string class_nbr;
  std::string term;
  std::optional<std::string> subject, catalog_nbr, title, instructor, location, meeting_times;
  std::optional<std::int64_t> seats_available, seats_capacity, non_reserved_seats;
  bool include_reserved_seats = false;  // what the watch wants to be told of
  WallTime checked_at{};                // when the upstream was asked
};

// The keys of `data` are the field names; an absent or null one is unknown. It was written by a
// run, but an operator can write such mails too, so nothing in it is trusted. Errors:
// kInvalidArgument: type, class_nbr, term or checked_at is missing, or a field has a wrong value.
Result<NotificationFacts> read_facts(const boost::json::object& data);

}  // namespace edged::class_monitor
