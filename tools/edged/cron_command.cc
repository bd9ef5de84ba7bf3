// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "tools/edged/commands.h"
#include "tools/edged/cron_history.h"
#include "tools/edged/cron_once.h"
#include "tools/edged/exit_code.h"
#include "tools/edged/flags.h"
#include "tools/edged/strict_options.h"

namespace edged {
namespace {

void add_run_command(CLI::App& cron, int& exit_code) {
  struct Arguments {
    Flags flags;
    CronOnceOptions once;
    bool no_mail = false;
  };
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command =
      cron.add_subcommand("run", "Run a job once, now, in this process, and print its summary");
  command->add_option("name", arguments->once.job, "The job, for example class-monitor")
      ->required();
  command
      ->add_option("--idempotency-key",
                   arguments->once.idempotency_key,
                   "If a run with this key was started before, wait for that run and print its "
                   "summary instead of starting another")
      ->type_name("KEY")
      ->check([](const std::string& key) { return key.empty() ? "is empty" : ""; });
  command->add_flag("--json", arguments->once.json, "Print the summary as one JSON object");
  command->add_flag("--no-mail",
                    arguments->no_mail,
                    "Do not deliver the mails of the run; a worker does it later");
  add_file_flags(*command, arguments->flags);
  add_node_flags(*command, arguments->flags);
  add_worker_flags(*command, arguments->flags);
  command->callback([arguments, &exit_code] {
    arguments->once.deliver_mail = !arguments->no_mail;
    const auto config = load_or_report(arguments->flags, "cron run", config::Scope::kCronRun);
    exit_code = config ? run_cron_once(*config, arguments->once) : static_cast<int>(kExitUsage);
  });
}

void add_history_command(CLI::App& cron, int& exit_code) {
  struct Arguments {
    Flags flags;
    CronHistoryOptions history;
  };
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command =
      cron.add_subcommand("history", "Print the last runs of a job, the newest first");
  command->add_option("name", arguments->history.job, "The job, for example class-monitor")
      ->required();
  add_number(*command,
             "--limit",
             arguments->history.limit,
             "Print at most this number of runs (default 20)",
             {1, worker::kHistoryLimitMax});
  command->add_flag("--json", arguments->history.json, "Print the runs as one JSON object");
  add_file_flags(*command, arguments->flags);
  command->callback([arguments, &exit_code] {
    const auto config =
        load_or_report(arguments->flags, "cron history", config::Scope::kCronHistory);
    exit_code =
        config ? run_cron_history(*config, arguments->history) : static_cast<int>(kExitUsage);
  });
}

}  // namespace

void add_cron_command(CLI::App& program, int& exit_code) {
  CLI::App* cron =
      program.add_subcommand("cron", "Run a scheduled job by hand, or list its past runs");
  cron->require_subcommand(1);
  add_run_command(*cron, exit_code);
  add_history_command(*cron, exit_code);
}

}  // namespace edged
