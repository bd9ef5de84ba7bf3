// SPDX-License-Identifier: Apache-2.0
#include <boost/json.hpp>
#include <cstdio>
#include <memory>

#include "tools/edged/commands.h"
#include "tools/edged/exit_code.h"
#include "tools/edged/flags.h"

namespace edged {
namespace {

void print_json(const config::Loaded& loaded) {
  boost::json::array errors;
  for (const config::Complaint& error : loaded.errors) {
    boost::json::object object;
    object["file"] = error.file;
    object["line"] = error.position.line;
    object["column"] = error.position.column;
    object["path"] = error.path;
    object["message"] = error.message;
    errors.push_back(std::move(object));
  }
  boost::json::object object;
  object["file"] = loaded.config.file;
  object["ok"] = loaded.errors.empty();
  object["errors"] = std::move(errors);
  object["warnings"] = boost::json::value_from(loaded.warnings);
  std::printf("%s\n", boost::json::serialize(object).c_str());
}

int check(const Flags& flags, bool json) {
  config::LoadRequest request;
  request.file = flags.file;
  request.overrides = flags.overrides();
  config::Loaded loaded = config::load_config(request);
  if (!loaded.ignored_keys.empty()) loaded.warnings.push_back(loaded.ignored_keys);
  if (json) {
    print_json(loaded);
  } else {
    for (const config::Complaint& error : loaded.errors) {
      std::fprintf(stderr, "%s\n", error.to_string().c_str());
    }
    for (const std::string& warning : loaded.warnings) {
      std::printf("warning: %s\n", warning.c_str());
    }
    if (loaded.errors.empty()) std::printf("%s: ok\n", loaded.config.file.c_str());
  }
  return loaded.errors.empty() ? kExitDone : kExitUsage;
}

}  // namespace

void add_check_config_command(CLI::App& program, int& exit_code) {
  struct Arguments {
    Flags flags;
    bool json = false;
  };
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command =
      program.add_subcommand("check-config", "Check the configuration and list every error in it");
  command->add_flag("--json", arguments->json, "Print the result as one JSON object");
  add_file_flags(*command, arguments->flags);
  add_node_flags(*command, arguments->flags);
  add_worker_flags(*command, arguments->flags);
  command->callback(
      [arguments, &exit_code] { exit_code = check(arguments->flags, arguments->json); });
}

}  // namespace edged
