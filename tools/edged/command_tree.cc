// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/command_tree.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

namespace edged {
namespace {

// "wal|sync": the words themselves. "HOST:PORT|off" has a part that stands for something else.
std::vector<std::string> words_of(const std::string& type) {
  if (type.find('|') == std::string::npos) return {};
  std::vector<std::string> words;
  std::size_t begin = 0;
  while (begin <= type.size()) {
    const std::size_t end = std::min(type.find('|', begin), type.size());
    const std::string word = type.substr(begin, end - begin);
    const bool literal = !word.empty() && std::all_of(word.begin(), word.end(), [](char c) {
      return std::islower(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_';
    });
    if (!literal) return {};
    words.push_back(word);
    begin = end + 1;
  }
  return words;
}

// CLI11 shows the set that a value must be of behind the type: "PROGRAM:{node,serve}".
std::vector<std::string> take_set(std::string& type) {
  const std::size_t begin = type.find(":{");
  if (begin == std::string::npos || !type.ends_with('}')) return {};
  std::vector<std::string> words(1);
  for (const char c : type.substr(begin + 2, type.size() - begin - 3)) {
    if (c == ',') {
      words.emplace_back();
    } else {
      words.back() += c;
    }
  }
  type.resize(begin);
  return words;
}

ValueKind kind_of(const std::string& name, const std::string& type) {
  if (type == "DIR") return ValueKind::kDirectory;
  if (type == "FILE" || type == "PATH") return ValueKind::kFile;
  for (const char* end : {"file", "path"}) {
    if (name == end || name.ends_with(std::string("-").append(end))) return ValueKind::kFile;
  }
  return ValueKind::kNone;
}

CommandOption describe_option(const CLI::Option& option) {
  CommandOption described;
  for (const std::string& name : option.get_snames()) described.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) described.names.push_back("--" + name);
  described.description = option.get_description();
  if (option.get_items_expected_max() == 0) return described;
  described.type = option.get_type_name();
  described.words = take_set(described.type);
  described.environment = option.get_envname();
  described.repeatable = option.get_items_expected_max() > 1;
  if (described.words.empty()) described.words = words_of(described.type);
  described.kind =
      described.words.empty() ? kind_of(described.names.back(), described.type) : ValueKind::kWords;
  return described;
}

CommandArgument describe_argument(const CLI::Option& option) {
  CommandArgument described;
  described.name = option.get_name(true);
  described.description = option.get_description();
  described.required = option.get_required();
  described.repeatable = option.get_items_expected_max() > 1;
  described.kind = kind_of(described.name, option.get_type_name());
  return described;
}

Command describe(const CLI::App& app,
                 const std::string& above,
                 std::vector<CommandOption> inherited) {
  Command command;
  command.name = app.get_name();
  command.path = above.empty() ? command.name : above + " " + command.name;
  command.description = app.get_description();
  command.inherited = std::move(inherited);
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) continue;  // hidden
    if (option->get_positional()) {
      command.arguments.push_back(describe_argument(*option));
    } else {
      command.options.push_back(describe_option(*option));
    }
  }
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (sub->get_name().empty() || sub->get_group().empty()) continue;
    std::vector<CommandOption> options;
    if (sub->get_fallthrough()) {
      options = command.inherited;
      for (const CommandOption& option : command.options) {
        const bool own = option.names.back() == "--help" || option.names.back() == "--version";
        if (!own) options.push_back(option);
      }
    }
    command.commands.push_back(describe(*sub, command.path, std::move(options)));
  }
  return command;
}

Status write_text(const std::string& path, const std::string& text) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "wb"),
                                                             &std::fclose);
  const bool written = file &&
                       std::fwrite(text.data(), 1, text.size(), file.get()) == text.size() &&
                       std::fflush(file.get()) == 0;
  if (written) return {};
  std::string why("could not write \"");
  why.append(path).append("\": ").append(std::strerror(errno));
  return {Code::kIoError, std::move(why)};
}

}  // namespace

Command describe_commands(const CLI::App& program) {
  return describe(program, "", {});
}

std::string synopsis_of(const Command& command) {
  std::string text = command.path + " [OPTIONS]";
  for (const CommandArgument& argument : command.arguments) {
    const std::string name = argument.name + (argument.repeatable ? "..." : "");
    text += argument.required ? " " + name : " [" + name + "]";
  }
  if (!command.commands.empty()) text += " COMMAND";
  return text;
}

Status write_command_pages(const CLI::App& program, const std::string& directory) {
  std::error_code failed;
  std::filesystem::create_directories(directory, failed);
  if (failed) {
    return {Code::kIoError, "could not create \"" + directory + "\": " + failed.message()};
  }
  const Command commands = describe_commands(program);
  const std::string name = directory + "/" + commands.name;
  Status written =
      write_text(name + ".1", man_page(commands, program.version(), program.get_footer()));
  if (written.ok()) written = write_text(name + ".bash", bash_completion(commands));
  if (written.ok())
    written = write_text(directory + "/_" + commands.name, zsh_completion(commands));
  return written;
}

}  // namespace edged
