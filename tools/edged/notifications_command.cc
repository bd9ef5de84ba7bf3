// SPDX-License-Identifier: Apache-2.0
// `edged notifications`: what became of the mails to an address, of a watch or about a section,
// read from PostgreSQL.
#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proto/base/log.h"
#include "proto/base/printable.h"
#include "proto/json/write_json.h"
#include "proto/net/spawn.h"
#include "tools/edged/commands.h"
#include "tools/edged/exit_code.h"
#include "tools/edged/flags.h"
#include "tools/edged/postgres_options.h"
#include "tools/edged/strict_options.h"
#include "worker/class_monitor/timeline.h"
#include "worker/db/schema_check.h"

namespace edged {
namespace {

using boost::asio::awaitable;
using class_monitor::AddressState;
using class_monitor::TimelineEntry;
using class_monitor::TimelineQuery;
constexpr int kLimitMax = 1000;

struct Found {
  std::vector<TimelineEntry> entries;
  std::optional<AddressState> address;  // if the query names one
};

awaitable<Result<Found>> find(db::PgPool& pool, TimelineQuery query) {
  db::DatabaseUse use;
  use.timeline = true;
  const Result<db::DatabaseFindings> database = co_await db::check_database(pool, use);
  if (!database) co_return database.error();
  Found found;
  const std::string address = query.address;
  auto entries = co_await class_monitor::read_timeline(pool, std::move(query));
  if (!entries) co_return entries.error();
  found.entries = std::move(*entries);
  if (!address.empty()) {
    auto state = co_await class_monitor::read_address_state(pool, address);
    if (!state) co_return state.error();
    found.address = std::move(*state);
  }
  co_return found;
}

// What a run, an application or a server wrote, on one line of a terminal.
std::string shown(std::string_view text) {
  return printable(text);
}

void print_line(WallTime at, const std::string& event, const std::string& detail) {
  std::string line("  ");
  line.append(format_rfc3339(at)).append("  ").append(event);
  if (!detail.empty()) {
    if (event.size() < 10) line.append(10 - event.size(), ' ');
    line.append("  ").append(shown(detail));
  }
  std::printf("%s\n", line.c_str());
}

void print_entry(const TimelineEntry& entry) {
  if (!entry.notification) {
    std::printf("%s to %s, sent by an application\n",
                shown(entry.key).c_str(),
                shown(entry.recipient).c_str());
  } else {
    const TimelineEntry::Notification& one = *entry.notification;
    std::printf("%s to %s, section %s of term %s, watch %s: %s\n",
                one.type.c_str(),
                shown(entry.recipient).c_str(),
                shown(one.class_nbr).c_str(),
                shown(one.term).c_str(),
                one.watch.c_str(),
                one.status.c_str());
    print_line(one.created_at, "detected", "by run " + std::to_string(one.run_id));
    if (one.message_id) {
      print_line(one.created_at,
                 "queued",
                 "claimed, as message " + std::to_string(*one.message_id) + " of queue email");
    } else {
      print_line(one.created_at, "not sent", one.reason);
    }
  }
  for (const class_monitor::TimelineEvent& event : entry.events) {
    std::string detail = event.transport;
    if (!detail.empty() && !event.detail.empty()) detail.append(": ");
    detail.append(event.detail);
    if (!event.provider_id.empty()) detail.append(", id ").append(event.provider_id);
    print_line(event.at, event.event, detail);
  }
  if (!entry.notification) return;
  const TimelineEntry::Notification& one = *entry.notification;
  if (one.status == "pending") {
    std::printf("  it waits in queue email; after %s it is judged again before it is sent\n",
                format_rfc3339(one.valid_until).c_str());
  } else if (one.message_id && entry.events.empty()) {
    std::printf("  %s\n", shown(one.reason).c_str());
  }
}

void print_address(const std::string& address, const AddressState& state) {
  std::printf("%s: %lld %s, %lld %s\n",
              shown(address).c_str(),
              static_cast<long long>(state.users),
              state.users == 1 ? "user" : "users",
              static_cast<long long>(state.watches),
              state.watches == 1 ? "watch" : "watches");
  if (!state.suppression.empty()) {
    std::printf("  nothing is sent to it: %s (\"edged mail unsuppress\" ends that)\n",
                shown(state.suppression).c_str());
  }
  if (!state.profile.empty())
    std::printf("  it gets no notifications: %s\n", state.profile.c_str());
}

boost::json::object describe(const TimelineEntry& entry) {
  boost::json::object object;
  object["key"] = entry.key;
  object["recipient"] = entry.recipient;
  if (entry.notification) {
    const TimelineEntry::Notification& one = *entry.notification;
    object["type"] = one.type;
    object["class_nbr"] = one.class_nbr;
    object["term"] = one.term;
    object["watch"] = one.watch;
    object["run_id"] = one.run_id;
    if (one.message_id) object["message_id"] = *one.message_id;
    object["status"] = one.status;
    if (!one.reason.empty()) object["reason"] = one.reason;
    object["detected_at"] = format_rfc3339(one.created_at);
    object["valid_until"] = format_rfc3339(one.valid_until);
  }
  boost::json::array events;
  for (const class_monitor::TimelineEvent& event : entry.events) {
    boost::json::object item;
    item["at"] = format_rfc3339(event.at);
    item["event"] = event.event;
    if (!event.detail.empty()) item["detail"] = event.detail;
    if (!event.transport.empty()) item["transport"] = event.transport;
    if (!event.provider_id.empty()) item["provider_id"] = event.provider_id;
    events.push_back(std::move(item));
  }
  object["events"] = std::move(events);
  return object;
}

void print_json(const Found& found) {
  boost::json::object document;
  if (found.address) {
    boost::json::object state;
    state["users"] = found.address->users;
    state["watches"] = found.address->watches;
    if (!found.address->suppression.empty()) state["suppressed"] = found.address->suppression;
    if (!found.address->profile.empty()) state["profile"] = found.address->profile;
    document["address"] = std::move(state);
  }
  boost::json::array entries;
  for (const TimelineEntry& entry : found.entries) entries.push_back(describe(entry));
  document["notifications"] = std::move(entries);
  std::printf("%s\n", write_json(document).c_str());
}

int run(const config::Config& config, const TimelineQuery& query, bool json) {
  boost::asio::io_context io(1);
  MetricsRegistry metrics;
  db::PgPoolOptions pool_of_one = pool_options(config, "edged notifications");
  pool_of_one.size = 1;
  db::PgPool pool(io.get_executor(), std::move(pool_of_one), metrics);
  const Result<Found> found = net::run_until_done(io, find(pool, query));
  if (!found) {
    log::print("edged notifications: " + found.error().message());
    return exit_code_of(found.error().code());
  }
  if (json) {
    print_json(*found);
    return kExitDone;
  }
  if (found->address) print_address(query.address, *found->address);
  for (const TimelineEntry& entry : found->entries) print_entry(entry);
  if (found->entries.empty()) {
    std::printf(
        "no notification is recorded: no run saw an opening for it that it should be told "
        "of, or its record was deleted (jobs.class-monitor.history)\n");
  }
  return kExitDone;
}

}  // namespace

void add_notifications_command(CLI::App& program, int& exit_code) {
  struct Arguments {
    Flags flags;
    TimelineQuery query;
    bool json = false;
  };
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = program.add_subcommand(
      "notifications", "Tell what became of notifications: why did somebody get a mail, or none");
  CLI::Option_group* which = command->add_option_group("which", "Name one of these");
  const auto not_empty = [](const std::string& text) { return text.empty() ? "is empty" : ""; };
  which->add_option("--to", arguments->query.address, "Those to this address")
      ->type_name("ADDRESS")
      ->check(not_empty);
  which->add_option("--watch", arguments->query.watch, "Those of this row of class_watches")
      ->type_name("UUID")
      ->check(not_empty);
  which->add_option("--section", arguments->query.section, "Those about this section")
      ->type_name("CLASS_NBR")
      ->check(not_empty);
  which->require_option(1);
  add_number(*command,
             "--limit",
             arguments->query.limit,
             "Print at most this number of notifications, the newest first (default 20)",
             {1, kLimitMax});
  command->add_flag("--json", arguments->json, "Print one JSON object");
  add_file_flags(*command, arguments->flags);
  command->callback([arguments, &exit_code] {
    const auto config =
        load_or_report(arguments->flags, "notifications", config::Scope::kCronHistory);
    exit_code =
        config ? run(*config, arguments->query, arguments->json) : static_cast<int>(kExitUsage);
  });
}

}  // namespace edged
