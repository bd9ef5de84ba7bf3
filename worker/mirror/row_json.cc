// SPDX-License-Identifier: Apache-2.0
// See row_json.h. The forms are those of datum_to_json() in PostgreSQL's json.c.
#include "worker/mirror/row_json.h"

#include <algorithm>
#include <utility>

#include "worker/mirror/composite_text.h"

namespace edged::mirror {
namespace {

// Deeper ones than PostgreSQL can make.
constexpr int kArrayDepthMax = 6;

// As escape_json() of PostgreSQL does it.
void append_quoted(std::string_view text, std::string& json) {
  constexpr char kHex[] = "0123456789abcdef";
  json += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20) {
      if (c == '"' || c == '\\') json += '\\';
      json += c;
      continue;
    }
    constexpr std::string_view kNamed = "\b\f\n\r\t", kNames = "bfnrt";
    const std::size_t named = kNamed.find(c);
    if (named != std::string_view::npos) {
      json += '\\';
      json += kNames[named];
    } else {
      json += "\\u00";
      json += kHex[byte >> 4];
      json += kHex[byte & 15];
    }
  }
  json += '"';
}

std::string quoted(std::string_view text) {
  std::string json;
  json.reserve(text.size() + 2);
  append_quoted(text, json);
  return json;
}

// "2026-11-24 14:33:35.5+00"; "infinity" and dates before Christ have no other form.
void append_timestamp(std::string_view text, bool with_zone, std::string& json) {
  std::string result(text);
  const std::size_t space = result.find(' ');
  if (space == std::string::npos) return append_quoted(text, json);
  result[space] = 'T';
  const std::size_t sign = result.find_first_of("+-", space);
  if (with_zone && sign != std::string::npos) {
    const std::size_t end = std::min(result.find(' ', sign), result.size());
    if (end - sign == 3) result.insert(end, ":00");
  }
  append_quoted(result, json);
}

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789+-.eE") == std::string_view::npos;
}

Status unexpected(std::string_view text) {
  return {
      Code::kInvalidArgument,
      "the text " + quoted(text.substr(0, 40)) + " does not have the form of the column's type"};
}

Status append_json(std::string_view text, const JsonType& type, std::string& json);

// PostgreSQL 15 documentation, section 8.15.6: {1,NULL,"a \"b\""}, perhaps nested.
class ArrayReader {
 public:
  ArrayReader(std::string_view text, const JsonType& type, std::string& json)
      : whole_(text), rest_(text), type_(type), json_(json) {}

  Status read() {
    if (rest_.starts_with('[')) {  // bounds other than 1: [0:1]={a,b}
      rest_.remove_prefix(std::min(rest_.find('=') + 1, rest_.size()));
    }
    const Status status = read_array(0);
    if (!status.ok()) return status;
    return rest_.empty() ? Status() : unexpected(whole_);
  }

 private:
  bool take(char wanted) {
    if (!rest_.starts_with(wanted)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  Status read_array(int depth) {
    if (depth == kArrayDepthMax || !take('{')) return unexpected(whole_);
    json_ += '[';
    for (bool first = true; !take('}'); first = false) {
      if (!first && !take(type_.delimiter)) return unexpected(whole_);
      if (!first) json_ += ',';
      const Status status = rest_.starts_with('{') ? read_array(depth + 1) : element();
      if (!status.ok()) return status;
    }
    json_ += ']';
    return {};
  }

  Status element() {
    std::string text;
    const bool is_quoted = take('"');
    while (!rest_.empty() &&
           (is_quoted ? rest_[0] != '"' : rest_[0] != type_.delimiter && rest_[0] != '}')) {
      if (!is_quoted && (rest_[0] == '{' || rest_[0] == '"')) return unexpected(whole_);
      if (rest_[0] == '\\' && rest_.size() > 1) rest_.remove_prefix(1);
      text += rest_[0];
      rest_.remove_prefix(1);
    }
    if (is_quoted ? !take('"') : rest_.empty()) return unexpected(whole_);
    if (!is_quoted && text == "NULL") {
      json_ += "null";
      return {};
    }
    return append_json(text, *type_.element, json_);
  }

  const std::string_view whole_;
  std::string_view rest_;
  const JsonType& type_;
  std::string& json_;
};

Status append_vector(std::string_view text, const JsonType& type, std::string& json) {
  json += '[';
  for (bool first = true; !text.empty(); first = false) {
    const std::size_t end = std::min(text.find(' '), text.size());
    if (end == 0) return unexpected(text);
    if (!first) json += ',';
    const Status status = append_json(text.substr(0, end), *type.element, json);
    if (!status.ok()) return status;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  json += ']';
  return {};
}

Status append_object(const std::vector<JsonColumn>& columns,
                     const std::vector<RowField>& row,
                     std::optional<std::string_view> stored,
                     std::string& json);

Status append_composite(std::string_view text, const JsonType& type, std::string& json) {
  if (type.attributes->empty() && text == "()") {
    json += "{}";
    return {};
  }
  const auto texts = parse_composite(text);
  if (!texts) return texts.error();
  if (texts->size() != type.attributes->size()) return unexpected(text);
  std::vector<RowField> row;
  for (const auto& one : *texts) {
    RowField field;
    if (one) field.text = *one;
    row.push_back(field);
  }
  return append_object(*type.attributes, row, std::nullopt, json);
}

Status append_json(std::string_view text, const JsonType& type, std::string& json) {
  switch (type.form) {
    case JsonForm::kNumber:
      if (!is_number(text)) break;
      json += text;
      return {};
    case JsonForm::kBoolean:
      if (text != "t" && text != "f" && text != "true" && text != "false") return unexpected(text);
      json += text[0] == 't' ? "true" : "false";
      return {};
    case JsonForm::kJson:
      json += text;
      return {};
    case JsonForm::kTimestamp:
    case JsonForm::kTimestampTz:
      append_timestamp(text, type.form == JsonForm::kTimestampTz, json);
      return {};
    case JsonForm::kArray:
      return ArrayReader(text, type, json).read();
    case JsonForm::kVector:
      return append_vector(text, type, json);
    case JsonForm::kComposite:
      return append_composite(text, type, json);
    case JsonForm::kString:
      break;
  }
  append_quoted(text, json);
  return {};
}

// Where the member's name or value at the beginning of `json` ends: at the colon, the comma, or the
// object's brace behind it; npos if there is none. Spaces are part of it, for a json column is as
// its writer wrote it.
std::size_t end_of_part(std::string_view json) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
      continue;
    }
    if (depth == 0 && (c == ',' || c == ':' || c == '}')) return i;
    if (c == '"') in_string = true;
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') --depth;
  }
  return std::string_view::npos;
}

