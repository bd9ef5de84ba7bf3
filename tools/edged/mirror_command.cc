// SPDX-License-Identifier: Apache-2.0
// edged mirror check: whether the tables of mirror.rules are there, and whether PostgreSQL and the
// role allow logical replication of them; edged mirror status and drop.
#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <cstdio>
#include <memory>

#include "proto/base/log.h"
#include "proto/json/write_json.h"
#include "proto/net/spawn.h"
#include "tools/edged/commands.h"
#include "tools/edged/exit_code.h"
#include "tools/edged/flags.h"
#include "tools/edged/mirror_admin.h"
#include "tools/edged/mirror_inspection.h"
#include "tools/edged/mirror_parts.h"
#include "tools/edged/postgres_options.h"
#include "worker/mirror/catalogue.h"

namespace edged {
namespace {

struct MirrorArguments {
  Flags flags;
  bool json = false;
};

std::string identity_of(const mirror::Table& table) {
  if (table.identity == mirror::ReplicaIdentity::kFull) return "the whole row";
  std::string names;
  for (const auto& column : table.columns) {
    if (column.identity) names += (names.empty() ? "" : ", ") + column.json.name;
  }
  return names;
}

void print_json(const MirrorReport& report,
                const std::vector<mirror::Rule>& rules,
                const std::vector<std::string>& doubts) {
  const std::vector<std::string>& obstacles = report.obstacles;
  boost::json::array tables;
  for (std::size_t i = 0; i < report.catalogue.tables.size(); ++i) {
    const mirror::Table& table = report.catalogue.tables[i];
    tables.push_back({{"table", table.name.to_text()},
                      {"key_prefix", rules[i].key.prefix()},
                      {"identity", identity_of(table)},
                      {"columns", table.columns.size()}});
  }
  const boost::json::object object{{"logical", obstacles.empty()},
                                   {"tables", std::move(tables)},
                                   {"obstacles", boost::json::value_from(obstacles)},
                                   {"warnings", boost::json::value_from(doubts)}};
  std::printf("%s\n", write_json(object).c_str());
}

void print_text(const MirrorReport& report,
                const std::vector<mirror::Rule>& rules,
                const std::vector<std::string>& doubts) {
  const std::vector<std::string>& obstacles = report.obstacles;
  for (std::size_t i = 0; i < report.catalogue.tables.size(); ++i) {
    const mirror::Table& table = report.catalogue.tables[i];
    std::printf("table %s: keys \"%s...\", %zu columns, rows told apart by %s\n",
                table.name.to_text().c_str(),
                rules[i].key.prefix().c_str(),
                table.columns.size(),
                identity_of(table).c_str());
  }
  for (const std::string& doubt : doubts) std::printf("warning: %s\n", doubt.c_str());
  for (const std::string& obstacle : obstacles) std::printf("missing: %s\n", obstacle.c_str());
  std::printf("logical replication: %s\n", obstacles.empty() ? "possible" : "not possible");
}

// Nothing after saying what is wrong or missing.
auto load_mirror(const MirrorArguments& arguments) {
  return load_or_report(arguments.flags, "mirror", config::Scope::kMirror);
}

int check_now(const MirrorArguments& arguments) {
  const auto config = load_mirror(arguments);
  if (!config) return kExitUsage;
  const std::vector<mirror::Rule> rules = rules_of(config->mirror);
  boost::asio::io_context io{1};
  MetricsRegistry metrics;
  db::PgPoolOptions options = pool_options(*config, "edged mirror");
  options.size = 1;
  db::PgPool pool(io.get_executor(), options, metrics);
  const Result<MirrorReport> report = net::run_until_done(io, inspect_mirror(pool, *config, rules));
  if (!report) {
    log::print("edged mirror: " + report.error().message());
    return exit_code_of(report.code());
  }
  const auto doubts = mirror::doubts(report->facts);
  (arguments.json ? print_json : print_text)(*report, rules, doubts);
  return report->obstacles.empty() ? kExitDone : kExitFailed;
}

}  // namespace

void add_mirror_command(CLI::App& program, int& exit_code) {
  CLI::App* group = program.add_subcommand(
      "mirror", "Check, show or end the mirror of PostgreSQL tables in the node");
  group->require_subcommand(1);
  auto arguments = std::make_shared<MirrorArguments>();
  CLI::App* check = group->add_subcommand(
      "check",
      "Check whether the tables of mirror.rules and PostgreSQL allow logical replication, and "
      "say what is missing. Exit code 1: they do not");
  check->add_flag("--json", arguments->json, "Print the result as one JSON object");
  add_file_flags(*check, arguments->flags);
  check->callback([arguments, &exit_code] { exit_code = check_now(*arguments); });

  CLI::App* status = group->add_subcommand(
      "status",
      "Show how far the node has followed PostgreSQL. Exit code 1: it does not follow it");
  status->add_flag("--json", arguments->json, "Print the result as one JSON object");
  add_file_flags(*status, arguments->flags);
  status->callback([arguments, &exit_code] {
    const auto config = load_mirror(*arguments);
    exit_code = config ? show_mirror_status(*config, arguments->json) : kExitUsage;
  });

  CLI::App* drop = group->add_subcommand("drop",
                                         "End the mirror: drop its replication slot and "
                                         "publication, and delete the mirrored keys from the "
                                         "node. Stop the worker first");
  add_file_flags(*drop, arguments->flags);
  drop->callback([arguments, &exit_code] {
    const auto config = load_mirror(*arguments);
    exit_code = config ? drop_mirror(*config) : kExitUsage;
  });
}

}  // namespace edged
