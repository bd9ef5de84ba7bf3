// SPDX-License-Identifier: Apache-2.0
// The commands of edged or kvctl as plain values, read from CLI11's table, and what is made of
// them: the man page and the completions of bash and zsh. A command that is added to the table is
// in all three without further work. Pure but for write_command_pages(); any thread.
#pragma once

#include <CLI/App.hpp>
#include <string>
#include <vector>

#include "proto/base/status.h"

namespace edged {

// What a shell offers for a value.
enum class ValueKind { kNone, kFile, kDirectory, kWords };

struct CommandOption {
  std::vector<std::string> names;  // "-c", "--config"
  std::string description;
  std::string type;         // "FILE"; empty: a flag
  std::string environment;  // "EDGED_CONFIG"; empty: none
  bool repeatable = false;
  ValueKind kind = ValueKind::kNone;
  std::vector<std::string> words{};  // of kWords
};

struct CommandArgument {
  std::string name;
  std::string description;
  bool required = false;
  bool repeatable = false;
  ValueKind kind = ValueKind::kNone;
};

struct Command {
  std::string path;  // "edged mirror check"
  std::string name;  // "check"
  std::string description;
  std::vector<CommandOption> options;    // its own
  std::vector<CommandOption> inherited;  // of the commands above it, where they may follow it
  std::vector<CommandArgument> arguments;
  std::vector<Command> commands;
};

Command describe_commands(const CLI::App& program);

// "edged serve [OPTIONS]", "kvctl put [OPTIONS] key [value]".
std::string synopsis_of(const Command& command);

// `version` is what --version prints; `footer` the help's last paragraph.
std::string man_page(const Command& program, const std::string& version, const std::string& footer);
std::string bash_completion(const Command& program);
std::string zsh_completion(const Command& program);

// Writes NAME.1, NAME.bash and _NAME into `directory`, which is created. Blocks on disk. Errors:
// kIoError.
Status write_command_pages(const CLI::App& program, const std::string& directory);

}  // namespace edged
