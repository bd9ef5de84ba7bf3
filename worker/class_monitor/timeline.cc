// SPDX-License-Identifier: Apache-2.0
#include "worker/class_monitor/timeline.h"

#include <boost/json.hpp>
#include <utility>

#include "proto/base/numbers.h"
#include "worker/class_monitor/sql.gen.h"

namespace edged::class_monitor {
namespace {

namespace json = boost::json;

class Row {
 public:
  Row(const db::PgResult& result, int row) : result_(result), row_(row) {}
  std::string text(const char* name) const {
    return std::string(result_.text(row_, result_.column(name)));
  }
  bool is_null(const char* name) const { return result_.is_null(row_, result_.column(name)); }
  std::int64_t integer(const char* name) const {
    const auto value = parse_int64(result_.text(row_, result_.column(name)));
    return value ? *value : 0;
  }
  WallTime time(const char* name) const { return from_unix_ms(integer(name)); }

 private:
  const db::PgResult& result_;
  int row_;
};

std::optional<std::string> given(std::string text) {
  return text.empty() ? std::nullopt : std::optional<std::string>(std::move(text));
}

std::string text_of(const json::object& object, const char* name) {
  const json::value& value = object.at(name);
  return value.is_null() ? std::string() : std::string(value.as_string());
}

std::vector<TimelineEvent> read_events(const std::string& text) {
  std::vector<TimelineEvent> events;
  const json::value parsed = json::parse(text);
  for (const json::value& item : parsed.as_array()) {
    const json::object& object = item.as_object();
    events.push_back({from_unix_ms(object.at("at").to_number<std::int64_t>()),
                      text_of(object, "event"),
                      text_of(object, "detail"),
                      text_of(object, "transport"),
                      text_of(object, "provider_id")});
  }
  return events;
}

TimelineEntry read_entry(const Row& row) {
  TimelineEntry entry;
  entry.key = row.text("key");
  entry.recipient = row.text("recipient");
  entry.events = read_events(row.text("events"));
  if (row.is_null("status")) return entry;
  TimelineEntry::Notification found;
  found.type = row.text("notification_type");
  found.class_nbr = row.text("class_nbr");
  found.term = row.text("term");
  found.watch = row.text("watch");
  found.run_id = row.integer("run_id");
  if (!row.is_null("message_id")) found.message_id = row.integer("message_id");
  found.status = row.text("status");
  found.reason = row.text("reason");
  found.created_at = row.time("created_at_ms");
  found.valid_until = row.time("valid_until_ms");
  entry.notification = std::move(found);
  return entry;
}

}  // namespace

boost::asio::awaitable<Result<std::vector<TimelineEntry>>> read_timeline(db::PgPool& pool,
                                                                         TimelineQuery query) {
  db::PgParameters parameters{given(std::move(query.address)),
                              given(std::move(query.watch)),
                              given(std::move(query.section)),
                              std::to_string(query.limit)};
  const auto result = co_await pool.execute(std::string(sql::class_monitor::kFindNotifications),
                                            std::move(parameters));
  if (!result) co_return result.error().with_context("could not read the notifications");
  std::vector<TimelineEntry> entries;
  for (int i = 0; i < result->rows(); ++i) entries.push_back(read_entry(Row(*result, i)));
  co_return entries;
}

boost::asio::awaitable<Result<AddressState>> read_address_state(db::PgPool& pool,
                                                                std::string address) {
  db::PgParameters parameters{std::move(address)};
  const auto result =
      co_await pool.execute(std::string(sql::class_monitor::kAboutAddress), std::move(parameters));
  if (!result) co_return result.error().with_context("could not look up the address");
  const Row row(*result, 0);
  AddressState state;
  state.suppression = row.text("suppression");
  state.profile = row.text("profile");
  state.users = row.integer("users");
  state.watches = row.integer("watches");
  co_return state;
}

}  // namespace edged::class_monitor
