// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <cstring>
#include <memory>

#include "proto/base/log.h"
#include "tools/edged/commands.h"
#include "tools/edged/dev_dir.h"
#include "tools/edged/exit_code.h"
#include "tools/edged/flags.h"
#include "tools/edged/supervisor.h"

namespace edged {
namespace {

constexpr const char* kThisProgram = "/proc/self/exe";

SupervisedProgram child(const std::string& command, const Flags& flags) {
  SupervisedProgram program{command, kThisProgram, {"edged", command}};
  const std::vector<std::string> arguments = flags.as_arguments();
  program.argv.insert(program.argv.end(), arguments.begin(), arguments.end());
  return program;
}

int serve(Flags flags) {
  DevDir dev;
  if (!dev.prepare(flags)) {
    log::print(
        std::string("edged serve: could not create a directory for --dev in the temporary ") +
        "directory (TMPDIR): " + std::strerror(errno));
    return kExitFailed;
  }
  const auto config = load_or_report(flags, "serve", config::Scope::kAll);
  if (!config) return kExitUsage;
  flags.file = config->file;  // both children read the same one
  log_start(flags, *config, config::Runs::kServe);
  flags.under_serve = true;
  ServiceManager manager = ServiceManager::from_environment();
  SupervisorOptions options;
  options.manager = &manager;
  return Supervisor({child("node", flags), child("worker", flags)}, options).run();
}

}  // namespace

void add_serve_command(CLI::App& program, int& exit_code) {
  CLI::App* command = program.add_subcommand(
      "serve",
      "Run the node and the worker as two child processes, and restart either when it ends");
  auto flags = std::make_shared<Flags>();
  add_file_flags(*command, *flags);
  add_node_flags(*command, *flags);
  add_worker_flags(*command, *flags);
  command->callback([flags, &exit_code] { exit_code = serve(*flags); });
}

}  // namespace edged
