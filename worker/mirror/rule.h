// SPDX-License-Identifier: Apache-2.0
// A rule of the mirror: which key and value each row of a table has in the node, and when its entry
// expires. Made from `mirror.rules` of the configuration; catalogue.h checks the names against the
// database. Value types; any thread.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/status.h"

namespace edged::mirror {

// "class_state:{class_nbr}": text and columns. "{{" and "}}" are braces. "{name|uri}" is the column
// with percent-encoding, so that it holds no separator: all bytes but letters, digits, "-", ".",
// "_" and "~" become "%3A".
class KeyTemplate {
 public:
  enum class Encoding { kNone, kUri };
  struct Part {
    std::string text;  // of a column: its name
    bool column = false;
    Encoding encoding = Encoding::kNone;
  };

  KeyTemplate() = default;
  // Errors: kInvalidArgument (a brace without its other, a column without a name, no column at all,
  // text that is longer than any key).
  static Result<KeyTemplate> parse(std::string_view text);

  const std::string& text() const { return text_; }
  // What every key begins with; these keys belong to the rule alone.
  const std::string& prefix() const { return prefix_; }
  const std::vector<Part>& parts() const { return parts_; }
  // In the order of their first use, each once.
  const std::vector<std::string>& columns() const { return columns_; }

  // The key of a row. `value_of` gives a column's text, nothing for null. Nothing if a column is
  // null: such a row has no key. Errors: kInvalidArgument (longer than 512 bytes).
  using ValueOf = std::function<std::optional<std::string_view>(const std::string& column)>;
  Result<std::optional<std::string>> render(const ValueOf& value_of) const;

 private:
  std::string text_;
  std::vector<Part> parts_;
  std::vector<std::string> columns_;
  std::string prefix_;
};

// A column's text as it stands in keys, and back.
std::string encoded(std::string_view text, KeyTemplate::Encoding encoding);
std::string decoded(std::string_view text, KeyTemplate::Encoding encoding);

struct TableName {
  std::string schema = "public";
  std::string name;

  std::string to_text() const { return schema + "." + name; }
  bool operator==(const TableName&) const = default;
};

// "public.class_states" or "class_states". Errors: kInvalidArgument.
Result<TableName> parse_table_name(std::string_view text);

struct RowValue {
  enum class Kind { kRow, kColumn, kConstant };
  Kind kind = Kind::kRow;
  std::string text;  // the column's name, or the constant
};

struct Rule {
  TableName table;
  KeyTemplate key;
  RowValue value;
  std::chrono::milliseconds ttl{0};  // bound on staleness; 0: none
  std::string expires;               // the column with a row's expiry; empty: it has none
};

// Two rules must not write the same keys, nor one table's rows twice. Errors: kInvalidArgument,
// which names both.
Status check_rules_together(const std::vector<Rule>& rules);

}  // namespace edged::mirror
