// SPDX-License-Identifier: Apache-2.0
#include "worker/class_monitor/notification_facts.h"

#include <boost/json.hpp>
#include <utility>

#include "proto/base/rfc3339.h"

namespace edged::class_monitor {
namespace {

namespace json = boost::json;

Status wrong_fact(std::string_view key) {
  return Status(Code::kInvalidArgument,
                std::string("could not read the notification: \"")
                    .append(key)
                    .append("\" is missing or has a wrong value"));
}

// Copies data[key] into `field`; false if it is there with another type.
bool read_field(const json::object& data, const char* key, std::optional<std::string>& field) {
  const json::value* value = data.if_contains(key);
  if (value == nullptr || value->is_null()) return true;
  if (!value->is_string()) return false;
  field = std::string(value->get_string());
  return true;
}

bool read_field(const json::object& data, const char* key, std::optional<std::int64_t>& field) {
  const json::value* value = data.if_contains(key);
  if (value == nullptr || value->is_null()) return true;
  if (!value->is_int64()) return false;
  field = value->get_int64();
  return true;
}

// data[key], which must be there; nothing: it is not.
std::optional<std::string> required_text(const json::object& data, const char* key) {
  std::optional<std::string> text;
  if (!read_field(data, key, text)) return std::nullopt;
  return text;
}

}  // namespace

std::string notification_type_name(NotificationType type) {
  return type == NotificationType::kSeatAvailable ? "seat_available" : "instructor_assigned";
}

std::optional<NotificationType> parse_notification_type(std::string_view name) {
  if (name == "seat_available") return NotificationType::kSeatAvailable;
  if (name == "instructor_assigned") return NotificationType::kInstructorAssigned;
  return std::nullopt;
}

Result<NotificationFacts> read_facts(const json::object& data) {
  NotificationFacts facts;
  const auto type = parse_notification_type(required_text(data, "type").value_or(""));
  if (!type) return wrong_fact("type");
  facts.type = *type;
  const std::pair<const char*, std::string*> keys[] = {{"class_nbr", &facts.class_nbr},
                                                       {"term", &facts.term}};
  for (const auto& [key, field] : keys) {
    std::optional<std::string> text = required_text(data, key);
    if (!text) return wrong_fact(key);
    *field = std::move(*text);
  }
  const std::pair<const char*, std::optional<std::string>*> texts[] = {
      {"subject", &facts.subject},
      {"catalog_nbr", &facts.catalog_nbr},
      {"title", &facts.title},
      {"instructor", &facts.instructor},
      {"location", &facts.location},
      {"meeting_times", &facts.meeting_times},
  };
  for (const auto& [key, field] : texts) {
    if (!read_field(data, key, *field)) return wrong_fact(key);
  }
  const std::pair<const char*, std::optional<std::int64_t>*> numbers[] = {
      {"seats_available", &facts.seats_available},
      {"seats_capacity", &facts.seats_capacity},
      {"non_reserved_seats", &facts.non_reserved_seats},
  };
  for (const auto& [key, field] : numbers) {
    if (!read_field(data, key, *field)) return wrong_fact(key);
  }
  const json::value* include = data.if_contains("include_reserved_seats");
  facts.include_reserved_seats = include != nullptr && include->is_bool() && include->get_bool();
  const std::optional<WallTime> time =
      parse_rfc3339(required_text(data, "checked_at").value_or(""));
  if (!time) return wrong_fact("checked_at");
  facts.checked_at = *time;
  return facts;
}

}  // namespace edged::class_monitor
