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
          "a row has " + std::to_string(fields) + " fields, but its table has " +
              std::to_string(columns) + " columns"};
}

Status not_stored(const std::string& column) {
  return {Code::kNotFound, "the unchanged column \"" + column + "\" is not in the stored value"};
}

KeyReader::Shapes shapes_of(const std::vector<TableColumn>& columns) {
  KeyReader::Shapes shapes;
  for (const TableColumn& column : columns) shapes[column.json.name] = column.shape;
  return shapes;
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
                   "\"" + std::string(text.substr(0, 40)) + "\" is not a timestamp in UTC");
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
      key_reader_(rule_.key, shapes_of(columns_)),
      whole_row_identity_(whole_row_identity),
      key_is_in_identity_(whole_row_identity) {
  for (const TableColumn& column : columns_) json_columns_.push_back(column.json);
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
                  "table " + mapper.rule_.table.to_text() +
                      " has no replica identity: add a primary key, or run: alter table ... "
                      "replica identity full");
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
                    "PostgreSQL did not send the column \"" + columns_[i].json.name +
                        "\" of the replica identity");
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

Result<std::optional<std::string>> RowMapper::key(
    const std::vector<Field>& row, std::optional<std::string_view> key_before) const {
  Status checked = check(row);
  if (!checked.ok()) return checked;
  std::map<std::string, std::string> before;
  for (const std::string& name : rule_.key.columns()) {
    if (!row[static_cast<std::size_t>(find(name))].unchanged) continue;
    auto texts = key_before ? key_reader_.read(*key_before) : std::nullopt;
    if (!texts || !texts->contains(name)) return not_stored(name);
    before = *std::move(texts);
  }
  return rule_.key.render([&](const std::string& name) {
    const Field& field = row[static_cast<std::size_t>(find(name))];
    return field.unchanged ? std::optional<std::string_view>(before.at(name)) : field.text;
  });
}

Result<std::string> RowMapper::value_of(const std::vector<Field>& row,
                                        std::optional<std::string_view> stored) const {
  if (rule_.value.kind == RowValue::Kind::kConstant) return rule_.value.text;
  if (rule_.value.kind == RowValue::Kind::kRow) return row_to_json(json_columns_, row, stored);
  const Field& field = row[static_cast<std::size_t>(find(rule_.value.text))];
  if (!field.unchanged) return std::string(field.text.value_or(""));
  if (!stored) return not_stored(rule_.value.text);
  return std::string(*stored);
}

Result<std::optional<RowMapper::Entry>> RowMapper::entry(
    const std::vector<Field>& row,
    std::optional<std::string_view> stored,
    std::optional<std::string_view> key_before) const {
  Result<std::optional<std::string>> made = key(row, key_before);
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

Result<bool> RowMapper::has_expired(const std::vector<Field>& row, std::int64_t now_ms) const {
  Status checked = check(row);
  if (!checked.ok()) return checked;
  const Result<std::optional<std::int64_t>> expires = expiry_of(row);
  if (!expires) return expires.error();
  return *expires && **expires <= now_ms;
}

}  // namespace edged::mirror
