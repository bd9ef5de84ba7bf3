// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/parse_error.h"

#include <cstdio>
#include <string>
#include <vector>

#include "tools/edged/exit_code.h"

namespace edged {
namespace {

// The command that was named last, in which another one should follow.
const CLI::App& innermost(const CLI::App& program, std::string& path) {
  path += path.empty() ? program.get_name() : " " + program.get_name();
  const std::vector<CLI::App*> named = program.get_subcommands();
  return named.empty() ? program : innermost(*named.front(), path);
}

std::string names_of_commands(const CLI::App& command) {
  std::string names;
  for (const CLI::App* one : command.get_subcommands([](const CLI::App*) { return true; })) {
    names += (names.empty() ? "" : ", ") + one->get_name();
  }
  return names;
}

}  // namespace

int report_parse_error(const CLI::App& program, const CLI::ParseError& error) {
  std::string path;
  const CLI::App& command = innermost(program, path);
  const std::string names = names_of_commands(command);
  const bool lacks_command =
      error.get_exit_code() == static_cast<int>(CLI::ExitCodes::RequiredError) && !names.empty();
  if (!lacks_command) return program.exit(error) == 0 ? kExitDone : kExitUsage;
  const std::vector<std::string> rest = program.remaining(true);
  if (rest.empty()) {
    std::fprintf(stderr, "%s: a command is missing; there are: %s\n", path.c_str(), names.c_str());
  } else {
    std::fprintf(stderr,
                 "%s: there is no command \"%s\"; there are: %s\n",
                 path.c_str(),
                 rest.front().c_str(),
                 names.c_str());
  }
  return kExitUsage;
}

}  // namespace edged
