// SPDX-License-Identifier: Apache-2.0
// A PostgreSQL connection in logical replication mode: commands, COPY of a snapshot's rows, and the
// stream of changes. One thing at a time. The executor's thread; a coroutine inside a call keeps
// the object alive.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "proto/base/status.h"
#include "worker/db/pg_connection.h"

namespace edged::db {

class PgReplicationConnection {
 public:
  // `options.statement_timeout` bounds commands, and each pause within a COPY. Errors: those of
  // PgConnection::connect(); kDenied also if the role may not replicate.
  static boost::asio::awaitable<Result<std::unique_ptr<PgReplicationConnection>>> connect(
      boost::asio::any_io_executor executor, PgConnectOptions options);
  ~PgReplicationConnection();
  PgReplicationConnection(const PgReplicationConnection&) = delete;
  PgReplicationConnection& operator=(const PgReplicationConnection&) = delete;

  // A replication command, or SQL without parameters. kUnbounded: waits as long as it takes, until
  // abandon(); the server's own statement_timeout is the caller's business. Errors: those of
  // PgPool::execute.
  enum class Wait { kBounded, kUnbounded };
  boost::asio::awaitable<Result<PgResult>> command(std::string text, Wait wait = Wait::kBounded);
  // The server process of this connection.
  int backend_pid() const;

  // "copy … to stdout", which the server ends after its own statement_timeout (set it to 0 in the
  // transaction for a large table): calls `take` with each row as it comes, in COPY's text format
  // with its newline, and waits for it. An error of `take` ends the connection. Waits for the first
  // row as long as it takes. The number of rows, or an error.
  using TakeRow = std::function<boost::asio::awaitable<Status>(std::string_view row)>;
  boost::asio::awaitable<Result<std::uint64_t>> copy_out(std::string sql, TakeRow take);

  // START_REPLICATION. Afterwards only those below may be called.
  boost::asio::awaitable<Status> start_streaming(std::string text);
  // The next frame (see mirror/pgoutput.h); nothing if none came before `deadline`. Errors:
  // kUnavailable (the stream has ended, with the server's reason), kUnknownOutcome (abandon()).
  boost::asio::awaitable<Result<std::optional<std::string>>> next_frame(
      std::chrono::steady_clock::time_point deadline);
  // As next_frame, without waiting: nothing if none has come yet.
  Result<std::optional<std::string>> frame_at_hand();
  boost::asio::awaitable<Status> send_frame(std::string frame);

  // Ends what is under way. The connection is of no use afterwards.
  void abandon();

 private:
  class Impl;
  explicit PgReplicationConnection(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace edged::db
