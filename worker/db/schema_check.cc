// SPDX-License-Identifier: Apache-2.0
// See schema_check.h and schema_check.sql.
#include "worker/db/schema_check.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "worker/db/migrate.h"
#include "worker/db/sql.gen.h"

namespace edged::db {
namespace {

namespace asio = boost::asio;
using Names = std::vector<std::string>;

// The row of inspect_for_use.
struct Inspection {
  std::string database, role, role_sql;
  bool has_history = false;
  Names missing_columns, missing_rights, hidden_tables, restricted_tables, tables_with_rows;
};

Names split_lines(std::string_view text) {
  Names lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

// The first `most` names.
std::string join(const Names& names, std::size_t most) {
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < most; ++i) {
    text += (i > 0 ? ", " : "") + names[i];
  }
  if (names.size() > most) text += " and " + std::to_string(names.size() - most) + " more";
  return text;
}

Inspection read_inspection(const PgResult& row) {
  const auto text = [&](const char* name) { return std::string(row.text(0, row.column(name))); };
  Inspection found;
  found.database = text("database");
  found.role = text("role");
  found.role_sql = text("role_sql");
  found.has_history = text("has_history") == "t";
  found.missing_columns = split_lines(text("missing_columns"));
  found.missing_rights = split_lines(text("missing_rights"));
  found.hidden_tables = split_lines(text("hidden_tables"));
  found.restricted_tables = split_lines(text("restricted_tables"));
  found.tables_with_rows = split_lines(text("restricted_tables_with_rows"));
  return found;
}

std::string uses_as_array(const DatabaseUse& use) {
  Names names;
  if (use.job) names.emplace_back("job");
  if (use.mail) names.emplace_back("mail");
  if (use.mirror && use.permanent_slot) names.emplace_back("slot");
  if (use.history) names.emplace_back("history");
  if (use.timeline) names.emplace_back("timeline");
  // Mails wait in a queue, too.
  if (use.queue || use.mail) names.emplace_back("queue");
  std::string text = "{";
  for (const std::string& name : names) text += (text.size() > 1 ? "," : "") + name;
  return text + "}";
}

Status lacks_rights(const Inspection& found) {
  const std::string which = found.missing_rights.empty() ? "select on edged.schema_migrations"
                                                         : join(found.missing_rights, 5);
  return Status(Code::kDenied,
                "role \"" + found.role + "\" lacks rights in database \"" + found.database +
                    "\": " + which +
                    ". Grant these, or all rights of a worker; as the owner of the tables: edged "
                    "migrate --grant-to \"" +
                    found.role + "\"");
}

// The statements that let the role see and write all rows of the tables.
std::string policies_for(const std::string& role_sql, const Names& tables) {
  std::string sql;
  for (const std::string& table : tables) {
    sql += (sql.empty() ? "" : " ") + ("create policy edged_worker on " + table) + " to " +
           role_sql + " using (true) with check (true);";
  }
  return sql;
}

Status hides_rows(const Inspection& found, const Names& tables) {
  return Status(
      Code::kDenied,
      "row-level security hides rows from role \"" + found.role + "\" in database \"" +
          found.database + "\": no policy gives it all rows of " + join(tables, tables.size()) +
          ". It would work on what it sees, which may be nothing, and report success. As "
          "a superuser run: alter role " +
          found.role_sql +
          " bypassrls; or as the owner of the tables: " + policies_for(found.role_sql, tables));
}

std::string describe_restriction(const Inspection& found) {
  return "row-level security: policies that name role \"" + found.role +
         "\" give it only some rows of " + join(found.restricted_tables, 9) +
         ". The other rows are ignored. If that is not intended, run as a superuser: alter role " +
         found.role_sql + " bypassrls;";
}

Status compare_versions(const std::string& database, const std::string& found) {
  const int here = embedded_migrations().back().version;
  const int there = std::atoi(found.c_str());
  const std::string text = "schema \"edged\" in database \"" + database + "\" is at version " +
                           std::to_string(there) + ", this program needs " + std::to_string(here);
  if (there < here) return Status(Code::kNotFound, text + ". Run: edged migrate");
  if (there > here) return Status(Code::kUnsupported, text + ". Use the newer edged");
  return Status();
}

// Which of the restricted tables show the role no row at all, although they hold rows.
asio::awaitable<Result<Names>> find_empty_views(PgPool& pool, const Names* tables) {
  Names empty;
  for (const std::string& table : *tables) {
    const std::string sql = "select exists (select from " + table + ")";
    Result<PgResult> seen = co_await pool.execute(sql, {});
    if (!seen) co_return seen.error().with_context("could not check row-level security");
    if (seen->text(0, 0) != "t") empty.push_back(table);
  }
  co_return empty;
}

}  // namespace

asio::awaitable<Result<DatabaseFindings>> check_database(PgPool& pool, DatabaseUse use) {
  PgParameters uses;
  uses.emplace_back(uses_as_array(use));
  Result<PgResult> row =
      co_await pool.execute(std::string(sql::db::kInspectForUse), std::move(uses));
  if (!row) co_return row.error().with_context("could not check the schema");
  const Inspection found = read_inspection(*row);
  // A mirror with a temporary slot uses nothing of the schema "edged".
  const bool uses_schema =
      use.job || use.mail || use.history || use.queue || use.timeline || use.permanent_slot;
  if (!uses_schema) co_return DatabaseFindings{found.database, {}};
  if (!found.has_history) {
    co_return Status(Code::kNotFound,
                     "schema \"edged\" does not exist in database \"" + found.database +
                         "\". Run: edged migrate");
  }
  Result<PgResult> version = co_await pool.execute(std::string(sql::db::kReadSchemaVersion), {});
  if (version.code() == Code::kDenied) co_return lacks_rights(found);
  if (!version) {
    co_return version.error().with_context("could not read the version of schema \"edged\"");
  }
  // Before the version, which a policy may have hidden too.
  if (!found.hidden_tables.empty() && found.missing_rights.empty()) {
    co_return hides_rows(found, found.hidden_tables);
  }
  Status compared = compare_versions(found.database, std::string(version->text(0, 0)));
  if (!compared.ok()) co_return compared;
  if (!found.missing_columns.empty()) {
    co_return Status(Code::kNotFound,
                     "database \"" + found.database +
                         "\" lacks columns of the application: " + join(found.missing_columns, 5) +
                         ". For a new installation run: edged migrate --app-schema");
  }
  if (!found.missing_rights.empty()) co_return lacks_rights(found);
  DatabaseFindings findings{found.database, {}};
  if (found.restricted_tables.empty()) co_return findings;
  const Result<Names> empty = co_await find_empty_views(pool, &found.tables_with_rows);
  if (!empty) co_return empty.error();
  if (!empty->empty()) co_return hides_rows(found, *empty);
  findings.warnings.push_back(describe_restriction(found));
  co_return findings;
}

}  // namespace edged::db
