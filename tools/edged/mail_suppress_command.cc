// SPDX-License-Identifier: Apache-2.0
// `edged mail suppressed|suppress|unsuppress`: the addresses to which nothing is sent.
#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <cstdio>
#include <memory>
#include <string>

#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/printable.h"
#include "proto/json/write_json.h"
#include "proto/net/spawn.h"
#include "tools/edged/commands.h"
#include "tools/edged/exit_code.h"
#include "tools/edged/flags.h"
#include "tools/edged/postgres_options.h"
#include "worker/db/schema_check.h"
#include "worker/mail/address.h"
#include "worker/mail/suppressions.h"

namespace edged {
namespace {

using boost::asio::awaitable;

struct SuppressArguments {
  Flags flags;
  std::string address;
  bool json = false;
};

enum class Verb { kList, kAdd, kRemove };

void print(const std::vector<mail::Suppression>& all, bool json) {
  boost::json::array rows;
  for (const mail::Suppression& one : all) {
    if (json) {
      rows.push_back(boost::json::object{{"address", one.address},
                                         {"reason", one.reason},
                                         {"source", one.source},
                                         {"since", one.since}});
      continue;
    }
    std::printf("%s  %s  %s  %s\n",
                printable(one.address).c_str(),
                one.since.c_str(),
                one.source.c_str(),
                printable(one.reason).c_str());
  }
  if (json) std::printf("%s\n", write_json(rows).c_str());
}

awaitable<Result<int>> change(mail::Suppressions* suppressions,
                              Verb verb,
                              const SuppressArguments* arguments) {
  const mail::SuppressionSource by = mail::SuppressionSource::kOperator;
  std::string address = arguments->address;
  std::string outcome;
  Result<bool> done = false;
  if (verb == Verb::kAdd) {
    done = co_await suppressions->add(std::move(address), by, "edged mail suppress");
    outcome = done && *done ? "suppressed" : "suppressed before";
  } else {
    done = co_await suppressions->remove(std::move(address));
    outcome = done && *done ? "gets mails again" : "was not suppressed";
  }
  if (!done) co_return done.error();
  if (arguments->json) {
    const boost::json::object object{{"address", arguments->address}, {"changed", *done}};
    std::printf("%s\n", write_json(object).c_str());
  } else {
    std::printf("%s: %s\n", printable(arguments->address).c_str(), outcome.c_str());
  }
  co_return verb == Verb::kRemove && !*done ? kExitNotFound : kExitDone;
}

awaitable<Result<int>> act(db::PgPool* pool,
                           const Clock* clock,
                           Verb verb,
                           const SuppressArguments* arguments) {
  db::DatabaseUse use;
  use.permanent_slot = false;
  use.queue = true;
  const Result<db::DatabaseFindings> database = co_await db::check_database(*pool, use);
  if (!database) co_return database.error();
  mail::Suppressions suppressions(*pool, *clock);
  if (verb != Verb::kList) {
    Result<int> code = co_await change(&suppressions, verb, arguments);
    co_return code;
  }
  const auto all = co_await suppressions.list();
  if (!all) co_return all.error();
  print(*all, arguments->json);
  co_return kExitDone;
}

int run(const std::string& name, Verb verb, const SuppressArguments& arguments) {
  const auto config = load_or_report(arguments.flags, name, config::Scope::kQueue);
  if (!config) return kExitUsage;
  if (verb != Verb::kList) {
    const Result<mail::Address> address = mail::parse_address(arguments.address);
    if (!address) {
      log::print("edged " + name + ": " + address.error().message());
      return kExitUsage;
    }
  }
  boost::asio::io_context io(1);
  MetricsRegistry metrics;
  SystemClock clock;
  db::PgPoolOptions options = pool_options(*config, "edged mail");
  options.size = 1;
  db::PgPool pool(io.get_executor(), std::move(options), metrics);
  const Result<int> code = net::run_until_done(io, act(&pool, &clock, verb, &arguments));
  if (code) return *code;
  log::print("edged " + name + ": " + code.error().message());
  return exit_code_of(code.error().code());
}

void add(
    CLI::App& mail, int& exit_code, const std::string& verb, Verb what, const std::string& help) {
  auto arguments = std::make_shared<SuppressArguments>();
  CLI::App* command = mail.add_subcommand(verb, help);
  if (what != Verb::kList) {
    command->add_option("ADDRESS", arguments->address, "The address")->required();
  }
  command->add_flag("--json", arguments->json, "Print the result as JSON");
  add_file_flags(*command, arguments->flags);
  command->callback(
      [arguments, &exit_code, verb, what] { exit_code = run("mail " + verb, what, *arguments); });
}

}  // namespace

void add_suppress_commands(CLI::App& mail, int& exit_code) {
  add(mail, exit_code, "suppressed", Verb::kList, "List the addresses that get no mails, and why");
  add(mail, exit_code, "suppress", Verb::kAdd, "Send nothing more to an address");
  add(mail, exit_code, "unsuppress", Verb::kRemove, "Send to an address again");
}

}  // namespace edged
