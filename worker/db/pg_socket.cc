// SPDX-License-Identifier: Apache-2.0
// See pg_socket.h. PostgreSQL 15 documentation, chapter 34, sections 1 and 4.
#include "worker/db/pg_socket.h"

#include <libpq-fe.h>
#include <poll.h>

#include <boost/asio.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <utility>
#include <vector>

#include "proto/base/log.h"
#include "worker/db/pg_error.h"

namespace edged::db {
namespace {

namespace asio = boost::asio;
// NOLINTNEXTLINE(google-build-using-namespace): the operators' only way in
using namespace asio::experimental::awaitable_operators;
using Descriptor = asio::posix::stream_descriptor;

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);

// A socket that libpq owns, lent to Asio for one wait.
class BorrowedDescriptor {
 public:
  BorrowedDescriptor(const asio::any_io_executor& executor, int socket)
      : descriptor_(executor, socket) {}
  ~BorrowedDescriptor() { descriptor_.release(); }
  BorrowedDescriptor(const BorrowedDescriptor&) = delete;
  BorrowedDescriptor& operator=(const BorrowedDescriptor&) = delete;
  Descriptor& get() { return descriptor_; }

 private:
  Descriptor descriptor_;
};

enum class Wake { kReady, kDeadline, kAbandoned };

template <typename Outcome>
Wake wake_of(const Outcome& outcome, bool is_timer) {
  const bool cancelled = static_cast<bool>(std::get<0>(outcome));
  if (cancelled) return Wake::kAbandoned;
  return is_timer ? Wake::kDeadline : Wake::kReady;
}

asio::awaitable<Wake> wait_for(Descriptor& descriptor,
                               Descriptor::wait_type type,
                               SteadyTime deadline) {
  asio::steady_timer timer(descriptor.get_executor(), deadline);
  const auto first = co_await (descriptor.async_wait(type, kAsTuple) || timer.async_wait(kAsTuple));
  const bool is_timer = first.index() == 1;
  co_return std::visit([is_timer](const auto& outcome) { return wake_of(outcome, is_timer); },
                       first);
}

// While our output is stuck the server may be stuck on its own: both directions are watched.
asio::awaitable<Wake> wait_for_any(Descriptor& descriptor, SteadyTime deadline) {
  asio::steady_timer timer(descriptor.get_executor(), deadline);
  const auto first = co_await (descriptor.async_wait(Descriptor::wait_read, kAsTuple) ||
                               descriptor.async_wait(Descriptor::wait_write, kAsTuple) ||
                               timer.async_wait(kAsTuple));
  const bool is_timer = first.index() == 2;
  co_return std::visit([is_timer](const auto& outcome) { return wake_of(outcome, is_timer); },
                       first);
}

Status why_not(Wake wake) {
  if (wake == Wake::kDeadline) {
    return {Code::kUnknownOutcome, "no answer from PostgreSQL within the statement's timeout"};
  }
  return {Code::kUnknownOutcome, "stopped while a statement ran"};
}

void log_notice(void*, const char* message) {
  std::string_view text(message);
  while (text.ends_with('\n')) text.remove_suffix(1);
  log::debug(std::string("[DB] notice: ").append(text));
}

std::string_view field(const PGresult* result, int code) {
  const char* value = PQresultErrorField(result, code);
  return value == nullptr ? std::string_view() : std::string_view(value);
}

PGconn* start(const PgSettings& settings) {
  std::vector<const char*> keywords, values;
  for (const auto& [keyword, value] : settings) {
    keywords.push_back(keyword.c_str());
    values.push_back(value.c_str());
  }
  keywords.push_back(nullptr);
  values.push_back(nullptr);
  return PQconnectStartParams(keywords.data(), values.data(), 0);
}

// Drives PQconnectPoll to its end. The socket is wrapped anew each turn: libpq may close it and
// open another one, even with the same number.
asio::awaitable<Status> finish_connecting(asio::any_io_executor executor,
                                          PGconn* connection,
                                          SteadyTime deadline) {
  PostgresPollingStatusType state = PGRES_POLLING_WRITING;
  while (state != PGRES_POLLING_OK) {
    if (state == PGRES_POLLING_FAILED) co_return connect_error(PQerrorMessage(connection));
    const auto type =
        state == PGRES_POLLING_READING ? Descriptor::wait_read : Descriptor::wait_write;
    Wake wake = Wake::kReady;
    {
      BorrowedDescriptor socket(executor, PQsocket(connection));
      wake = co_await wait_for(socket.get(), type, deadline);
    }
    if (wake == Wake::kDeadline) {
      co_return Status(Code::kUnavailable, "could not connect to PostgreSQL: no answer in time");
    }
    if (wake == Wake::kAbandoned) {
      co_return Status(Code::kUnavailable, "could not connect to PostgreSQL: stopped");
    }
    state = PQconnectPoll(connection);
  }
  co_return Status();
}

}  // namespace

