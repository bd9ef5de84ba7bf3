// SPDX-License-Identifier: Apache-2.0
// See row_mapper.h.
#include "worker/mirror/row_mapper.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <utility>

namespace edged::mirror {
namespace {

Status bad_row(std::size_t fields, std::size_t columns) {
  return {Code::kInvalidArgument,
          "a row has " + std::to_string(fields) + " fields, its table " + std::to_string(columns) +
              " columns"};
}

Status not_stored(const std::string& column) {
  return {Code::kNotFound, "the unchanged column \"" + column + "\" is not in the stored value"};
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

// Reads digits from the front of `text`.
bool take_number(std::string_view& text, int& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end == text.data() || text.front() == '-') return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

bool take(std::string_view& text, char wanted) {
  if (!text.starts_with(wanted)) return false;
  text.remove_prefix(1);
  return true;
}

// ".5" is 500 ms; what is finer is cut off, rounding down.
std::optional<int> take_milliseconds(std::string_view& text) {
  if (!take(text, '.')) return 0;
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  if (digits == 0 || digits > 6) return std::nullopt;
  int milliseconds = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    milliseconds = milliseconds * 10 + (i < digits ? text[i] - '0' : 0);
  }
  text.remove_prefix(digits);
  return milliseconds;
}

}  // namespace

Result<std::optional<std::int64_t>> parse_timestamp_ms(std::string_view text) {
  namespace chrono = std::chrono;
  if (text == "infinity") return std::optional<std::int64_t>();
  if (text == "-infinity" || text.ends_with(" BC")) return std::optional<std::int64_t>(0);
  const Status bad(Code::kInvalidArgument,
                   "\"" + std::string(text.substr(0, 40)) + "\" is no timestamp in UTC");
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  std::string_view rest = text;
  const bool read = take_number(rest, year) && take(rest, '-') && take_number(rest, month) &&
                    take(rest, '-') && take_number(rest, day) && take(rest, ' ') &&
                    take_number(rest, hour) && take(rest, ':') && take_number(rest, minute) &&
                    take(rest, ':') && take_number(rest, second);
  if (!read) return bad;
  const std::optional<int> milliseconds = take_milliseconds(rest);
  if (!milliseconds || (!rest.empty() && rest != "+00")) return bad;
  const chrono::year_month_day date{chrono::year(std::min(year, 30'000)),
                                    chrono::month(static_cast<unsigned>(month)),
                                    chrono::day(static_cast<unsigned>(day))};
  if (!date.ok() || hour > 24 || minute > 59 || second > 60) return bad;
  const auto time = chrono::sys_days(date).time_since_epoch() + chrono::hours(hour) +
                    chrono::minutes(minute) + chrono::seconds(second) +
                    chrono::milliseconds(*milliseconds);
  return std::optional<std::int64_t>(chrono::duration_cast<chrono::milliseconds>(time).count());
}

RowMapper::RowMapper(Rule rule, std::vector<TableColumn> columns, bool whole_row_identity)
    : rule_(std::move(rule)),
      columns_(std::move(columns)),
      whole_row_identity_(whole_row_identity),
      key_is_in_identity_(whole_row_identity) {
  for (const TableColumn& column : columns_)
    quoted_names_.push_back(*to_json(column.json.name, {}));
  if (whole_row_identity_) return;
  const std::vector<std::string>& names = rule_.key.columns();
  key_is_in_identity_ = std::all_of(names.begin(), names.end(), [this](const std::string& name) {
    const int column = find(name);
    return column >= 0 && columns_[static_cast<std::size_t>(column)].identity;
  });
}

Result<RowMapper> RowMapper::make(Rule rule,
                                  std::vector<TableColumn> columns,
                                  bool whole_row_identity) {
  RowMapper mapper(std::move(rule), std::move(columns), whole_row_identity);
  std::vector<std::string> needed = mapper.rule_.key.columns();
  if (mapper.rule_.value.kind == RowValue::Kind::kColumn) {
    needed.push_back(mapper.rule_.value.text);
  }
  if (!mapper.rule_.expires.empty()) needed.push_back(mapper.rule_.expires);
  for (const std::string& name : needed) {
    if (mapper.find(name) >= 0) continue;
    return Status(Code::kInvalidArgument,
                  "table " + mapper.rule_.table.to_text() + " has no column \"" + name + "\"");
  }
  const bool identity =
      whole_row_identity || std::any_of(mapper.columns_.begin(),
                                        mapper.columns_.end(),
                                        [](const TableColumn& column) { return column.identity; });
  if (!identity) {
    return Status(Code::kInvalidArgument,
                  "table " + mapper.rule_.table.to_text() + " has no replica identity");
  }
  return mapper;
}

int RowMapper::find(std::string_view name) const {
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (columns_[i].json.name == name) return static_cast<int>(i);
  }
  return -1;
}

Status RowMapper::check(const std::vector<Field>& row) const {
  return row.size() == columns_.size() ? Status() : bad_row(row.size(), columns_.size());
}

// Each column with its length before it, so that ("a", "b") is not ("ab", "").
Result<std::string> RowMapper::identity(const std::vector<Field>& row) const {
  Status checked = check(row);
  if (!checked.ok()) return checked;
  std::string packed;
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (!whole_row_identity_ && !columns_[i].identity) continue;
    if (row[i].unchanged) {
      return Status(Code::kInvalidArgument,
                    "the column \"" + columns_[i].json.name + "\" of the identity was not sent");
    }
    if (!row[i].text) {
      packed += "-;";
      continue;
    }
    packed += std::to_string(row[i].text->size());
    packed += ':';
    packed += *row[i].text;
    packed += ';';
  }
  return packed;
}

Result<std::optional<std::string>> RowMapper::key(const std::vector<Field>& row) const {
  Status checked = check(row);
  if (!checked.ok()) return checked;
  for (const std::string& name : rule_.key.columns()) {
    if (row[static_cast<std::size_t>(find(name))].unchanged) return not_stored(name);
  }
  return rule_.key.render(
      [&](const std::string& name) { return row[static_cast<std::size_t>(find(name))].text; });
}

Result<std::string> RowMapper::value_of(const std::vector<Field>& row,
                                        std::optional<std::string_view> stored) const {
  if (rule_.value.kind == RowValue::Kind::kConstant) return rule_.value.text;
  if (rule_.value.kind == RowValue::Kind::kRow) return row_value(row, stored);
  const Field& field = row[static_cast<std::size_t>(find(rule_.value.text))];
  if (!field.unchanged) return std::string(field.text.value_or(""));
  if (!stored) return not_stored(rule_.value.text);
  return std::string(*stored);
}

Result<std::string> RowMapper::row_value(const std::vector<Field>& row,
                                         std::optional<std::string_view> stored) const {
  std::size_t bytes = 2;
  for (std::size_t i = 0; i < row.size(); ++i) {
    bytes += quoted_names_[i].size() + 6 + (row[i].text ? row[i].text->size() : 0);
  }
  std::string json;
  json.reserve(bytes);
  json += '{';
  for (std::size_t i = 0; i < row.size(); ++i) {
    const JsonColumn& column = columns_[i].json;
    const std::string& name = quoted_names_[i];
    if (i > 0) json += ',';
    json += name;
    json += ':';
    if (row[i].unchanged) {
      const auto kept = stored ? member(*stored, name) : std::nullopt;
      if (!kept) return not_stored(column.name);
      json += *kept;
    } else if (!row[i].text) {
      json += "null";
    } else {
      Result<std::string> value = to_json(*row[i].text, column.type);
      if (!value) return value.error().with_context("column \"" + column.name + "\"");
      json += *value;
    }
  }
  json += '}';
  return json;
}

Result<std::optional<RowMapper::Entry>> RowMapper::entry(
    const std::vector<Field>& row, std::optional<std::string_view> stored) const {
  Result<std::optional<std::string>> made = key(row);
  if (!made) return made.error();
  if (!*made) return std::optional<Entry>();
  Result<std::string> value = value_of(row, stored);
  if (!value) return value.error();
  Entry entry{**std::move(made), *std::move(value), std::nullopt};
  const Result<std::optional<std::int64_t>> expires = expiry_of(row);
  if (!expires) return expires.error();
  entry.expires_ms = *expires;
  return std::optional<Entry>(std::move(entry));
}

Result<std::optional<std::int64_t>> RowMapper::expiry_of(const std::vector<Field>& row) const {
  if (rule_.expires.empty()) return std::optional<std::int64_t>();
  const Field& field = row[static_cast<std::size_t>(find(rule_.expires))];
  if (!field.text) return std::optional<std::int64_t>();
  const auto expires = parse_timestamp_ms(*field.text);
  if (!expires) return expires.error().with_context("column \"" + rule_.expires + "\"");
  return *expires;
}

Result<std::optional<RowMapper::Entry>> RowMapper::expired_entry(const std::vector<Field>& row,
                                                                 std::int64_t now_ms) const {
  Result<std::optional<std::string>> made = key(row);
  if (!made) return made.error();
  const Result<std::optional<std::int64_t>> expires = expiry_of(row);
  if (!expires) return expires.error();
  if (!*made || !*expires || **expires > now_ms) return std::optional<Entry>();
  return std::optional<Entry>(Entry{**std::move(made), std::string(), **expires});
}

}  // namespace edged::mirror
