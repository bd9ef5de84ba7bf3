// SPDX-License-Identifier: Apache-2.0
// See rule.h.
#include "worker/mirror/rule.h"

#include <algorithm>
#include <utility>

namespace edged::mirror {
namespace {

constexpr std::size_t kKeyBytesMax = 512;

Status bad_key(std::string_view text, const std::string& why) {
  return {Code::kInvalidArgument, "the key template \"" + std::string(text) + "\" " + why};
}

// "name" or "name|uri".
Result<KeyTemplate::Part> parse_column(std::string_view text, std::string_view column) {
  KeyTemplate::Part part;
  part.column = true;
  const std::size_t bar = column.rfind('|');
  if (bar != std::string_view::npos) {
    if (column.substr(bar + 1) != "uri") {
      return bad_key(text,
                     "has \"" + std::string(column.substr(bar + 1)) +
                         "\" behind a |, where only \"uri\" is known");
    }
    part.encoding = KeyTemplate::Encoding::kUri;
    column = column.substr(0, bar);
  }
  if (column.empty()) return bad_key(text, "has {} without a column name");
  if (column.find('{') != std::string_view::npos) {
    return bad_key(text, "has a { within the name of a column");
  }
  part.text = column;
  return part;
}

bool is_unreserved(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

int hex_value(char c) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  const std::size_t value = kHex.find(c);
  return value == std::string_view::npos ? -1 : static_cast<int>(value);
}

}  // namespace

Result<KeyTemplate> KeyTemplate::parse(std::string_view text) {
  KeyTemplate made;
  std::string literal;
  std::size_t literal_bytes = 0;
  const auto end_literal = [&] {
    if (literal.empty()) return;
    literal_bytes += literal.size();
    made.parts_.push_back({std::exchange(literal, {}), false, Encoding::kNone});
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
    if (c == '}') return bad_key(text, "has a } without a {: write \"}}\" for the character }");
    const std::size_t end = text.find('}', i);
    if (end == std::string_view::npos) {
      return bad_key(text, "has a { without a }: write \"{{\" for the character {");
    }
    Result<Part> column = parse_column(text, text.substr(i + 1, end - i - 1));
    if (!column) return column.error();
    end_literal();
    if (std::find(made.columns_.begin(), made.columns_.end(), column->text) ==
        made.columns_.end()) {
      made.columns_.push_back(column->text);
    }
    made.parts_.push_back(*std::move(column));
    i = end;
  }
  end_literal();
  if (made.columns_.empty()) {
    return bad_key(text, "names no column, so all rows would have the same key");
  }
  if (literal_bytes >= kKeyBytesMax)
    return bad_key(text, "is longer than a key may be (512 bytes)");
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
    key += encoded(*value, part.encoding);
  }
  if (key.empty() || key.size() > kKeyBytesMax) {
    return Status(Code::kInvalidArgument,
                  "the key of a row has " + std::to_string(key.size()) + " bytes, not 1 to 512");
  }
  return std::optional<std::string>(std::move(key));
}

std::string encoded(std::string_view text, KeyTemplate::Encoding encoding) {
  if (encoding == KeyTemplate::Encoding::kNone) return std::string(text);
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string result;
  for (const char c : text) {
    if (is_unreserved(c)) {
      result += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    result += '%';
    result += kHex[byte >> 4];
    result += kHex[byte & 15];
  }
  return result;
}

std::string decoded(std::string_view text, KeyTemplate::Encoding encoding) {
  if (encoding == KeyTemplate::Encoding::kNone) return std::string(text);
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '%' && i + 2 < text.size() && hex_value(text[i + 1]) >= 0 &&
                        hex_value(text[i + 2]) >= 0;
    if (!escape) {
      result += text[i];
      continue;
    }
    result += static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
    i += 2;
  }
  return result;
}

Result<TableName> parse_table_name(std::string_view text) {
  TableName table;
  const std::size_t dot = text.find('.');
  if (dot != std::string_view::npos) table.schema = std::string(text.substr(0, dot));
  table.name = std::string(dot == std::string_view::npos ? text : text.substr(dot + 1));
  if (table.schema.empty() || table.name.empty() || table.name.find('.') != std::string::npos) {
    return Status(Code::kInvalidArgument,
                  "\"" + std::string(text) + "\" is not a table name: write TABLE or SCHEMA.TABLE");
  }
  return table;
}

Status check_rules_together(const std::vector<Rule>& rules) {
  for (std::size_t i = 0; i < rules.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const std::string& one = rules[j].key.prefix();
      const std::string& other = rules[i].key.prefix();
      if (rules[i].table == rules[j].table) {
        return {Code::kInvalidArgument,
                "two rules name the table " + rules[i].table.to_text() +
                    ", but each table may have only one rule: remove one of them"};
      }
      if (one.starts_with(other) || other.starts_with(one)) {
        return {Code::kInvalidArgument,
                "the rules for " + rules[j].table.to_text() + " and " + rules[i].table.to_text() +
                    " may write the same keys, because \"" + one + "\" and \"" + other +
                    "\" begin alike: let one of them begin with another text"};
      }
    }
  }
  return {};
}

}  // namespace edged::mirror
