// SPDX-License-Identifier: Apache-2.0
// Applies migrations one transaction at a time; the lock is taken again for each.
#include "worker/db/migrate.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>

#include "worker/db/pg_connection.h"
#include "worker/db/pg_quote.h"
#include "worker/db/sql.gen.h"

namespace edged::db {
namespace {

namespace asio = boost::asio;

// The connection, and who and where we are, for messages.
struct Session {
  std::unique_ptr<PgConnection> connection;
  std::string database;
  std::string user;
};

int to_int(std::string_view text) {
  int value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

asio::awaitable<Status> execute(PgConnection* connection,
                                std::string_view sql,
                                PgParameters parameters = {}) {
  Result<PgResult> result = co_await connection->execute(std::string(sql), std::move(parameters));
  co_return result ? Status() : result.error();
}

asio::awaitable<Status> begin_locked(PgConnection* connection) {
  Status begun = co_await execute(connection, "begin");
  if (!begun.ok()) co_return begun;
  Status locked = co_await execute(connection, sql::db::kLockMigrations);
  if (locked.code() == Code::kDeadlineExceeded) {
    co_return locked.with_context("another edged migrate is running and holds the lock");
  }
  co_return locked;
}

Status explain_denied(const Status& status, const Session& session, std::string_view what) {
  Status explained = status.with_context("could not " + std::string(what));
  if (status.code() != Code::kDenied) return explained;
  return Status(Code::kDenied,
                explained.message() + ". User \"" + session.user +
                    "\" needs the privilege CREATE on database \"" + session.database +
                    "\" and must own the schema \"edged\" and its tables");
}

asio::awaitable<Status> create_history(Session* session) {
  Result<PgResult> found =
      co_await session->connection->execute(std::string(sql::db::kInspectDatabase));
  if (!found) co_return found.error();
  session->database = found->text(0, 0);
  session->user = found->text(0, 1);
  if (found->text(0, 2) != "t") {
    Status created = co_await execute(session->connection.get(), sql::db::kCreateSchema);
    if (!created.ok()) co_return explain_denied(created, *session, "create schema \"edged\"");
  }
  if (found->text(0, 3) != "t") {
    Status created = co_await execute(session->connection.get(), sql::db::kCreateHistory);
    if (!created.ok()) {
      co_return explain_denied(created, *session, "create table \"edged.schema_migrations\"");
    }
  }
  co_return Status();
}

// Compares what the database says was applied with what this program carries.
Status verify(const PgResult& applied, const std::vector<Migration>& migrations) {
  for (int row = 0; row < applied.rows(); ++row) {
    const int version = to_int(applied.text(row, 0));
    const auto known = std::find_if(migrations.begin(),
                                    migrations.end(),
                                    [version](const Migration& m) { return m.version == version; });
    const std::string name(applied.text(row, 1));
    if (known == migrations.end()) {
      return Status(Code::kConflict,
                    "could not migrate: the database has migration \"" + name +
                        "\", which this program does not know. Use the newer edged");
    }
    if (known->sha256 != applied.text(row, 2)) {
      return Status(Code::kConflict,
                    "could not migrate: migration \"" + name +
                        "\" was applied from a different file (its checksum differs). Use the "
                        "edged that applied it");
    }
  }
  return Status();
}

bool is_applied(const PgResult& applied, int version) {
  for (int row = 0; row < applied.rows(); ++row) {
    if (to_int(applied.text(row, 0)) == version) return true;
  }
  return false;
}

asio::awaitable<Status> apply(Session* session, Migration migration) {
  Result<PgResult> applied =
      co_await session->connection->execute_script(std::string(migration.text));
  if (!applied) {
    const std::string what = "apply migration \"" + std::string(migration.name) + "\"";
    co_return explain_denied(applied.error(), *session, what);
  }
  PgParameters row{std::to_string(migration.version),
                   std::string(migration.name),
                   std::string(migration.sha256)};
  Status recorded =
      co_await execute(session->connection.get(), sql::db::kRecordApplied, std::move(row));
  co_return recorded;
}

// Inside a transaction that holds the lock: applies the first migration that is missing. Nothing if
// none is.
asio::awaitable<Result<std::optional<Migration>>> apply_next(
    Session* session, const std::vector<Migration>* migrations) {
  Status history = co_await create_history(session);
  if (!history.ok()) co_return history;
  Result<PgResult> applied =
      co_await session->connection->execute(std::string(sql::db::kListApplied));
  if (!applied)
    co_return explain_denied(applied.error(), *session, "read \"edged.schema_migrations\"");
  Status verified = verify(*applied, *migrations);
  if (!verified.ok()) co_return verified;
  for (const Migration& migration : *migrations) {
    if (is_applied(*applied, migration.version)) continue;
    Status done = co_await apply(session, migration);
    if (!done.ok()) co_return done;
    co_return std::optional<Migration>(migration);
  }
  co_return std::optional<Migration>();
}

asio::awaitable<Status> apply_all(Session* session,
                                  const std::vector<Migration>* migrations,
                                  MigrateReport* report) {
  for (;;) {
    Status begun = co_await begin_locked(session->connection.get());
    if (!begun.ok()) co_return begun;
    Result<std::optional<Migration>> applied = co_await apply_next(session, migrations);
    if (!applied) co_return applied.error();
    Status committed = co_await execute(session->connection.get(), "commit");
    if (!committed.ok()) co_return committed;
    if (!applied->has_value()) co_return Status();
    report->applied.emplace_back((*applied)->name);
  }
}

asio::awaitable<Result<std::vector<std::string>>> list_tables(Session* session) {
  Result<PgResult> found =
      co_await session->connection->execute(std::string(sql::db::kListApplicationTables));
  if (!found) co_return found.error();
  std::vector<std::string> tables;
  for (int row = 0; row < found->rows(); ++row) tables.emplace_back(found->text(row, 0));
  co_return tables;
}

asio::awaitable<Status> apply_app_schema(Session* session, MigrateReport* report) {
  constexpr std::size_t kTables = 5;
  Status begun = co_await begin_locked(session->connection.get());
  if (!begun.ok()) co_return begun;
  Result<std::vector<std::string>> before = co_await list_tables(session);
  if (!before) co_return before.error();
  if (before->size() < kTables) {
    Result<PgResult> created =
        co_await session->connection->execute_script(std::string(sql::db::kAppSchema));
    if (!created)
      co_return explain_denied(created.error(), *session, "create the application's tables");
  }
  Result<std::vector<std::string>> after = co_await list_tables(session);
  if (!after) co_return after.error();
  Status committed = co_await execute(session->connection.get(), "commit");
  if (!committed.ok()) co_return committed;
  std::set_difference(after->begin(),
                      after->end(),
                      before->begin(),
                      before->end(),
                      std::back_inserter(report->created_tables));
  co_return Status();
}

// The role's name takes the place of each "{role}".
std::string grants_to(const std::string& role) {
  constexpr std::string_view kPlace = "{role}";
  const std::string name = quoted_identifier(role);
  std::string text(sql::db::kGrants);
  for (std::size_t at = text.find(kPlace); at != std::string::npos;
       at = text.find(kPlace, at + name.size())) {
    text.replace(at, kPlace.size(), name);
  }
  return text;
}

asio::awaitable<Status> grant(Session* session, std::string role) {
  Result<PgResult> granted = co_await session->connection->execute_script(grants_to(role));
  if (granted) co_return Status();
  const std::string what = "could not grant the rights of a worker to role \"" + role + "\"";
  if (granted.code() != Code::kDenied) co_return granted.error().with_context(what);
  co_return Status(Code::kDenied,
                   what + ": " + granted.error().message() + ". User \"" + session->user +
                       "\" must own the tables and the schemas");
}

}  // namespace

std::vector<Migration> embedded_migrations() {
  std::vector<Migration> migrations;
  for (const sql::db::SqlFile& file : sql::db::kFiles) {
    const bool is_numbered = std::isdigit(static_cast<unsigned char>(file.name.front())) != 0;
    if (is_numbered) migrations.push_back({to_int(file.name), file.name, file.sha256, file.text});
  }
  std::sort(migrations.begin(), migrations.end(), [](const Migration& a, const Migration& b) {
    return a.version < b.version;
  });
  return migrations;
}

asio::awaitable<Result<MigrateReport>> migrate(asio::any_io_executor executor,
                                               MigrateOptions options) {
  PgConnectOptions target{options.url,
                          options.connect_timeout,
                          options.statement_timeout,
                          "edged migrate",
                          false,
                          options.session_state,
                          false};
  Result<std::unique_ptr<PgConnection>> connected =
      co_await PgConnection::connect(executor, std::move(target));
  if (!connected) co_return connected.error();
  // An error leaves the transaction open; it ends with the connection, which is this function's.
  Session session{std::move(*connected), {}, {}};
  MigrateReport report;
  Status migrated = co_await apply_all(&session, &options.migrations, &report);
  if (!migrated.ok()) co_return migrated;
  report.version = options.migrations.empty() ? 0 : options.migrations.back().version;
  if (options.app_schema) {
    Status created = co_await apply_app_schema(&session, &report);
    if (!created.ok()) co_return created;
  }
  if (!options.grant_to.empty()) {
    Status granted = co_await grant(&session, options.grant_to);
    if (!granted.ok()) co_return granted;
  }
  co_return report;
}

}  // namespace edged::db
