// SPDX-License-Identifier: Apache-2.0
// edged doctor: checks a whole deployment from its configuration, and says how to mend what it
// finds. Changes nothing.
#include <boost/asio/io_context.hpp>
#include <cstdio>
#include <memory>
#include <string>

#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "tools/edged/commands.h"
#include "tools/edged/config_needs.h"
#include "tools/edged/doctor_node.h"
#include "tools/edged/doctor_report.h"
#include "tools/edged/exit_code.h"
#include "tools/edged/flags.h"
#ifdef EDGED_WITH_WORKER
#include "tools/edged/doctor_worker.h"
#endif

namespace edged {
namespace {

using doctor::Report;

#ifdef EDGED_WITH_WORKER
constexpr const char* kWhatIsChecked =
    "Check a whole deployment: configuration, machine, PostgreSQL, upstream, mail, mirror, tokens, "
    "exposure. Changes nothing. Exit code 1: there is something to mend";
#else
constexpr const char* kWhatIsChecked =
    "Check a node: configuration, machine, tokens, exposure. Changes nothing. Exit code 1: there "
    "is something to mend";
#endif

struct DoctorArguments {
  Flags flags;
#ifdef EDGED_WITH_WORKER
  std::string program = "serve";
#else
  std::string program = "node";
#endif
  bool json = false;
};

config::Scope scope_of(const std::string& program) {
  if (program == "node") return config::Scope::kNode;
  return program == "worker" ? config::Scope::kWorker : config::Scope::kAll;
}

// False if the configuration is such that nothing more can be checked.
bool check_configuration(const config::Loaded& loaded, config::Scope scope, Report& report) {
  for (const config::Complaint& error : loaded.errors) {
    std::string fix = error.file.empty() ? "edged init" : "edit " + error.file;
    if (error.message.starts_with("the environment variable ")) {
      fix = "run edged doctor with the environment that the service has";
    }
    report.error("configuration", error.to_string(), fix);
  }
  for (const std::string& warning : loaded.warnings) {
    report.add_message(
        doctor::Severity::kWarning, "configuration", warning, "edit " + loaded.config.file);
  }
  const std::string& file = loaded.config.file;
  bool complete = loaded.errors.empty();
  if (complete) {
    for (const config::MissingKey& key : config::missing_for(scope, loaded.config)) {
      complete = false;
      report.error("configuration",
                   key.path + " " + key.message,
                   "edged init -c " + (file.empty() ? std::string("edged.jsonc") : file));
    }
  }
  if (complete) report.ok("configuration", file.empty() ? "no file: the defaults" : file);
  return complete;
}

int examine(const DoctorArguments& arguments) {
  log::init("doctor", log::Level::kOff);  // what is found is told by the report
  const config::Scope scope = scope_of(arguments.program);
  config::LoadRequest request =
      load_request(arguments.flags, scope == config::Scope::kNode ? scope : config::Scope::kCheck);
  const config::Loaded loaded = config::load_config(request);
  Report report;
  if (check_configuration(loaded, scope, report)) {
    if (scope != config::Scope::kWorker) {
      doctor::check_node(loaded.config, SystemClock(), report);
    } else if (!loaded.config.worker_namespace_id().empty()) {
      doctor::check_running_node(loaded.config, report);
    }
#ifdef EDGED_WITH_WORKER
    if (scope != config::Scope::kNode) {
      boost::asio::io_context io{1};
      doctor::check_worker(io, loaded.config, report);
    }
#endif
  }
  if (arguments.json) {
    std::printf("%s\n", doctor::to_json(report).c_str());
  } else {
    std::printf("%s", doctor::to_table(report).c_str());
  }
  return report.clean() ? kExitDone : kExitFailed;
}

}  // namespace

void add_doctor_command(CLI::App& program, int& exit_code) {
  auto arguments = std::make_shared<DoctorArguments>();
  CLI::App* command = program.add_subcommand("doctor", kWhatIsChecked);
#ifdef EDGED_WITH_WORKER
  command
      ->add_option("--for",
                   arguments->program,
                   "What runs on this machine: serve (the default), node or worker")
      ->type_name("PROGRAM")
      ->check(CLI::IsMember({"serve", "node", "worker"}));
#endif
  command->add_flag("--json", arguments->json, "Print the findings as one JSON object");
  add_file_flags(*command, arguments->flags);
  add_node_flags(*command, arguments->flags);
#ifdef EDGED_WITH_WORKER
  add_worker_flags(*command, arguments->flags);
#endif
  command->callback([arguments, &exit_code] { exit_code = examine(*arguments); });
}

}  // namespace edged
