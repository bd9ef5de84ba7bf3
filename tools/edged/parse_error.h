// SPDX-License-Identifier: Apache-2.0
// Parses the command line of edged and kvctl, and explains on stderr what is wrong with it: the
// command, the option, the reason, and where help is. One thread.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string_view>

namespace edged {

// "edged --write-pages DIRECTORY" writes the man page and the completions instead (command_tree.h).
// The build calls it; --help does not show it.
inline constexpr std::string_view kWritePages = "--write-pages";

// Nothing if the command line was read and its command has run. Otherwise the exit code, after help
// or version on stdout, or one or two lines on stderr: a command that is missing or mistyped is
// answered with those that exist, an option without a value ("--ttl=") by its name.
std::optional<int> parse_command_line(CLI::App& program, int argc, char** argv);

}  // namespace edged
