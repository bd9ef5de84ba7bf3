// SPDX-License-Identifier: Apache-2.0
// See pg_replication.h. PostgreSQL 15 documentation, chapter 34.10 and section 55.4.
#include "worker/db/pg_replication.h"

#include <libpq-fe.h>

#include <boost/asio.hpp>
#include <utility>

#include "worker/db/pg_socket.h"

namespace edged::db {

namespace asio = boost::asio;

namespace {

// What the client waits beyond the server's own statement_timeout.
constexpr std::chrono::milliseconds kAnswerGrace{1000};

// Limits of newer servers on how long a session or transaction may last: a load may take long.
constexpr char kNoTimeouts[] =
    "select set_config(name, '0', false) from pg_settings "
    "where name in ('transaction_timeout', 'idle_session_timeout')";
// A server process that waits for a lock ends soon after its client is gone, whatever became of the
// client. Not on every system (PostgreSQL 15 documentation, section 20.3.3): then it is refused.
constexpr char kNoticeLostClients[] = "set client_connection_check_interval = '1s'";

struct FreeCopy {
  void operator()(char* data) const { PQfreemem(data); }
};
using CopyData = std::unique_ptr<char, FreeCopy>;

// What PQgetCopyData found.
struct Copied {
  CopyData data;
  int bytes = 0;  // libpq's: 0 nothing yet, -1 the end, -2 an error
  std::string_view view() const { return {data.get(), static_cast<std::size_t>(bytes)}; }
};

Copied take_copied(PGconn* connection) {
  char* data = nullptr;
  const int bytes = PQgetCopyData(connection, &data, 1);
  return {CopyData(data), bytes};
}

}  // namespace

class PgReplicationConnection::Impl {
 public:
  Impl(std::unique_ptr<PgSocket> socket, std::chrono::milliseconds timeout)
      : socket_(std::move(socket)), timeout_(timeout) {}

  PgSocket& socket() { return *socket_; }
  PGconn* raw() const { return socket_->raw(); }

  void set_unbounded(bool unbounded) { unbounded_ = unbounded; }

  SteadyTime deadline() const {
    return timeout_.count() > 0 && !unbounded_
               ? std::chrono::steady_clock::now() + timeout_ + kAnswerGrace
               : SteadyTime::max();
  }

  asio::awaitable<Status> send(std::string text) {
    if (has_nul(text)) {
      co_return Status(Code::kInvalidArgument,
                       "could not send a command to PostgreSQL: it contains a NUL byte");
    }
    if (socket_->broken() || PQsendQuery(raw(), text.c_str()) == 0) {
      co_return socket_->give_up(
          Status(Code::kUnavailable, "could not send a command to PostgreSQL"));
    }
    Status flushed = co_await socket_->flush(deadline());
    co_return flushed.ok() ? flushed : socket_->give_up(flushed);
  }

  // The next result of what was sent; null behind the last one.
  asio::awaitable<Result<PGresult*>> next_result() {
    while (PQisBusy(raw()) == 1) {
      Status readable = co_await socket_->wait_readable(deadline());
      if (!readable.ok()) co_return socket_->give_up(readable);
      if (PQconsumeInput(raw()) == 0) break;  // PQgetResult has the error
    }
    co_return PQgetResult(raw());
  }

  // Reads to the end of the answer: the last result, or the first error.
  asio::awaitable<Result<PgResult>> finish() {
    std::optional<PgResult> last;
    Status failure;
    for (;;) {
      Result<PGresult*> result = co_await next_result();
      if (!result) co_return result.error();
      if (*result == nullptr) break;
      last.emplace(*result);
      Status status = status_of(*result);
      if (status.code() == Code::kUnsupported) co_return socket_->give_up(status);
      if (!status.ok() && failure.ok()) failure = status;
    }
    if (!failure.ok()) co_return failure;
    if (!last) co_return socket_->give_up(socket_->lost());
    co_return std::move(*last);
  }

  // Sends a command whose answer must be a COPY of this kind.
  asio::awaitable<Status> begin_copy(std::string text, ExecStatusType kind) {
    Status sent = co_await send(std::move(text));
    if (!sent.ok()) co_return sent;
    Result<PGresult*> result = co_await next_result();
    if (!result) co_return result.error();
    if (*result == nullptr) co_return socket_->give_up(socket_->lost());
    const bool is_copy = PQresultStatus(*result) == kind;
    const PgResult owned(*result);
    if (is_copy) co_return Status();
    Status failed = status_of(*result);
    if (failed.ok()) {
      failed = Status(Code::kInvalidArgument,
                      "PostgreSQL did not answer the command with the expected COPY");
    }
    for (;;) {
      Result<PGresult*> rest = co_await next_result();
      if (!rest) co_return rest.error();
      if (*rest == nullptr) co_return failed;
      const PgResult dropped(*rest);
    }
  }

  // The next piece, waiting for it. Its bytes are -1 at the end and -2 after an error.
  asio::awaitable<Result<Copied>> next_copied(SteadyTime until) {
    for (;;) {
      Copied copied = take_copied(raw());
      if (copied.bytes != 0) co_return std::move(copied);
      Status readable = co_await socket_->wait_readable(until);
      if (!readable.ok()) co_return readable;
      if (PQconsumeInput(raw()) == 0) co_return socket_->give_up(socket_->lost());
    }
  }

