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
    return {Code::kUnknownOutcome,
            "PostgreSQL did not answer a statement within postgres.statement_timeout"};
  }
  return {Code::kUnknownOutcome, "the program stopped while a statement ran"};
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

// How one attempt to connect ended, and whether the next server is worth an attempt.
struct Attempted {
  enum class Next { kTry, kTryAndLeaveThisOut, kStop };
  Status status;
  Next next = Next::kTry;
};

Attempted failed(PGconn* connection) {
  const char* message = PQerrorMessage(connection);
  return {connect_error(message),
          is_refusal(message) ? Attempted::Next::kStop : Attempted::Next::kTry};
}

Attempted silent(PGconn* connection) {
  const std::string host = PQhost(connection), address = PQhostaddr(connection);
  std::string text = "could not connect to PostgreSQL: no answer from \"" + host + "\"";
  if (!address.empty() && address != host) text += " (" + address + ")";
  text += ", port " + std::string(PQport(connection)) + " in time";
  return {Status(Code::kUnavailable, std::move(text)), Attempted::Next::kTryAndLeaveThisOut};
}

// Drives PQconnectPoll to its end. The socket is wrapped anew each turn: libpq may close it and
// open another one, even with the same number.
asio::awaitable<Attempted> finish_connecting(asio::any_io_executor executor,
                                             PGconn* connection,
                                             SteadyTime deadline) {
  PostgresPollingStatusType state = PGRES_POLLING_WRITING;
  while (state != PGRES_POLLING_OK) {
    if (state == PGRES_POLLING_FAILED) co_return failed(connection);
    const auto type =
        state == PGRES_POLLING_READING ? Descriptor::wait_read : Descriptor::wait_write;
    Wake wake = Wake::kReady;
    {
      BorrowedDescriptor socket(executor, PQsocket(connection));
      wake = co_await wait_for(socket.get(), type, deadline);
    }
    if (wake == Wake::kDeadline) co_return silent(connection);
    if (wake == Wake::kAbandoned) {
      co_return Attempted{Status(Code::kUnavailable, "could not connect to PostgreSQL: stopped"),
                          Attempted::Next::kStop};
    }
    state = PQconnectPoll(connection);
  }
  co_return Attempted{};
}

// One attempt with a connection that start() made.
asio::awaitable<Attempted> attempt_to_connect(asio::any_io_executor executor,
                                              PGconn* connection,
                                              SteadyTime deadline) {
  if (connection == nullptr) {
    co_return Attempted{Status(Code::kInternal, "could not connect: out of memory"),
                        Attempted::Next::kStop};
  }
  if (PQstatus(connection) == CONNECTION_BAD) co_return failed(connection);
  PQsetErrorVerbosity(connection, PQERRORS_VERBOSE);  // for the SQLSTATE of a refusal
  PQsetNoticeProcessor(connection, log_notice, nullptr);
  Attempted tried = co_await finish_connecting(executor, connection, deadline);
  if (!tried.status.ok()) co_return tried;
  if (PQsetnonblocking(connection, 1) != 0) co_return failed(connection);
  PQsetErrorVerbosity(connection, PQERRORS_DEFAULT);
  co_return tried;
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
      return Status(Code::kUnsupported,
                    "could not execute a statement: COPY is not supported here");
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
  const auto now = [] { return std::chrono::steady_clock::now(); };
  const Result<PgSettings> settings = parse_settings(options);
  if (!settings) co_return settings.error();
  Result<std::vector<PgHost>> hosts = list_hosts(*settings);
  if (!hosts) co_return hosts.error();
  const SteadyTime names_until = now() + options.connect_timeout;
  ResolvedHosts resolved = co_await resolve_hosts(executor, std::move(*hosts), names_until);
  std::vector<Status> failures = std::move(resolved.failures);
  const std::vector<PgAttempt> attempts = plan_attempts(*settings, resolved.hosts);
  const auto each = time_for_each(options.connect_timeout, attempts.size());
  std::vector<bool> left_out(resolved.hosts.size());
  for (const PgAttempt& attempt : attempts) {
    if (left_out[attempt.host]) continue;
    Connection connection(start(attempt.settings));
    const SteadyTime until = now() + each;
    Attempted tried = co_await attempt_to_connect(executor, connection.get(), until);
    if (tried.status.ok()) {
      co_return std::unique_ptr<PgSocket>(new PgSocket(executor, std::move(connection)));
    }
    failures.push_back(std::move(tried.status));
    if (tried.next == Attempted::Next::kStop) break;
    left_out[attempt.host] = tried.next == Attempted::Next::kTryAndLeaveThisOut;
  }
  co_return join_connect_errors(failures);
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
