// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <cstring>
#include <memory>

#include "proto/base/log.h"
#include "tools/edged/commands.h"
#include "tools/edged/dev_dir.h"
#include "tools/edged/exit_code.h"
#include "tools/edged/flags.h"
#include "tools/edged/node_service.h"

namespace edged {
namespace {

int node(Flags flags) {
  DevDir dev;
  if (!dev.prepare(flags)) {
    log::print(std::string("edged node: could not create a directory for --dev in the temporary ") +
               "directory (TMPDIR): " + std::strerror(errno));
    return kExitFailed;
  }
  const auto config = load_or_report(flags, "node", config::Scope::kNode);
  if (!config) return kExitUsage;
  return run_node(*config, reloader(flags, config::Scope::kNode), [&flags, &config] {
    log_start(flags, *config, config::Runs::kNode);
  });
}

}  // namespace

void add_node_command(CLI::App& program, int& exit_code) {
  CLI::App* command =
      program.add_subcommand("node", "Run the key-value node alone. Needs no configuration file");
  auto flags = std::make_shared<Flags>();
  add_file_flags(*command, *flags);
  add_node_flags(*command, *flags);
  // `edged serve` hands all of its flags to both children.
  add_worker_flags(*command, *flags);
  command->get_option("--worker-http")->group("The worker of the same file, which has the queues");
  command->get_option("--state-dir")->group("Accepted, because serve passes it on, but not used");
  command->callback([flags, &exit_code] { exit_code = node(*flags); });
}

}  // namespace edged