 private:
  std::unique_ptr<PgSocket> socket_;
  std::chrono::milliseconds timeout_;
  bool unbounded_ = false;  // the command under way
};

PgReplicationConnection::PgReplicationConnection(std::unique_ptr<Impl> impl)
    : impl_(std::move(impl)) {}
PgReplicationConnection::~PgReplicationConnection() = default;

asio::awaitable<Result<std::unique_ptr<PgReplicationConnection>>> PgReplicationConnection::connect(
    asio::any_io_executor executor, PgConnectOptions options) {
  const std::chrono::milliseconds timeout = options.statement_timeout;
  options.replication = true;
  auto socket = co_await PgSocket::connect(executor, std::move(options));
  if (!socket) co_return socket.error();
  auto impl = std::make_unique<Impl>(std::move(*socket), timeout);
  std::unique_ptr<PgReplicationConnection> connection(new PgReplicationConnection(std::move(impl)));
  for (const char* setting : {kNoTimeouts, kNoticeLostClients}) {
    const Result<PgResult> set = co_await connection->command(setting);
    if (!set && set.code() != Code::kInvalidArgument) co_return set.error();
  }
  co_return connection;
}

asio::awaitable<Result<PgResult>> PgReplicationConnection::command(std::string text, Wait wait) {
  Status sent = co_await impl_->send(std::move(text));
  if (!sent.ok()) co_return sent;
  impl_->set_unbounded(wait == Wait::kUnbounded);
  Result<PgResult> result = co_await impl_->finish();
  impl_->set_unbounded(false);
  co_return result;
}

int PgReplicationConnection::backend_pid() const {
  return PQbackendPID(impl_->raw());
}

asio::awaitable<Result<std::uint64_t>> PgReplicationConnection::copy_out(std::string sql,
                                                                         TakeRow take) {
  impl_->set_unbounded(true);  // somebody may have the table locked
  Status begun = co_await impl_->begin_copy(std::move(sql), PGRES_COPY_OUT);
  impl_->set_unbounded(false);
  if (!begun.ok()) co_return begun;
  std::uint64_t rows = 0;
  for (;;) {
    Result<Copied> copied = co_await impl_->next_copied(impl_->deadline());
    if (!copied) co_return impl_->socket().give_up(copied.error());
    if (copied->bytes < 0) break;
    Status taken = co_await take(copied->view());
    if (!taken.ok()) co_return impl_->socket().give_up(taken);
    ++rows;
  }
  Result<PgResult> end = co_await impl_->finish();
  if (!end) co_return end.error();
  co_return rows;
}

asio::awaitable<Status> PgReplicationConnection::start_streaming(std::string text) {
  Status begun = co_await impl_->begin_copy(std::move(text), PGRES_COPY_BOTH);
  co_return begun;
}

asio::awaitable<Result<std::optional<std::string>>> PgReplicationConnection::next_frame(
    std::chrono::steady_clock::time_point deadline) {
  Result<Copied> copied = co_await impl_->next_copied(deadline);
  if (!copied) {
    // Either nothing came in time, which is no error, or the connection is gone.
    if (impl_->socket().broken()) co_return copied.error();
    co_return std::optional<std::string>();
  }
  if (copied->bytes > 0) co_return std::optional<std::string>(copied->view());
  Result<PgResult> end = co_await impl_->finish();
  const std::string why = end ? "the server ended it without a reason" : end.error().message();
  co_return impl_->socket().give_up(
      Status(Code::kUnavailable, "the replication stream has ended: " + why));
}

// An end or an error is left to next_frame.
Result<std::optional<std::string>> PgReplicationConnection::frame_at_hand() {
  Copied copied = take_copied(impl_->raw());
  if (copied.bytes == 0 && !impl_->socket().broken()) {
    if (PQconsumeInput(impl_->raw()) == 0) {
      return impl_->socket().give_up(impl_->socket().lost());
    }
    copied = take_copied(impl_->raw());
  }
  if (copied.bytes <= 0) return std::optional<std::string>();
  return std::optional<std::string>(copied.view());
}

asio::awaitable<Status> PgReplicationConnection::send_frame(std::string frame) {
  PGconn* raw = impl_->raw();
  // 0: libpq's buffer is full, which flushing mends.
  int put = 0;
  while (!impl_->socket().broken() &&
         (put = PQputCopyData(raw, frame.data(), static_cast<int>(frame.size()))) == 0) {
    Status flushed = co_await impl_->socket().flush(impl_->deadline());
    if (!flushed.ok()) co_return impl_->socket().give_up(flushed);
  }
  if (put != 1) co_return impl_->socket().give_up(impl_->socket().lost());
  Status flushed = co_await impl_->socket().flush(impl_->deadline());
  co_return flushed.ok() ? flushed : impl_->socket().give_up(flushed);
}

void PgReplicationConnection::abandon() {
  impl_->socket().abandon();
}

}  // namespace edged::db
