// SPDX-License-Identifier: Apache-2.0
// edged health: whether a running node or worker can work, for containers and scripts.
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "proto/base/log.h"
#include "tools/edged/commands.h"
#include "tools/edged/exit_code.h"
#include "tools/edged/flags.h"
#include "tools/edged/health_probe.h"
#include "tools/edged/strict_options.h"

namespace edged {
namespace {

struct HealthArguments {
  Flags flags;
  std::string program = "node";
  std::optional<std::chrono::milliseconds> timeout;
};

config::Scope scope_of(const std::string& program) {
  if (program == "node") return config::Scope::kNode;
  return program == "worker" ? config::Scope::kWorker : config::Scope::kAll;
}

// One line in either case. Whatever is wrong is 1: containers know no other code.
int health(const HealthArguments& arguments) {
  const auto config = load_or_report(arguments.flags, "health", scope_of(arguments.program));
  if (!config) return kExitFailed;
  const auto timeout = arguments.timeout.value_or(std::chrono::seconds(3));
  std::string said;
  const auto passes = [&](const std::string& who, auto ask) {
    std::string asked;
    const Status status = ask(*config, timeout, asked);
    if (!status.ok()) {
      log::print("edged health: the " + who + " at " + asked + ": " + status.message());
      return false;
    }
    said += (said.empty() ? "ready: " : ", ") + who + " at " + asked;
    return true;
  };
  if (arguments.program != "worker" && !passes("node", ask_node)) return kExitFailed;
  if (arguments.program != "node" && !passes("worker", ask_worker)) return kExitFailed;
  std::printf("%s\n", said.c_str());
  return kExitDone;
}

}  // namespace

void add_health_command(CLI::App& program, int& exit_code) {
  CLI::App* command = program.add_subcommand(
      "health",
      "Ask a running node or worker whether it can work. Exit code 0: it can; 1: it cannot, or "
      "does not answer");
  auto arguments = std::make_shared<HealthArguments>();
  command
      ->add_option("--for",
                   arguments->program,
                   "What to ask: node (the default), worker, or serve, which is both")
      ->check(CLI::IsMember({"node", "worker", "serve"}))
      ->type_name("PROGRAM");
  add_duration(
      *command, "--timeout", arguments->timeout, "How long each may take to answer (default 3s)");
  add_file_flags(*command, arguments->flags);
  add_node_flags(*command, arguments->flags);
  add_worker_flags(*command, arguments->flags);
  command->callback([arguments, &exit_code] { exit_code = health(*arguments); });
}

}  // namespace edged
