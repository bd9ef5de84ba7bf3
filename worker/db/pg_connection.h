// SPDX-License-Identifier: Apache-2.0
// One PostgreSQL connection: libpq's non-blocking calls as awaitables, with a deadline on every
// step. The server ends a statement at statement_timeout; if nothing is heard for a second longer
// the connection is given up. One call at a time. Without session state (PgConnectOptions) the
// time-out and the formats go along with each statement, in its transaction and its round trip, as
// a statement of their own. Owned and called on the executor's thread; a coroutine inside a call
// keeps the object alive.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "proto/base/status.h"
#include "worker/db/pg_result.h"
#include "worker/db/pg_statement.h"
#include "worker/db/pg_target.h"

namespace edged::db {

class PgConnection {
 public:
  // Errors: kUnavailable (no server answered in its time), kDenied (the server refused
  // the user), kInvalidArgument (the URL).
  static boost::asio::awaitable<Result<std::unique_ptr<PgConnection>>> connect(
      boost::asio::any_io_executor executor, PgConnectOptions options);

  ~PgConnection();
  PgConnection(const PgConnection&) = delete;
  PgConnection& operator=(const PgConnection&) = delete;

  // Errors: those of PgPool::execute.
  boost::asio::awaitable<Result<PgResult>> execute(std::string sql,
                                                   PgParameters parameters = {},
                                                   StatementCounter* counter = nullptr);

  // Several statements in one round trip and one transaction (libpq's pipeline mode): all take
  // effect or none does, and the first error is the whole's. One result each. `counter` counts
  // each. Errors: those of PgPool::execute.
  boost::asio::awaitable<Result<std::vector<PgResult>>> execute_pipeline(
      std::vector<PgStatement> statements, StatementCounter* counter = nullptr);

  // Several statements separated by semicolons; the result is the last one's.
  boost::asio::awaitable<Result<PgResult>> execute_script(std::string sql);

  // Between statements, after LISTEN: true once notifications have come, which are taken; false if
  // none came within `patience`. Errors: kUnknownOutcome (the connection is lost, or abandon()).
  boost::asio::awaitable<Result<bool>> wait_for_notification(std::chrono::milliseconds patience);

  // Looks at the socket without waiting: false if the server has closed the connection meanwhile.
  bool alive();
  // False if the connection is lost, not idle outside a transaction, or retired: it must not be
  // used again.
  bool reusable() const;
  // True once the server refused to write: it has become a standby, and another one is the primary.
  bool read_only() const;
  // The server process that the other side named when it connected. A pooler names none of the
  // server's.
  int backend_pid() const;
  // What is under way is the last that is said over it.
  void retire();
  // Ends a statement under way with kUnknownOutcome. The connection is of no use afterwards.
  void abandon();

 private:
  class Impl;
  explicit PgConnection(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace edged::db
