// SPDX-License-Identifier: Apache-2.0
// A row of PostgreSQL, column by column in text form, as the JSON object that PostgreSQL's own
// row_to_json() makes of it (sessions with timezone UTC, datestyle ISO). Pure; any thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/status.h"

namespace edged::mirror {

// How a type's text becomes JSON.
enum class JsonForm {
  kString,  // also enums, uuid, date, intervals
  kNumber,  // NaN and Infinity become strings
  kBoolean,
  kJson,         // is JSON already
  kTimestamp,    // "2026-11-24 14:33:35" becomes "2026-11-24T14:33:35"
  kTimestampTz,  // the same, and "+00" becomes "+00:00"
};

struct JsonType {
  JsonForm form = JsonForm::kString;
  bool array = false;
};

// Of PostgreSQL's own types, by oid in pg_type; nothing for all others, whose form the catalogue
// must tell (domains, enums, arrays of those).
std::optional<JsonType> builtin_json_type(std::uint32_t oid);

struct JsonColumn {
  std::string name;
  JsonType type;
};

// One column's text as JSON. Errors: kInvalidArgument: it is not what the type's output looks like.
Result<std::string> to_json(std::string_view text, const JsonType& type);

// `values`: one for each column; nothing is null. Errors: as above, with the column's name;
// kInvalidArgument if their number differs.
Result<std::string> row_to_json(const std::vector<JsonColumn>& columns,
                                const std::vector<std::optional<std::string_view>>& values);

}  // namespace edged::mirror
