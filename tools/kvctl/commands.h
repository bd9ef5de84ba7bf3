// SPDX-License-Identifier: Apache-2.0
// One function per group of kvctl's commands: adds them to the program's table. What a command does
// when chosen leaves the exit code in `exit_code`. Both references outlive the parsing.
#pragma once

#include <CLI/App.hpp>

#include "tools/kvctl/context.h"

namespace edged::kvctl {

void add_namespace_commands(CLI::App& program, Context& context, int& exit_code);
void add_entry_commands(CLI::App& program, Context& context, int& exit_code);   // get, del
void add_change_commands(CLI::App& program, Context& context, int& exit_code);  // touch, ttl, add
void add_put_command(CLI::App& program, Context& context, int& exit_code);
void add_list_command(CLI::App& program, Context& context, int& exit_code);
// inspect, count, stats, confirm-clock
void add_inspect_commands(CLI::App& program, Context& context, int& exit_code);
void add_token_commands(CLI::App& program, Context& context, int& exit_code);
void add_mirror_commands(CLI::App& program, Context& context, int& exit_code);
void add_watch_command(CLI::App& program, Context& context, int& exit_code);
void add_backup_commands(CLI::App& program, Context& context, int& exit_code);  // restore, verify
void add_export_command(CLI::App& program, Context& context, int& exit_code);
void add_import_command(CLI::App& program, Context& context, int& exit_code);

}  // namespace edged::kvctl
