// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "tools/edged/commands.h"
#include "tools/edged/cron_once.h"
#include "tools/edged/exit_code.h"
#include "tools/edged/flags.h"

namespace edged {

void add_cron_command(CLI::App& program, int& exit_code) {
  struct Arguments {
    Flags flags;
    CronOnceOptions once;
    bool no_mail = false;
  };
  auto arguments = std::make_shared<Arguments>();
  CLI::App* cron = program.add_subcommand("cron", "Run scheduled jobs by hand");
  cron->require_subcommand(1);
  CLI::App* command = cron->add_subcommand("run", "Run one job now and print its summary");
  command->add_option("name", arguments->once.job, "The job, for example class-monitor")
      ->required();
  command->add_flag("--json", arguments->once.json, "Print the summary as one JSON object");
  command->add_flag("--no-mail", arguments->no_mail, "Leave the mails it causes queued");
  add_file_flags(*command, arguments->flags);
  add_node_flags(*command, arguments->flags);
  add_worker_flags(*command, arguments->flags);
  command->callback([arguments, &exit_code] {
    arguments->once.deliver_mail = !arguments->no_mail;
    const auto config = load_or_report(arguments->flags, "cron", config::Scope::kWorker);
    exit_code = config ? run_cron_once(*config, arguments->once) : static_cast<int>(kExitUsage);
  });
}

}  // namespace edged
