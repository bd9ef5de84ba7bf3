// SPDX-License-Identifier: Apache-2.0
// See rule.h.
#include "worker/mirror/rule.h"

#include <algorithm>
#include <utility>

namespace edged::mirror {
namespace {

constexpr std::size_t kKeyBytesMax = 512;

Status bad_key(std::string_view text, const std::string& why) {
  return {Code::kInvalidArgument, "\"" + std::string(text) + "\" " + why};
}

}  // namespace

Result<KeyTemplate> KeyTemplate::parse(std::string_view text) {
  KeyTemplate made;
  std::string literal;
  std::size_t literal_bytes = 0;
  const auto end_literal = [&] {
    if (literal.empty()) return;
    literal_bytes += literal.size();
    made.parts_.push_back({std::exchange(literal, {}), false});
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c != '{' && c != '}') {
      literal += c;
      continue;
    }
    if (i + 1 < text.size() && text[i + 1] == c) {
      literal += c;
      ++i;
      continue;
    }
    if (c == '}') return bad_key(text, "has a } without a { (\"}}\" is a brace)");
    const std::size_t end = text.find('}', i);
    if (end == std::string_view::npos)
      return bad_key(text, "has a { without a } (\"{{\" is a brace)");
    std::string column(text.substr(i + 1, end - i - 1));
    if (column.empty()) return bad_key(text, "has a column without a name");
    if (column.find('{') != std::string::npos) return bad_key(text, "has a { within a column");
    end_literal();
    if (std::find(made.columns_.begin(), made.columns_.end(), column) == made.columns_.end()) {
      made.columns_.push_back(column);
    }
    made.parts_.push_back({std::move(column), true});
    i = end;
  }
  end_literal();
  if (made.columns_.empty()) {
    return bad_key(text, "names no column, so that all rows would have the same key");
  }
  if (literal_bytes >= kKeyBytesMax) return bad_key(text, "is longer than any key (512 bytes)");
  made.text_ = text;
  if (!made.parts_.front().column) made.prefix_ = made.parts_.front().text;
  return made;
}

Result<std::optional<std::string>> KeyTemplate::render(const ValueOf& value_of) const {
  std::string key;
  for (const Part& part : parts_) {
    if (!part.column) {
      key += part.text;
      continue;
    }
    const std::optional<std::string_view> value = value_of(part.text);
    if (!value) return std::optional<std::string>();
    key += *value;
  }
  if (key.empty() || key.size() > kKeyBytesMax) {
    return Status(Code::kInvalidArgument,
                  "the key of a row has " + std::to_string(key.size()) + " bytes, not 1 to 512");
  }
  return std::optional<std::string>(std::move(key));
}

Result<TableName> parse_table_name(std::string_view text) {
  TableName table;
  const std::size_t dot = text.find('.');
  if (dot != std::string_view::npos) table.schema = std::string(text.substr(0, dot));
  table.name = std::string(dot == std::string_view::npos ? text : text.substr(dot + 1));
  if (table.schema.empty() || table.name.empty() || table.name.find('.') != std::string::npos) {
    return Status(Code::kInvalidArgument,
                  "\"" + std::string(text) + "\" is not TABLE or SCHEMA.TABLE");
  }
  return table;
}

Status check_rules_together(const std::vector<Rule>& rules) {
  for (std::size_t i = 0; i < rules.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const std::string& one = rules[j].key.prefix();
      const std::string& other = rules[i].key.prefix();
      if (rules[i].table == rules[j].table) {
        return {
            Code::kInvalidArgument,
            "two rules are about the table " + rules[i].table.to_text() + ": one row has one key"};
      }
      if (one.starts_with(other) || other.starts_with(one)) {
        return {Code::kInvalidArgument,
                "the rules for " + rules[j].table.to_text() + " and " + rules[i].table.to_text() +
                    " could write the same keys: \"" + one + "\" and \"" + other +
                    "\" begin alike"};
      }
    }
  }
  return {};
}

}  // namespace edged::mirror
