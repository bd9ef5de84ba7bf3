// SPDX-License-Identifier: Apache-2.0
// See row_json.h.
#include "worker/mirror/row_json.h"

#include <algorithm>
#include <boost/json.hpp>

namespace edged::mirror {
namespace {

// Deeper ones than PostgreSQL can make.
constexpr int kArrayDepthMax = 6;

std::string quoted(std::string_view text) {
  const bool plain = std::all_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\' && c != 0x7F;
  });
  if (plain) {
    std::string json;
    json.reserve(text.size() + 2);
    json += '"';
    json += text;
    json += '"';
    return json;
  }
  return boost::json::serialize(boost::json::string_view(text.data(), text.size()));
}

// "2026-11-24 14:33:35.5+00"; "infinity" and dates before Christ have no other form.
std::string timestamp(std::string_view text, bool with_zone) {
  std::string result(text);
  const std::size_t space = result.find(' ');
  if (space == std::string::npos) return quoted(text);
  result[space] = 'T';
  const std::size_t sign = result.find_first_of("+-", space);
  if (with_zone && sign != std::string::npos) {
    const std::size_t end = std::min(result.find(' ', sign), result.size());
    if (end - sign == 3) result.insert(end, ":00");
  }
  return quoted(result);
}

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789+-.eE") == std::string_view::npos;
}

Status unexpected(std::string_view text) {
  return {Code::kInvalidArgument, "unexpected text " + quoted(text.substr(0, 40))};
}

Result<std::string> scalar(std::string_view text, JsonForm form) {
  switch (form) {
    case JsonForm::kNumber:
      return is_number(text) ? std::string(text) : quoted(text);
    case JsonForm::kBoolean:
      if (text == "t" || text == "true") return std::string("true");
      if (text == "f" || text == "false") return std::string("false");
      return unexpected(text);
    case JsonForm::kJson:
      return std::string(text);
    case JsonForm::kTimestamp:
    case JsonForm::kTimestampTz:
      return timestamp(text, form == JsonForm::kTimestampTz);
    case JsonForm::kString:
      break;
  }
  return quoted(text);
}

// PostgreSQL 15 documentation, section 8.15.6: {1,NULL,"a \"b\""}, perhaps nested.
class ArrayReader {
 public:
  ArrayReader(std::string_view text, JsonForm form) : rest_(text), form_(form) {}

  Result<std::string> read() {
    const std::string_view whole = rest_;
    if (rest_.starts_with('[')) {  // bounds other than 1: [0:1]={a,b}
      rest_.remove_prefix(std::min(rest_.find('=') + 1, rest_.size()));
    }
    std::string json;
    const Status status = read_array(json, 0);
    if (!status.ok()) return status;
    if (!rest_.empty()) return unexpected(whole);
    return json;
  }

 private:
  bool take(char wanted) {
    if (!rest_.starts_with(wanted)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  Status read_array(std::string& json, int depth) {
    if (depth == kArrayDepthMax || !take('{')) return unexpected(rest_);
    json += '[';
    for (bool first = true; !take('}'); first = false) {
      if (!first && !take(',')) return unexpected(rest_);
      if (!first) json += ',';
      const Status status = rest_.starts_with('{') ? read_array(json, depth + 1) : element(json);
      if (!status.ok()) return status;
    }
    json += ']';
    return {};
  }

  Status element(std::string& json) {
    std::string text;
    const bool is_quoted = take('"');
    while (!rest_.empty() && (is_quoted ? rest_[0] != '"' : rest_[0] != ',' && rest_[0] != '}')) {
      if (!is_quoted && (rest_[0] == '{' || rest_[0] == '"')) return unexpected(rest_);
      if (rest_[0] == '\\' && rest_.size() > 1) rest_.remove_prefix(1);
      text += rest_[0];
      rest_.remove_prefix(1);
    }
    if (is_quoted ? !take('"') : rest_.empty()) return unexpected(rest_);
    if (!is_quoted && text == "NULL") {
      json += "null";
      return {};
    }
    Result<std::string> value = scalar(text, form_);
    if (!value) return value.error();
    json += *value;
    return {};
  }

  std::string_view rest_;
  JsonForm form_;
};

struct Builtin {
  std::uint32_t oid, array_oid;
  JsonForm form;
};

// select oid, typarray, typname from pg_type: the oids of built-in types never change.
constexpr Builtin kBuiltins[] = {
    {16, 1000, JsonForm::kBoolean},        // bool
    {17, 1001, JsonForm::kString},         // bytea
    {18, 1002, JsonForm::kString},         // "char"
    {19, 1003, JsonForm::kString},         // name
    {20, 1016, JsonForm::kNumber},         // int8
    {21, 1005, JsonForm::kNumber},         // int2
    {23, 1007, JsonForm::kNumber},         // int4
    {25, 1009, JsonForm::kString},         // text
    {26, 1028, JsonForm::kString},         // oid
    {114, 199, JsonForm::kJson},           // json
    {700, 1021, JsonForm::kNumber},        // float4
    {701, 1022, JsonForm::kNumber},        // float8
    {869, 1041, JsonForm::kString},        // inet
    {1042, 1014, JsonForm::kString},       // bpchar
    {1043, 1015, JsonForm::kString},       // varchar
    {1082, 1182, JsonForm::kString},       // date
    {1083, 1183, JsonForm::kString},       // time
    {1114, 1115, JsonForm::kTimestamp},    // timestamp
    {1184, 1185, JsonForm::kTimestampTz},  // timestamptz
    {1186, 1187, JsonForm::kString},       // interval
    {1266, 1270, JsonForm::kString},       // timetz
    {1700, 1231, JsonForm::kNumber},       // numeric
    {2950, 2951, JsonForm::kString},       // uuid
    {3802, 3807, JsonForm::kJson},         // jsonb
};

}  // namespace

std::optional<JsonType> builtin_json_type(std::uint32_t oid) {
  for (const Builtin& builtin : kBuiltins) {
    if (oid == builtin.oid) return JsonType{builtin.form, false};
    if (oid == builtin.array_oid) return JsonType{builtin.form, true};
  }
  return std::nullopt;
}

Result<std::string> to_json(std::string_view text, const JsonType& type) {
  return type.array ? ArrayReader(text, type.form).read() : scalar(text, type.form);
}

Result<std::string> row_to_json(const std::vector<JsonColumn>& columns,
                                const std::vector<std::optional<std::string_view>>& values) {
  if (columns.size() != values.size()) {
    return Status(Code::kInvalidArgument,
                  "a row of " + std::to_string(values.size()) + " values for " +
                      std::to_string(columns.size()) + " columns");
  }
  std::string json = "{";
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (i > 0) json += ',';
    json += quoted(columns[i].name) + ':';
    if (!values[i]) {
      json += "null";
      continue;
    }
    Result<std::string> value = to_json(*values[i], columns[i].type);
    if (!value) return value.error().with_context("column " + columns[i].name);
    json += *value;
  }
  json += '}';
  return json;
}

}  // namespace edged::mirror
