// SPDX-License-Identifier: Apache-2.0
// Makes the key and the value that a rule wants of a row of its table, whether the row came by COPY
// or in the stream. One for each rule; remade when the table has changed. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/status.h"
#include "worker/mirror/key_text.h"
#include "worker/mirror/row_json.h"
#include "worker/mirror/rule.h"

namespace edged::mirror {

struct TableColumn {
  JsonColumn json;
  bool identity = false;  // tells rows apart in updates and deletes
  TextShape shape{};
};

class RowMapper {
 public:
  using Field = RowField;
  struct Entry {
    std::string key;
    std::string value;
    std::optional<std::int64_t> expires_ms;  // Unix time; absent: it does not expire
  };

  // `columns` in the order of the rows' fields; with `whole_row_identity` (REPLICA IDENTITY FULL)
  // all of them are its identity. Errors: kInvalidArgument (the rule names a column that is not
  // among them, or there is no identity).
  static Result<RowMapper> make(Rule rule,
                                std::vector<TableColumn> columns,
                                bool whole_row_identity);

  const Rule& rule() const { return rule_; }
  const std::vector<TableColumn>& columns() const { return columns_; }

  // What tells the row apart from all others of its table: its identity columns, packed so that two
  // rows have the same bytes only if those are equal. Errors: kInvalidArgument (number of fields; a
  // column of the identity that is unchanged, which PostgreSQL never sends).
  Result<std::string> identity(const std::vector<Field>& row) const;

  // True if key() works on what updates and deletes tell of the row before them: every column of
  // the key is part of the identity.
  bool key_is_in_identity() const { return key_is_in_identity_; }
  // The key alone; nothing if a column of it is null. `key_before`: of the row before it was
  // changed, from which unchanged columns are read back. Errors: as entry().
  Result<std::optional<std::string>> key(
      const std::vector<Field>& row,
      std::optional<std::string_view> key_before = std::nullopt) const;
  // The columns' texts in one of the rule's keys, as far as they can be read back.
  const KeyReader& key_reader() const { return key_reader_; }

  // The entry; nothing if a column of the key is null. `stored`: the value that the row has in the
  // node so far, from which unchanged columns are taken. Errors: kNotFound (a column is unchanged
  // and `stored` does not have it: the row must be read from the table), kInvalidArgument (number
  // of fields, the key is empty or too long, a text that is none of its type).
  Result<std::optional<Entry>> entry(
      const std::vector<Field>& row,
      std::optional<std::string_view> stored,
      std::optional<std::string_view> key_before = std::nullopt) const;
  // True if the row has expired by `now_ms`, so that nobody will read its entry.
  Result<bool> has_expired(const std::vector<Field>& row, std::int64_t now_ms) const;

 private:
  RowMapper(Rule rule, std::vector<TableColumn> columns, bool whole_row_identity);
  Status check(const std::vector<Field>& row) const;
  Result<std::optional<std::int64_t>> expiry_of(const std::vector<Field>& row) const;
  Result<std::string> value_of(const std::vector<Field>& row,
                               std::optional<std::string_view> stored) const;
  // Its number among the columns; -1: there is none.
  int find(std::string_view name) const;

  Rule rule_;
  std::vector<TableColumn> columns_;
  std::vector<JsonColumn> json_columns_;
  KeyReader key_reader_;
  bool whole_row_identity_;
  bool key_is_in_identity_;
};

// A timestamp's text (sessions in UTC, ISO) in Unix milliseconds, rounded down; nothing for
// infinity. Errors: kInvalidArgument.
Result<std::optional<std::int64_t>> parse_timestamp_ms(std::string_view text);

}  // namespace edged::mirror
