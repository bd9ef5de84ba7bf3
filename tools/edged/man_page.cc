// SPDX-License-Identifier: Apache-2.0
// The man page of a program, in the macros of man(7): one page with a section for each command.
#include <string>
#include <string_view>

#include "tools/edged/command_tree.h"

namespace edged {
namespace {

// Text as roff takes it: backslashes and hyphens are themselves, no line is a request.
std::string escape(std::string_view text) {
  std::string escaped;
  bool line_begins = true;
  for (const char c : text) {
    if (line_begins && (c == '.' || c == '\'')) escaped += "\\&";
    if (c == '\\') {
      escaped += "\\e";
    } else if (c == '-') {
      escaped += "\\-";
    } else {
      escaped += c;
    }
    line_begins = c == '\n';
  }
  return escaped;
}

// An argument of a macro.
std::string quote(std::string_view text) {
  std::string quoted("\"");
  for (const char c : escape(text)) {
    if (c == '"') {
      quoted += "\\(dq";
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

void add_option(std::string& page, const CommandOption& option) {
  std::string names;
  for (const std::string& name : option.names) names += (names.empty() ? "" : ", ") + name;
  page.append(".TP\n\\fB").append(escape(names)).append("\\fR");
  if (!option.type.empty()) page.append(" \\fI").append(escape(option.type)).append("\\fR");
  page.append("\n").append(escape(option.description)).append("\n");
  if (option.repeatable) page.append("May be repeated.\n");
  if (!option.environment.empty()) {
    page.append("Environment: ").append(escape(option.environment)).append("\n");
  }
}

void add_options(std::string& page, const std::vector<CommandOption>& options) {
  for (const CommandOption& option : options) {
    if (option.names.back() != "--help") add_option(page, option);
  }
}

void add_command(std::string& page, const Command& command) {
  page.append(".SS ").append(quote(synopsis_of(command))).append("\n");
  page.append(escape(command.description)).append("\n");
  for (const CommandArgument& argument : command.arguments) {
    page.append(".TP\n\\fI").append(escape(argument.name)).append("\\fR\n");
    page.append(escape(argument.description)).append("\n");
  }
  add_options(page, command.options);
  for (const Command& sub : command.commands) add_command(page, sub);
}

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

}  // namespace

std::string man_page(const Command& program,
                     const std::string& version,
                     const std::string& footer) {
  std::string upper;
  for (const char c : program.name) upper += static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
  std::string what = program.description;
  if (what.starts_with(program.name + ": ")) what.erase(0, program.name.size() + 2);
  std::string page(".\\\" Generated from the table of commands; do not edit.\n.TH ");
  page.append(quote(upper)).append(" 1 \"\" ").append(quote(first_line(version)));
  page.append(" \"User Commands\"\n.SH NAME\n").append(escape(program.name)).append(" \\- ");
  page.append(escape(what)).append("\n.SH SYNOPSIS\n.B ").append(escape(synopsis_of(program)));
  page.append("\n.SH OPTIONS\n");
  add_options(page, program.options);
  page.append(".SH COMMANDS\n");
  for (const Command& command : program.commands) add_command(page, command);
  page.append(".SH NOTES\n").append(escape(footer)).append("\n.SH FILES\n");
  page.append(
      ".TP\n.I /etc/edged/edged.jsonc\nThe configuration, unless ./edged.jsonc is there.\n");
  page.append(".TP\n.I /var/lib/edged\nThe data of the node and the state of the worker.\n");
  page.append(".SH SEE ALSO\n.BR ").append(program.name == "edged" ? "kvctl" : "edged");
  page.append(" (1)\n");
  return page;
}

}  // namespace edged
