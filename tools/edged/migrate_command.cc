// SPDX-License-Identifier: Apache-2.0
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <cstdio>
#include <memory>
#include <string>

#include "proto/base/log.h"
#include "proto/json/write_json.h"
#include "tools/edged/commands.h"
#include "tools/edged/exit_code.h"
#include "tools/edged/flags.h"
#include "worker/db/migrate.h"

namespace edged {
namespace {

struct MigrateArguments {
  Flags flags;
  bool app_schema = false;
  std::string grant_to;
  bool json = false;
};

void print(const db::MigrateReport& report, bool json) {
  if (json) {
    boost::json::object object;
    object["version"] = report.version;
    object["applied"] = boost::json::value_from(report.applied);
    object["created_tables"] = boost::json::value_from(report.created_tables);
    std::printf("%s\n", write_json(object).c_str());
    return;
  }
  for (const std::string& name : report.applied) std::printf("applied %s\n", name.c_str());
  for (const std::string& name : report.created_tables) std::printf("created %s\n", name.c_str());
  std::printf("schema edged is at version %d\n", report.version);
}

// co_spawn wants a result that can be made of nothing, which a Result cannot.
boost::asio::awaitable<void> migrate_into(db::MigrateOptions options,
                                          Result<db::MigrateReport>* report) {
  const boost::asio::any_io_executor executor = co_await boost::asio::this_coro::executor;
  *report = co_await db::migrate(executor, options);
}

int migrate_now(const MigrateArguments& arguments) {
  const auto config = load_or_report(arguments.flags, "migrate", config::Scope::kMigrate);
  if (!config) return kExitUsage;
  db::MigrateOptions options;
  options.url = config->postgres.url;
  options.session_state = config->postgres.session_state;
  options.app_schema = arguments.app_schema;
  options.grant_to = arguments.grant_to;
  options.connect_timeout = config->postgres.connect_timeout;
  boost::asio::io_context io{1};
  Result<db::MigrateReport> report = Status(Code::kInternal, "did not end");
  boost::asio::co_spawn(io, migrate_into(options, &report), boost::asio::detached);
  io.run();
  if (report) {
    print(*report, arguments.json);
    return kExitDone;
  }
  log::print("edged migrate: " + report.error().message());
  return exit_code_of(report.code());
}

}  // namespace

void add_migrate_command(CLI::App& program, int& exit_code) {
  auto arguments = std::make_shared<MigrateArguments>();
  CLI::App* command = program.add_subcommand(
      "migrate", "Create or upgrade the PostgreSQL schema \"edged\", which the worker needs");
  command->add_flag("--app-schema",
                    arguments->app_schema,
                    "Also create those tables of the application that do not exist");
  command
      ->add_option("--grant-to",
                   arguments->grant_to,
                   "Also grant this PostgreSQL role the rights that a worker needs")
      ->check([](const std::string& role) {
        return role.empty() ? std::string("the role has no name") : std::string();
      })
      ->type_name("ROLE");
  command->add_flag("--json", arguments->json, "Print the result as one JSON object");
  add_file_flags(*command, arguments->flags);
  command->callback([arguments, &exit_code] { exit_code = migrate_now(*arguments); });
}

}  // namespace edged
