// SPDX-License-Identifier: Apache-2.0
// edged: the table of its commands. Each is in <name>_command.cc.
#include <CLI/CLI.hpp>

#include "kvstore/storage/engine/engine_name.h"
#include "proto/base/private_files.h"
#include "proto/base/standard_streams.h"
#include "tools/edged/commands.h"
#include "tools/edged/exit_code.h"
#include "tools/edged/parse_error.h"
#include "tools/edged/version.h"
#ifdef EDGED_WITH_WORKER
#include "worker/db/pg_target.h"
#endif

int main(int argc, char** argv) {
  edged::prepare_standard_streams();
  edged::use_private_umask();
#ifdef EDGED_WITH_WORKER
  edged::db::ignore_session_environment();
#endif
  int exit_code = edged::kExitDone;
  CLI::App program(
      "edged: a key-value node and a worker for scheduled jobs, with PostgreSQL as "
      "the source of truth",
      "edged");
  program.set_version_flag("--version",
                           edged::version_text("edged", edged::storage::engine_name()));
  program.require_subcommand(1);
  program.footer(
      "\"edged COMMAND --help\" explains a command and its options. To try the node: \"edged node "
      "--dev\",\nthen \"kvctl put greeting hello\" and \"kvctl get greeting\" in another "
      "terminal.\n"
      "A flag beats the environment variable (EDGED_...), which beats the configuration file.\n"
      "Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 not found, 4 unavailable, "
      "5 denied, 6 corrupt");
#ifdef EDGED_WITH_WORKER
  edged::add_init_command(program, exit_code);
  edged::add_serve_command(program, exit_code);
#endif
  edged::add_node_command(program, exit_code);
#ifdef EDGED_WITH_WORKER
  edged::add_worker_command(program, exit_code);
  edged::add_cron_command(program, exit_code);
  edged::add_migrate_command(program, exit_code);
  edged::add_mirror_command(program, exit_code);
  edged::add_queue_command(program, exit_code);
  edged::add_mail_command(program, exit_code);
  edged::add_notifications_command(program, exit_code);
#endif
  edged::add_check_config_command(program, exit_code);
  edged::add_doctor_command(program, exit_code);
  edged::add_health_command(program, exit_code);
  if (const auto refused = edged::parse_command_line(program, argc, argv)) {
    return edged::finish_output("edged", *refused);
  }
  return edged::finish_output("edged", exit_code);
}