// The text of a member of an object that row_to_json() made: to be taken over byte by byte, since
// numbers may be longer than any parser keeps. Nothing if there is none.
std::optional<std::string_view> member(std::string_view json, std::string_view quoted_name) {
  // In front of the next name.
  while (json.starts_with('{') || json.starts_with(',')) {
    json.remove_prefix(1);
    const std::size_t name_end = end_of_part(json);
    if (name_end == std::string_view::npos) return std::nullopt;
    const bool found = json.substr(0, name_end) == quoted_name;
    json.remove_prefix(name_end + 1);
    const std::size_t value_end = end_of_part(json);
    if (value_end == std::string_view::npos) return std::nullopt;
    if (found) return json.substr(0, value_end);
    json.remove_prefix(value_end);
  }
  return std::nullopt;
}

Status append_object(const std::vector<JsonColumn>& columns,
                     const std::vector<RowField>& row,
                     std::optional<std::string_view> stored,
                     std::string& json) {
  json += '{';
  for (std::size_t i = 0; i < row.size(); ++i) {
    const JsonColumn& column = columns[i];
    if (i > 0) json += ',';
    append_quoted(column.name, json);
    json += ':';
    if (row[i].unchanged) {
      const auto kept = stored ? member(*stored, quoted(column.name)) : std::nullopt;
      if (!kept) {
        return {Code::kNotFound,
                "the unchanged column \"" + column.name + "\" is not in the stored value"};
      }
      json += *kept;
    } else if (!row[i].text) {
      json += "null";
    } else {
      const Status status = append_json(*row[i].text, column.type, json);
      if (!status.ok()) return status.with_context("column \"" + column.name + "\"");
    }
  }
  json += '}';
  return {};
}

struct Builtin {
  std::uint32_t oid;
  JsonForm form;
};

// select oid, typname from pg_type: the oids of built-in types never change.
constexpr Builtin kBuiltins[] = {
    {16, JsonForm::kBoolean},        // bool
    {20, JsonForm::kNumber},         // int8
    {21, JsonForm::kNumber},         // int2
    {23, JsonForm::kNumber},         // int4
    {114, JsonForm::kJson},          // json
    {700, JsonForm::kNumber},        // float4
    {701, JsonForm::kNumber},        // float8
    {1114, JsonForm::kTimestamp},    // timestamp
    {1184, JsonForm::kTimestampTz},  // timestamptz
    {1700, JsonForm::kNumber},       // numeric
    {3802, JsonForm::kJson},         // jsonb
};

}  // namespace

JsonForm scalar_json_form(std::uint32_t oid) {
  for (const Builtin& builtin : kBuiltins) {
    if (oid == builtin.oid) return builtin.form;
  }
  return JsonForm::kString;
}

JsonType array_of(JsonType element, char delimiter) {
  JsonType type{JsonForm::kArray};
  type.element = std::make_shared<const JsonType>(std::move(element));
  type.delimiter = delimiter;
  return type;
}

JsonType composite_of(std::vector<JsonColumn> attributes) {
  JsonType type{JsonForm::kComposite};
  type.attributes = std::make_shared<const std::vector<JsonColumn>>(std::move(attributes));
  return type;
}

Result<std::string> to_json(std::string_view text, const JsonType& type) {
  std::string json;
  const Status status = append_json(text, type, json);
  if (!status.ok()) return status;
  return json;
}

Result<std::string> row_to_json(const std::vector<JsonColumn>& columns,
                                const std::vector<RowField>& row,
                                std::optional<std::string_view> stored) {
  if (columns.size() != row.size()) {
    return Status(Code::kInvalidArgument,
                  "a row has " + std::to_string(row.size()) + " fields, but its table has " +
                      std::to_string(columns.size()) + " columns");
  }
  std::size_t bytes = 2;
  for (std::size_t i = 0; i < row.size(); ++i) {
    bytes += columns[i].name.size() + 6 + (row[i].text ? row[i].text->size() : 0);
  }
  std::string json;
  json.reserve(bytes);
  const Status status = append_object(columns, row, stored, json);
  if (!status.ok()) return status;
  return json;
}

}  // namespace edged::mirror
