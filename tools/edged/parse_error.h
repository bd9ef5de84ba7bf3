// SPDX-License-Identifier: Apache-2.0
// Parses the command line of edged and kvctl, and explains on stderr what is wrong with it: the
// command, the option, the reason, and where help is. One thread.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>

namespace edged {

// Nothing if the command line was read and its command has run. Otherwise the exit code, after help
// or version on stdout, or one or two lines on stderr: a command that is missing or mistyped is
// answered with those that exist, an option without a value ("--ttl=") by its name.
std::optional<int> parse_command_line(CLI::App& program, int argc, char** argv);

}  // namespace edged
