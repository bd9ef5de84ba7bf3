// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "tools/edged/commands.h"
#include "tools/edged/exit_code.h"
#include "tools/edged/flags.h"
#include "tools/edged/worker_service.h"

namespace edged {

void add_worker_command(CLI::App& program, int& exit_code) {
  CLI::App* command = program.add_subcommand(
      "worker",
      "Run the worker alone: scheduled jobs, mail, and the mirror of PostgreSQL tables in a node");
  auto flags = std::make_shared<Flags>();
  add_file_flags(*command, *flags);
  // Where the node is, if the flags of its start say so.
  add_node_flags(*command, *flags);
  add_worker_flags(*command, *flags);
  command->callback([flags, &exit_code] {
    const auto config = load_or_report(*flags, "worker", config::Scope::kWorker);
    exit_code = kExitUsage;
    if (!config) return;
    exit_code = run_worker(*config, reloader(*flags, config::Scope::kWorker), [&flags, &config] {
      log_start(*flags, *config, config::Runs::kWorker);
    });
  });
}

}  // namespace edged
