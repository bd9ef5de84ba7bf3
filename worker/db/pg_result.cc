// SPDX-License-Identifier: Apache-2.0
// PgResult over libpq's accessors. Row and column numbers out of range read as NULL: libpq would
// only print a warning.
#include "worker/db/pg_result.h"

#include <libpq-fe.h>

#include <charconv>

namespace edged::db {
namespace {

PGresult* raw(const std::shared_ptr<void>& result) {
  return static_cast<PGresult*>(result.get());
}

}  // namespace

PgResult::PgResult(void* pg_result)
    : result_(pg_result, [](void* result) { PQclear(static_cast<PGresult*>(result)); }) {}

int PgResult::rows() const {
  return PQntuples(raw(result_));
}

int PgResult::columns() const {
  return PQnfields(raw(result_));
}

int PgResult::column(const char* name) const {
  return PQfnumber(raw(result_), name);
}

bool PgResult::is_null(int row, int column) const {
  const bool exists = row >= 0 && row < rows() && column >= 0 && column < columns();
  return !exists || PQgetisnull(raw(result_), row, column) == 1;
}

std::string_view PgResult::text(int row, int column) const {
  if (is_null(row, column)) return {};
  return {PQgetvalue(raw(result_), row, column),
          static_cast<std::size_t>(PQgetlength(raw(result_), row, column))};
}

std::optional<std::string> PgResult::optional_text(int row, int column) const {
  if (is_null(row, column)) return std::nullopt;
  return std::string(text(row, column));
}

std::int64_t PgResult::affected_rows() const {
  const std::string_view count = PQcmdTuples(raw(result_));
  std::int64_t value = 0;
  std::from_chars(count.data(), count.data() + count.size(), value);
  return value;
}

}  // namespace edged::db