Status status_of(const PGresult* result) {
  switch (PQresultStatus(result)) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_EMPTY_QUERY:
      return Status();
    case PGRES_COPY_IN:
    case PGRES_COPY_OUT:
    case PGRES_COPY_BOTH:
      return Status(Code::kUnsupported, "COPY is not supported as a statement");
    default:
      return statement_error(field(result, PG_DIAG_SQLSTATE),
                             field(result, PG_DIAG_MESSAGE_PRIMARY),
                             field(result, PG_DIAG_MESSAGE_DETAIL));
  }
}

bool has_nul(const std::string& text) {
  return text.find('\0') != std::string::npos;
}

void PgSocket::FinishConnection::operator()(PGconn* connection) const {
  PQfinish(connection);
}

PgSocket::PgSocket(const asio::any_io_executor& executor, Connection connection)
    : connection_(std::move(connection)), descriptor_(executor, PQsocket(connection_.get())) {}

PgSocket::~PgSocket() {
  descriptor_.release();
}

asio::awaitable<Result<std::unique_ptr<PgSocket>>> PgSocket::connect(asio::any_io_executor executor,
                                                                     PgConnectOptions options) {
  const SteadyTime deadline = std::chrono::steady_clock::now() + options.connect_timeout;
  Result<PgSettings> parsed = parse_settings(options);
  if (!parsed) co_return parsed.error();
  Result<PgSettings> settings = co_await resolve_settings(executor, std::move(*parsed), deadline);
  if (!settings) co_return settings.error();
  Connection connection(start(*settings));
  if (connection == nullptr) co_return Status(Code::kInternal, "could not connect: out of memory");
  if (PQstatus(connection.get()) == CONNECTION_BAD) {
    co_return connect_error(PQerrorMessage(connection.get()));
  }
  PQsetErrorVerbosity(connection.get(), PQERRORS_VERBOSE);  // for the SQLSTATE of a refusal
  PQsetNoticeProcessor(connection.get(), log_notice, nullptr);
  Status connected = co_await finish_connecting(executor, connection.get(), deadline);
  if (!connected.ok()) co_return connected;
  if (PQsetnonblocking(connection.get(), 1) != 0) {
    co_return connect_error(PQerrorMessage(connection.get()));
  }
  PQsetErrorVerbosity(connection.get(), PQERRORS_DEFAULT);
  co_return std::unique_ptr<PgSocket>(new PgSocket(executor, std::move(connection)));
}

bool PgSocket::broken() const {
  return broken_ || PQstatus(raw()) == CONNECTION_BAD;
}

void PgSocket::abandon() {
  broken_ = true;
  descriptor_.cancel();
}

Status PgSocket::give_up(Status why) {
  broken_ = true;
  return why;
}

Status PgSocket::lost() const {
  return statement_error("", "", "");
}

asio::awaitable<Status> PgSocket::wait_readable(SteadyTime deadline) {
  const Wake wake = co_await wait_for(descriptor_, Descriptor::wait_read, deadline);
  co_return wake == Wake::kReady ? Status() : why_not(wake);
}

asio::awaitable<Status> PgSocket::flush(SteadyTime deadline) {
  for (;;) {
    const int pending = PQflush(raw());
    if (pending == 0) co_return Status();
    if (pending < 0) co_return lost();
    const Wake wake = co_await wait_for_any(descriptor_, deadline);
    if (wake != Wake::kReady) co_return why_not(wake);
    if (PQconsumeInput(raw()) == 0) co_return lost();
  }
}

bool PgSocket::readable_now() const {
  pollfd poll_socket{PQsocket(raw()), POLLIN, 0};
  return poll(&poll_socket, 1, 0) > 0;
}

}  // namespace edged::db
