// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/parse_error.h"

#include <algorithm>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tools/edged/command_tree.h"
#include "tools/edged/exit_code.h"
#include "tools/edged/strict_options.h"

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

bool is(const CLI::ParseError& error, CLI::ExitCodes code) {
  return error.get_exit_code() == static_cast<int>(code);
}

int refuse(const std::string& path, const std::string& why) {
  std::fprintf(stderr, "%s: %s\n", path.c_str(), why.c_str());
  std::fprintf(stderr, "  \"%s --help\" explains the command\n", path.c_str());
  return kExitUsage;
}

bool takes_arguments(const CLI::App& command) {
  const auto options = command.get_options();
  return std::any_of(options.begin(), options.end(), [](const CLI::Option* option) {
    return option->get_positional();
  });
}

// Our words for CLI11's.
std::string explain(const CLI::App& program,
                    const CLI::App& command,
                    const CLI::ParseError& error) {
  const std::string text = error.what();
  if (is(error, CLI::ExitCodes::RequiredError)) {
    const std::string name = text.substr(0, text.find(" is required"));
    constexpr std::string_view kGroup = "Exactly 1 option from [";
    if (name.starts_with(kGroup)) {
      return "name exactly one of " + name.substr(kGroup.size(), name.find(']') - kGroup.size());
    }
    return name.starts_with("-") ? "the option " + name + " is missing"
                                 : "the argument \"" + name + "\" is missing";
  }
  if (is(error, CLI::ExitCodes::ExtrasError)) {
    for (const std::string& one : program.remaining(true)) {
      if (one == "--") continue;
      if (!one.starts_with("-") || one.size() == 1) return "unexpected argument \"" + one + "\"";
      return "there is no option \"" + one + "\"" +
             (takes_arguments(command) ? ". Write -- before arguments that begin with -" : "");
    }
  }
  if (is(error, CLI::ExitCodes::ArgumentMismatch)) {
    const std::string name = text.substr(0, text.find(':'));
    if (text.ends_with("missing")) return "the option " + name + " needs a value";
    if (text.find("At Most") != std::string::npos) return name + " may be given only once";
  }
  return text;
}

int report(const CLI::App& program, const CLI::ParseError& error) {
  if (is(error, CLI::ExitCodes::Success)) {
    program.exit(error);  // prints help or version
    return kExitDone;
  }
  std::string path;
  const CLI::App& command = innermost(program, path);
  const std::string names = names_of_commands(command);
  if (!is(error, CLI::ExitCodes::RequiredError) || names.empty()) {
    return refuse(path, explain(program, command, error));
  }
  const std::vector<std::string> rest = program.remaining(true);
  if (rest.empty()) return refuse(path, "a command is missing; there are: " + names);
  return refuse(path, "there is no command \"" + rest.front() + "\"; there are: " + names);
}

// CLI11 takes the next argument for the value of "--ttl=".
std::optional<std::string> option_without_value(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view text = argv[i];
    if (text == "--") return std::nullopt;
    const std::size_t equals = text.find('=');
    if (text.starts_with("--") && equals + 1 == text.size()) {
      return std::string(text.substr(0, equals));
    }
  }
  return std::nullopt;
}

// For the build: the man page and the completions of the program.
int write_pages(const CLI::App& program, const std::string& directory) {
  const Status written = write_command_pages(program, directory);
  if (written.ok()) return kExitDone;
  std::fprintf(stderr, "%s: %s\n", program.get_name().c_str(), written.message().c_str());
  return kExitFailed;
}

}  // namespace

std::optional<int> parse_command_line(CLI::App& program, int argc, char** argv) {
  if (argc == 3 && argv[1] == kWritePages) return write_pages(program, argv[2]);
  if (const auto name = option_without_value(argc, argv)) {
    return refuse(program.get_name(), "the option " + *name + " has an empty value");
  }
  std::vector<std::string> arguments;
  for (int i = argc - 1; i > 0; --i) arguments.push_back(protect(argv[i]));  // last first
  try {
    program.parse(std::move(arguments));
  } catch (const CLI::ParseError& error) {
    return report(program, error);
  }
  return std::nullopt;
}

}  // namespace edged
