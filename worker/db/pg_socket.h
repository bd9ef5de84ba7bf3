// SPDX-License-Identifier: Apache-2.0
// A libpq connection under Asio: connecting, and waiting for its socket without blocking. libpq
// owns the socket: Asio only waits for it, through a descriptor that is released before libpq may
// close it. What is said over it is for those above: PgConnection, PgCopyStream. The executor's
// thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <chrono>
#include <memory>
#include <string>

#include "proto/base/status.h"
#include "worker/db/pg_target.h"

struct pg_conn;
struct pg_result;

namespace edged::db {

using SteadyTime = std::chrono::steady_clock::time_point;

// ok for a result that is rows or a finished command; kUnsupported for a COPY.
Status status_of(const pg_result* result);
bool has_nul(const std::string& text);

class PgSocket {
 public:
  // Errors: those of PgConnection::connect().
  static boost::asio::awaitable<Result<std::unique_ptr<PgSocket>>> connect(
      boost::asio::any_io_executor executor, PgConnectOptions options);
  ~PgSocket();
  PgSocket(const PgSocket&) = delete;
  PgSocket& operator=(const PgSocket&) = delete;

  pg_conn* raw() const { return connection_.get(); }
  // True once a step failed: the connection is of no use any more.
  bool broken() const;
  // Ends what waits with kUnknownOutcome.
  void abandon();
  // Marks the connection as broken, and returns `why`.
  Status give_up(Status why);
  // What libpq says about a connection that was lost.
  Status lost() const;

  // Until the socket has something to read. Errors: kUnknownOutcome (the deadline, or abandon()).
  boost::asio::awaitable<Status> wait_readable(SteadyTime deadline);
  // Sends what libpq holds, reading meanwhile. Errors: as above, and those of a lost connection.
  boost::asio::awaitable<Status> flush(SteadyTime deadline);
  bool readable_now() const;

 private:
  struct FinishConnection {
    void operator()(pg_conn* connection) const;
  };
  using Connection = std::unique_ptr<pg_conn, FinishConnection>;
  class Connecting;

  PgSocket(const boost::asio::any_io_executor& executor, Connection connection);

  Connection connection_;
  // Released, not closed, before connection_ goes.
  boost::asio::posix::stream_descriptor descriptor_;
  bool broken_ = false;
};

}  // namespace edged::db
