// SPDX-License-Identifier: Apache-2.0
// One function per command of edged: adds the command to the program's table, with its flags. What
// it does when chosen leaves the exit code in `exit_code`, which outlives the parsing.
#pragma once

#include <CLI/App.hpp>

namespace edged {

void add_serve_command(CLI::App& program, int& exit_code);
void add_node_command(CLI::App& program, int& exit_code);
void add_worker_command(CLI::App& program, int& exit_code);
void add_cron_command(CLI::App& program, int& exit_code);
void add_migrate_command(CLI::App& program, int& exit_code);
void add_mirror_command(CLI::App& program, int& exit_code);
void add_queue_command(CLI::App& program, int& exit_code);
void add_mail_command(CLI::App& program, int& exit_code);
// Of `edged mail`.
void add_suppress_commands(CLI::App& mail, int& exit_code);
void add_notifications_command(CLI::App& program, int& exit_code);
void add_check_config_command(CLI::App& program, int& exit_code);
void add_init_command(CLI::App& program, int& exit_code);
void add_doctor_command(CLI::App& program, int& exit_code);
void add_health_command(CLI::App& program, int& exit_code);

}  // namespace edged
