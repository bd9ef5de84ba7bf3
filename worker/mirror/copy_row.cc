// SPDX-License-Identifier: Apache-2.0
// See copy_row.h.
#include "worker/mirror/copy_row.h"

#include <utility>

namespace edged::mirror {
namespace {

// What stands behind a backslash; '\0': nothing that COPY sends.
char unescaped(char escape) {
  switch (escape) {
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'v':
      return '\v';
    case '\\':
      return '\\';
    default:
      return '\0';
  }
}

Result<std::optional<std::string>> parse_field(std::string_view field) {
  if (field == "\\N") return std::optional<std::string>();
  std::string text;
  text.reserve(field.size());
  for (std::size_t i = 0; i < field.size(); ++i) {
    if (field[i] != '\\') {
      text += field[i];
      continue;
    }
    const char meant = ++i < field.size() ? unescaped(field[i]) : '\0';
    if (meant == '\0') {
      return Status(Code::kCorruption,
                    "could not read a row of COPY: it has an unknown escape sequence");
    }
    text += meant;
  }
  return std::optional<std::string>(std::move(text));
}

}  // namespace

Result<std::vector<std::optional<std::string>>> parse_copy_row(std::string_view line,
                                                               std::size_t columns) {
  if (!line.ends_with('\n')) {
    return Status(Code::kCorruption, "could not read a row of COPY: its newline is missing");
  }
  line.remove_suffix(1);
  std::vector<std::optional<std::string>> row;
  row.reserve(columns);
  // A table without columns has rows that are empty, one with a column has at least one field.
  for (bool more = columns > 0 || !line.empty(); more;) {
    const std::size_t tab = line.find('\t');
    Result<std::optional<std::string>> field = parse_field(line.substr(0, tab));
    if (!field) return field.error();
    row.push_back(*std::move(field));
    more = tab != std::string_view::npos;
    if (more) line.remove_prefix(tab + 1);
  }
  if (row.size() != columns) {
    return Status(Code::kCorruption,
                  "could not read a row of COPY: it has " + std::to_string(row.size()) +
                      " columns, not " + std::to_string(columns));
  }
  return row;
}

}  // namespace edged::mirror
