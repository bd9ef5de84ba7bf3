// SPDX-License-Identifier: Apache-2.0
// Reading rows and facts. The row was written by the monitor's statement, but an operator can write
// rows too, so nothing in it is trusted.
#include "worker/class_monitor/outbox_row.h"

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <utility>

#include "proto/base/rfc3339.h"

namespace edged::mail {
namespace {

namespace json = boost::json;

template <typename Number>
Number to_number(std::string_view text) {
  Number value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

Status wrong_fact(std::string_view key) {
  return Status(Code::kInvalidArgument,
                "could not read edged.mails.facts: \"" + std::string(key) +
                    "\" is missing or has a wrong value");
}

// Copies facts[key] into `field`; false if it is there with another type.
bool read_field(const json::object& facts, const char* key, std::optional<std::string>& field) {
  const json::value* value = facts.if_contains(key);
  if (value == nullptr || value->is_null()) return true;
  if (!value->is_string()) return false;
  field = std::string(value->get_string());
  return true;
}

bool read_field(const json::object& facts, const char* key, std::optional<std::int64_t>& field) {
  const json::value* value = facts.if_contains(key);
  if (value == nullptr || value->is_null()) return true;
  if (!value->is_int64()) return false;
  field = value->get_int64();
  return true;
}

}  // namespace

std::vector<OutboxRow> read_claimed_rows(const db::PgResult& result) {
  std::vector<OutboxRow> rows;
  const auto text = [&result](int row, const char* name) {
    return std::string(result.text(row, result.column(name)));
  };
  for (int i = 0; i < result.rows(); ++i) {
    OutboxRow row;
    row.lease.id = to_number<std::int64_t>(text(i, "id"));
    row.lease.number = to_number<std::int64_t>(text(i, "lease_number"));
    row.notification_id = text(i, "notification_id");
    row.notification_type = text(i, "notification_type");
    row.class_nbr = text(i, "class_nbr");
    row.term = text(i, "term");
    row.recipient = text(i, "recipient");
    row.facts = text(i, "facts");
    row.created_at = from_unix_ms(to_number<std::int64_t>(text(i, "created_at_ms")));
    row.is_late = text(i, "is_late") == "t";
    rows.push_back(std::move(row));
  }
  std::sort(rows.begin(), rows.end(), [](const OutboxRow& a, const OutboxRow& b) {
    return std::pair(a.is_late, a.lease.id) < std::pair(b.is_late, b.lease.id);
  });
  return rows;
}

Result<MailFacts> read_facts(const OutboxRow& row) {
  const std::optional<NotificationType> type = parse_notification_type(row.notification_type);
  if (!type) return wrong_fact("type");
  boost::system::error_code error;
  const json::value parsed = json::parse(row.facts, error);
  if (error || !parsed.is_object()) {
    return Status(Code::kInvalidArgument,
                  "could not read edged.mails.facts: it is not a JSON object");
  }
  const json::object& object = parsed.get_object();
  MailFacts facts;
  facts.notification_id = row.notification_id;
  facts.type = *type;
  facts.recipient = row.recipient;
  facts.class_nbr = row.class_nbr;
  facts.term = row.term;
  facts.created_at = row.created_at;
  const std::pair<const char*, std::optional<std::string>*> texts[] = {
      {"subject", &facts.subject},
      {"catalog_nbr", &facts.catalog_nbr},
      {"title", &facts.title},
      {"instructor", &facts.instructor},
      {"location", &facts.location},
      {"meeting_times", &facts.meeting_times},
  };
  for (const auto& [key, field] : texts) {
    if (!read_field(object, key, *field)) return wrong_fact(key);
  }
  const std::pair<const char*, std::optional<std::int64_t>*> numbers[] = {
      {"seats_available", &facts.seats_available},
      {"seats_capacity", &facts.seats_capacity},
      {"non_reserved_seats", &facts.non_reserved_seats},
  };
  for (const auto& [key, field] : numbers) {
    if (!read_field(object, key, *field)) return wrong_fact(key);
  }
  const json::value* include = object.if_contains("include_reserved_seats");
  facts.include_reserved_seats = include != nullptr && include->is_bool() && include->get_bool();
  std::optional<std::string> checked_at;
  if (!read_field(object, "checked_at", checked_at)) return wrong_fact("checked_at");
  const std::optional<WallTime> time = parse_rfc3339(checked_at.value_or(""));
  if (!time) return wrong_fact("checked_at");
  facts.checked_at = *time;
  return facts;
}

}  // namespace edged::mail
