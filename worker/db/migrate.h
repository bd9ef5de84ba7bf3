// SPDX-License-Identifier: Apache-2.0
// Creates and upgrades the schema "edged": worker/db/migrations/NNNN_name.sql in order, each in one
// transaction together with its row in edged.schema_migrations, under an advisory lock, so several
// programs may start it at once. Running it again does nothing. Executor's thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/status.h"

namespace edged::db {

struct Migration {
  int version = 0;
  std::string_view name;  // "0001_edged_schema"
  std::string_view sha256;
  std::string_view text;
};

// The migrations this program carries, by version.
std::vector<Migration> embedded_migrations();

struct MigrateOptions {
  std::string url;
  std::string grant_to;       // a role that gets the rights of a worker; empty: none
  bool app_schema = false;    // also create the application's tables that do not exist
  bool session_state = true;  // false: see PgConnectOptions
  std::chrono::milliseconds connect_timeout{5000};
  std::chrono::milliseconds statement_timeout{
      60'000};  // also how long another migration is waited for
  std::vector<Migration> migrations = embedded_migrations();
};

struct MigrateReport {
  std::vector<std::string> applied;         // names, in order; empty: nothing to do
  std::vector<std::string> created_tables;  // of the application, "public.class_states"
  int version = 0;                          // of the schema now
};

// Errors: kDenied with the missing privilege; kConflict if an applied migration differs from this
// program's or the database is newer; kDeadlineExceeded; those of PgConnection. What was applied
// before the error stays applied.
boost::asio::awaitable<Result<MigrateReport>> migrate(boost::asio::any_io_executor executor,
                                                      MigrateOptions options);

}  // namespace edged::db
