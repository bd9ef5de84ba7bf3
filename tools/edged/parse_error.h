// SPDX-License-Identifier: Apache-2.0
// What a command line that could not be parsed is told; of edged and kvctl.
#pragma once

#include <CLI/CLI.hpp>

namespace edged {

// Prints help, version or what is wrong, a command that is missing or mistyped by its name and with
// those there are. The exit code.
int report_parse_error(const CLI::App& program, const CLI::ParseError& error);

}  // namespace edged
