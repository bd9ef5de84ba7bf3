// SPDX-License-Identifier: Apache-2.0
// A few questions to the catalogue.
#include "worker/db/schema_check.h"

#include <cstdlib>
#include <string>
#include <utility>

#include "worker/db/migrate.h"
#include "worker/db/sql.gen.h"

namespace edged::db {
namespace {

namespace asio = boost::asio;

Status missing(std::string what) {
  return Status(Code::kNotFound, std::move(what));
}

// The first column of up to five rows.
std::string join_rows(const PgResult& rows) {
  std::string names;
  for (int row = 0; row < rows.rows() && row < 5; ++row) {
    if (row > 0) names += ", ";
    names += rows.text(row, 0);
  }
  if (rows.rows() > 5) names += " and " + std::to_string(rows.rows() - 5) + " more";
  return names;
}

Status lacks_rights(const std::string& database,
                    const std::string& role,
                    const std::string& which) {
  return Status(Code::kDenied,
                "role \"" + role + "\" lacks rights in database \"" + database + "\": " + which +
                    ". Run as the owner of the tables: edged migrate --grant-to \"" + role + "\"");
}

Status compare_versions(const std::string& database, const std::string& found) {
  const int here = embedded_migrations().back().version;
  const int there = std::atoi(found.c_str());
  const std::string text = "schema \"edged\" in database \"" + database + "\" is at version " +
                           std::to_string(there) + ", this program needs " + std::to_string(here);
  if (there < here) return missing(text + ". Run: edged migrate");
  if (there > here) return Status(Code::kUnsupported, text + ". Use the newer edged");
  return Status();
}

}  // namespace

asio::awaitable<Status> check_schema(PgPool& pool) {
  Result<PgResult> found = co_await pool.execute(std::string(sql::db::kInspectDatabase), {});
  if (!found) co_return found.error().with_context("could not check the schema");
  const std::string database(found->text(0, 0));
  if (found->text(0, 3) != "t") {
    co_return missing("schema \"edged\" does not exist in database \"" + database +
                      "\". Run: edged migrate");
  }
  Result<PgResult> version =
      co_await pool.execute("select coalesce(max(version), 0) from edged.schema_migrations", {});
  if (version.code() == Code::kDenied) {
    co_return lacks_rights(database, std::string(found->text(0, 1)), "those on schema edged");
  }
  if (!version)
    co_return version.error().with_context("could not read the version of schema \"edged\"");
  Status compared = compare_versions(database, std::string(version->text(0, 0)));
  if (!compared.ok()) co_return compared;
  Result<PgResult> columns = co_await pool.execute(std::string(sql::db::kListMissingColumns), {});
  if (!columns) co_return columns.error().with_context("could not check the application's tables");
  if (columns->rows() > 0) {
    co_return missing("database \"" + database +
                      "\" lacks columns of the application: " + join_rows(*columns) +
                      ". For a new installation run: edged migrate --app-schema");
  }
  Result<PgResult> rights = co_await pool.execute(std::string(sql::db::kListMissingRights), {});
  if (!rights) co_return rights.error().with_context("could not check the role's rights");
  if (rights->rows() == 0) co_return Status();
  co_return lacks_rights(database, std::string(rights->text(0, 1)), join_rows(*rights));
}

asio::awaitable<Result<std::string>> find_hidden_rows(PgPool& pool) {
  Result<PgResult> found = co_await pool.execute(std::string(sql::db::kListFilteredTables), {});
  if (!found) co_return found.error().with_context("could not check row-level security");
  if (found->rows() == 0) co_return std::string();
  const std::string role(found->text(0, 1));
  co_return "row-level security applies to role \"" + role + "\" in " + join_rows(*found) +
      ": rows that its policies hide are not watched. Give the role BYPASSRLS, or a policy \"using "
      "(true)\"";
}

}  // namespace edged::db
