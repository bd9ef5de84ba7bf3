// SPDX-License-Identifier: Apache-2.0
// The completion of a program for zsh: one function for each command, with _arguments.
#include <string>
#include <string_view>

#include "tools/edged/command_tree.h"

namespace edged {
namespace {

// Inside single quotes, in a description of _arguments.
std::string escape(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\'') {
      escaped += "'\\''";
    } else if (c == '[' || c == ']' || c == ':' || c == '\\') {
      escaped += std::string("\\") + c;
    } else {
      escaped += c == '\n' ? ' ' : c;
    }
  }
  return escaped;
}

std::string action_of(ValueKind kind, const std::vector<std::string>& words) {
  std::string action;
  switch (kind) {
    case ValueKind::kFile:
      return "_files";
    case ValueKind::kDirectory:
      return "_files -/";
    case ValueKind::kWords:
      for (const std::string& word : words) action += (action.empty() ? "" : " ") + word;
      return "(" + action + ")";
    case ValueKind::kNone:
      break;
  }
  return " ";
}

void add_options(std::string& text, const std::vector<CommandOption>& options) {
  for (const CommandOption& option : options) {
    for (const std::string& name : option.names) {
      text.append("    '").append(option.repeatable ? "*" : "").append(name);
      if (!option.type.empty()) text.append(name.starts_with("--") ? "=" : "+");
      text.append("[").append(escape(option.description)).append("]");
      if (!option.type.empty()) {
        text.append(":").append(escape(option.type)).append(":");
        text.append(action_of(option.kind, option.words));
      }
      text.append("' \\\n");
    }
  }
}

std::string function_of(const Command& command) {
  std::string name("_");
  for (const char c : command.path) name += c == ' ' ? std::string("__") : std::string(1, c);
  return name;
}

void add_arguments(std::string& text, const Command& command) {
  for (const CommandArgument& argument : command.arguments) {
    text.append("    '").append(argument.repeatable ? "*" : "").append(":");
    text.append(argument.required || argument.repeatable ? "" : ":");
    text.append(escape(argument.name)).append(":").append(action_of(argument.kind, {}));
    text.append("' \\\n");
  }
}

void add_function(std::string& text, const Command& command) {
  const std::string name = function_of(command);
  text.append(name).append("() {\n  local context state state_descr line\n  typeset -A opt_args\n");
  text.append("  _arguments -C \\\n");
  add_options(text, command.options);
  add_options(text, command.inherited);
  if (command.commands.empty()) {
    add_arguments(text, command);
    text.append("    && return 0\n  return 1\n}\n\n");
    return;
  }
  text.append("    '1: :->command' '*:: :->rest' && return 0\n  case $state in\n");
  text.append("    command)\n      local -a commands=(\n");
  for (const Command& sub : command.commands) {
    text.append("        '").append(sub.name).append(":").append(escape(sub.description));
    text.append("'\n");
  }
  text.append("      )\n      _describe -t commands command commands ;;\n");
  text.append("    rest)\n      case $words[1] in\n");
  for (const Command& sub : command.commands) {
    text.append("        ").append(sub.name).append(") ").append(function_of(sub)).append(" ;;\n");
  }
  text.append("      esac ;;\n  esac\n}\n\n");
  for (const Command& sub : command.commands) add_function(text, sub);
}

}  // namespace

std::string zsh_completion(const Command& program) {
  std::string text("#compdef " + program.name + "\n");
  text.append("# Generated from its table of commands; do not edit.\n\n");
  add_function(text, program);
  const std::string function = function_of(program);
  // Loaded as a file of fpath it is called at once; sourced it registers itself.
  text.append("if [[ $funcstack[1] == ").append(function).append(" ]]; then\n  ").append(function);
  text.append(" \"$@\"\nelse\n  compdef ").append(function).append(" ").append(program.name);
  text.append("\nfi\n");
  return text;
}

}  // namespace edged
