// SPDX-License-Identifier: Apache-2.0
// The rows of one finished statement, in text format. A movable value that owns libpq's PGresult.
// Not thread-safe; may be moved between threads.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace edged::db {

class PgResult {
 public:
  // Takes ownership of a PGresult*.
  explicit PgResult(void* pg_result);

  int rows() const;
  int columns() const;
  // -1 if there is no such column.
  int column(const char* name) const;
  bool is_null(int row, int column) const;
  // The text as PostgreSQL sent it; empty for NULL. Valid as long as this object.
  std::string_view text(int row, int column) const;
  std::optional<std::string> optional_text(int row, int column) const;
  // Rows touched by INSERT, UPDATE or DELETE.
  std::int64_t affected_rows() const;

 private:
  std::shared_ptr<void> result_;
};

}  // namespace edged::db
