// SPDX-License-Identifier: Apache-2.0
// One notification mail: its facts, and the RFC 5322 message made of them. The same facts always
// give the same bytes, so a repeated attempt sends an identical message. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proto/base/clock.h"
#include "proto/base/status.h"
#include "worker/mail/message.h"

namespace edged::mail {

enum class NotificationType { kSeatAvailable, kInstructorAssigned };

// "seat_available", "instructor_assigned".
std::string notification_type_name(NotificationType type);
std::optional<NotificationType> parse_notification_type(std::string_view name);

// Everything a mail says, frozen when the notification was claimed.
struct MailFacts {
  std::string notification_id;  // "{class_watch_id}.{type}.{epoch}": unique for ever
  NotificationType type = NotificationType::kSeatAvailable;
  std::string recipient;  // an address, "student@example.edu"
  std::string class_nbr;
  std::string term;
  std::optional<std::string> subject, catalog_nbr, title, instructor, location, meeting_times;
  std::optional<std::int64_t> seats_available, seats_capacity, non_reserved_seats;
  bool include_reserved_seats = false;  // what the watch wants to be told of
  WallTime checked_at{};                // when the upstream was asked
  WallTime created_at{};                // when the notification was claimed: the Date header
};

// Errors: kInvalidArgument if an address (address.h) or the notification id cannot be used.
Result<Message> render_message(const MailFacts& facts, const MailIdentity& identity);

}  // namespace edged::mail
