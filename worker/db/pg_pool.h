// SPDX-License-Identifier: Apache-2.0
// A small pool of PostgreSQL connections for Asio coroutines. A statement waits for a free
// connection (at most statement_timeout), and statements are counted per caller. A connection that
// died while idle is replaced before the statement is sent; while PostgreSQL is away statements
// fail at once between attempts to connect, which back off to 2 s. Sessions are in UTC with ISO
// dates. A statement that leaves a transaction open costs its connection, and one that is refused
// because the server has become a standby costs all of them. All calls on the executor's thread;
// destroying the pool ends the statements under way.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "proto/base/metrics.h"
#include "proto/base/status.h"
#include "worker/db/pg_result.h"
#include "worker/db/pg_statement.h"

namespace edged::db {

struct PgPoolOptions {
  std::string url;  // a libpq connection URI or keyword string; may hold a password, never logged
  std::size_t size = 4;
  std::chrono::milliseconds connect_timeout{5000};
  std::chrono::milliseconds statement_timeout{5000};
  std::string application_name = "edged";
  bool session_state = true;  // false: see PgConnectOptions
  bool prepared_statements = true;
};

class PgPool {
 public:
  PgPool(boost::asio::any_io_executor executor, PgPoolOptions options, MetricsRegistry& metrics);
  ~PgPool();
  PgPool(const PgPool&) = delete;
  PgPool& operator=(const PgPool&) = delete;

  // Runs one statement in its own transaction. `counter`, if given, outlives the call and is
  // incremented once the statement was handed to a connection.
  // Errors: kUnavailable (no connection, or the server lacks resources; nothing was executed),
  // kDeadlineExceeded (the server ended it; nothing was executed), kUnknownOutcome (the connection
  // died or stayed silent while it ran), kConflict (serialization failure or deadlock: try again),
  // kDenied (insufficient privilege, or the server refused the user), kInvalidArgument (the server
  // rejected the statement; message has the SQLSTATE), kDiskFull, kIoError, kCorruption, kInternal
  // (the server's).
  boost::asio::awaitable<Result<PgResult>> execute(std::string sql,
                                                   PgParameters parameters,
                                                   StatementCounter* counter = nullptr);

  // Several statements in one round trip and one transaction; a result for each. Errors: as above.
  boost::asio::awaitable<Result<std::vector<PgResult>>> execute_pipeline(
      std::vector<PgStatement> statements, StatementCounter* counter = nullptr);

  // Several statements separated by semicolons in one implicit transaction, no parameters, as
  // migrations need them. Counts as one message.
  boost::asio::awaitable<Status> execute_script(std::string sql);

  // What execute() adds to a counter: 1, or 2 if the settings go along.
  std::uint64_t messages_per_statement() const;

  // True if the last attempt to use a connection succeeded; false before the first. Any thread.
  bool healthy() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace edged::db
