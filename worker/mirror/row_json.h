// SPDX-License-Identifier: Apache-2.0
// A row of PostgreSQL, column by column in text form, as the JSON object that PostgreSQL's own
// row_to_json() makes of it (sessions with timezone UTC, datestyle ISO). Pure; any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/status.h"

namespace edged::mirror {

// How a type's text becomes JSON.
enum class JsonForm {
  kString,  // also enums, ranges, geometric types, uuid, date, intervals
  kNumber,  // NaN and Infinity become strings
  kBoolean,
  kJson,         // is JSON already
  kTimestamp,    // "2026-11-24 14:33:35" becomes "2026-11-24T14:33:35"
  kTimestampTz,  // the same, and "+00" becomes "+00:00"
  kArray,        // {1,2} becomes [1,2]
  kVector,       // "1 2" of int2vector and oidvector becomes [1,2]
  kComposite,    // (1,x) becomes {"a":1,"b":"x"}
};

struct JsonColumn;

struct JsonType {
  JsonForm form = JsonForm::kString;
  std::shared_ptr<const JsonType> element{};  // of kArray and kVector
  char delimiter = ',';                       // between elements of kArray: ';' for box[]
  std::shared_ptr<const std::vector<JsonColumn>> attributes{};  // of kComposite
};

struct JsonColumn {
  std::string name;
  JsonType type;
};

JsonType array_of(JsonType element, char delimiter = ',');
JsonType composite_of(std::vector<JsonColumn> attributes);

// The form of a type that is not an array, composite or domain, by its oid in pg_type. Types that
// PostgreSQL does not treat specially are strings.
JsonForm scalar_json_form(std::uint32_t oid);

// A field of a row: its text, nothing for null; or not sent, because it has not changed.
struct RowField {
  std::optional<std::string_view> text;
  bool unchanged = false;
};

// One column's text as JSON. Errors: kInvalidArgument: it is not what the type's output looks like.
Result<std::string> to_json(std::string_view text, const JsonType& type);

// `row`: one field for each column. Unchanged fields are taken from `stored`, an earlier result of
// this function. Errors: as above, with the column's name; kInvalidArgument if the number of fields
// differs; kNotFound (a field is unchanged and `stored` does not have it).
Result<std::string> row_to_json(const std::vector<JsonColumn>& columns,
                                const std::vector<RowField>& row,
                                std::optional<std::string_view> stored = std::nullopt);

}  // namespace edged::mirror
