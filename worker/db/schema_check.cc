// SPDX-License-Identifier: Apache-2.0
// Two or three questions to the catalogue.
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
  if (!version)
    co_return version.error().with_context("could not read the version of schema \"edged\"");
  Status compared = compare_versions(database, std::string(version->text(0, 0)));
  if (!compared.ok()) co_return compared;
  Result<PgResult> columns = co_await pool.execute(std::string(sql::db::kListMissingColumns), {});
  if (!columns) co_return columns.error().with_context("could not check the application's tables");
  if (columns->rows() == 0) co_return Status();
  std::string names;
  for (int row = 0; row < columns->rows() && row < 5; ++row) {
    if (row > 0) names += ", ";
    names += columns->text(row, 0);
  }
  if (columns->rows() > 5) names += " and " + std::to_string(columns->rows() - 5) + " more";
  co_return missing("database \"" + database + "\" lacks columns of the application: " + names +
                    ". For a new installation run: edged migrate --app-schema");
}

}  // namespace edged::db
