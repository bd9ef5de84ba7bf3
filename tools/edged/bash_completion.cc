// SPDX-License-Identifier: Apache-2.0
// The completion of a program for bash. It needs no package beside bash: a table of the commands,
// and one function that walks the words of the line through it.
#include <string>

#include "tools/edged/command_tree.h"

namespace edged {
namespace {

// "file", "dir", "wal|sync", or "any": what follows the option's name in the table.
std::string hint_of(const CommandOption& option) {
  switch (option.kind) {
    case ValueKind::kFile:
      return "file";
    case ValueKind::kDirectory:
      return "dir";
    case ValueKind::kWords: {
      std::string words;
      for (const std::string& word : option.words) words += (words.empty() ? "" : "|") + word;
      return words;
    }
    case ValueKind::kNone:
      break;
  }
  return "any";
}

void add_names(std::string& text, const std::vector<CommandOption>& options) {
  for (const CommandOption& option : options) {
    for (const std::string& name : option.names) {
      text.append(" ").append(name);
      if (!option.type.empty()) text.append("=").append(hint_of(option));
    }
  }
}

void add_rows(std::string& rows, const Command& command) {
  std::string commands;
  for (const Command& sub : command.commands) commands.append(" ").append(sub.name);
  std::string options;
  add_names(options, command.options);
  add_names(options, command.inherited);
  std::string arguments = "none";
  for (const CommandArgument& argument : command.arguments) {
    if (argument.kind == ValueKind::kFile) arguments = "file";
    if (argument.kind == ValueKind::kDirectory) arguments = "dir";
  }
  rows.append("    '").append(command.path).append("')\n");
  rows.append("      commands='").append(commands).append("'\n");
  rows.append("      options='").append(options).append("'\n");
  rows.append("      arguments=").append(arguments).append(" ;;\n");
  for (const Command& sub : command.commands) add_rows(rows, sub);
}

// NAME is the program's, ROWS the cases of the table.
constexpr const char* kScript =
    R"BASH(# bash completion for NAME. Generated from its table of commands; do not edit.

# Sets commands, options and arguments for the command in $1.
_NAME_row() {
  commands='' options='' arguments=none
  case $1 in
ROWS  esac
}

# Prints the kind of value that the option $1 takes; fails if it takes none.
_NAME_value() {
  local option
  for option in $options; do
    if [[ ${option%%=*} == "$1" && $option == *=* ]]; then
      printf '%s' "${option#*=}"
      return 0
    fi
  done
  return 1
}

# Offers what fits $2 and is of the kind $1.
_NAME_offer() {
  case $1 in
    file) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$2") ;;
    dir) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$2") ;;
    none | any) ;;
    *) mapfile -t COMPREPLY < <(compgen -W "${1//|/ }" -- "$2") ;;
  esac
}

_NAME() {
  local current=${COMP_WORDS[COMP_CWORD]} commands options arguments where=NAME word kind='' i
  COMPREPLY=()
  _NAME_row "$where"
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    if [[ -n $kind ]]; then
      [[ $word == = ]] || kind=''  # "--config=FILE" comes as three words
    elif [[ $word == -* ]]; then
      kind=$(_NAME_value "$word")
    elif [[ " $commands " == *" $word "* ]]; then
      where+=" $word"
      _NAME_row "$where"
    fi
  done
  [[ -z $kind || $current != = ]] || current=''
  if [[ -n $kind ]]; then
    _NAME_offer "$kind" "$current"
  elif [[ $current == -* ]]; then
    local names='' option
    for option in $options; do names+=" ${option%%=*}"; done
    mapfile -t COMPREPLY < <(compgen -W "$names" -- "$current")
  elif [[ -n $commands ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$current")
  else
    _NAME_offer "$arguments" "$current"
  fi
}

complete -F _NAME NAME
)BASH";

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

}  // namespace

std::string bash_completion(const Command& program) {
  std::string rows;
  add_rows(rows, program);
  std::string script(kScript);
  replace_all(script, "NAME", program.name);
  replace_all(script, "ROWS", rows);
  return script;
}

}  // namespace edged
