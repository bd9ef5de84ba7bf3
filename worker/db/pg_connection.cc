// SPDX-License-Identifier: Apache-2.0
// libpq under Asio. libpq owns the socket: Asio only waits for it, through a descriptor that is
// released before libpq may close it. PostgreSQL 15 documentation, chapter 34, sections 1 and 4.
#include "worker/db/pg_connection.h"

#include <libpq-fe.h>
#include <poll.h>

#include <boost/asio.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <cstdint>
#include <optional>
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
using SteadyTime = std::chrono::steady_clock::time_point;

// What the client waits beyond the server's own statement_timeout before it gives the connection
// up.
constexpr std::chrono::milliseconds kAnswerGrace{1000};

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);

struct FinishConnection {
  void operator()(PGconn* connection) const { PQfinish(connection); }
};
using Connection = std::unique_ptr<PGconn, FinishConnection>;

// A socket that libpq owns, lent to Asio.
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

void log_notice(void*, const char* message) {
  std::string_view text(message);
  while (text.ends_with('\n')) text.remove_suffix(1);
  log::debug(std::string("[DB] notice: ").append(text));
}

std::string_view field(const PGresult* result, int code) {
  const char* value = PQresultErrorField(result, code);
  return value == nullptr ? std::string_view() : std::string_view(value);
}

// ok for a result that is rows or a finished command.
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

bool readable_now(int socket) {
  pollfd poll_socket{socket, POLLIN, 0};
  return poll(&poll_socket, 1, 0) > 0;
}

Connection start(const PgSettings& settings) {
  std::vector<const char*> keywords, values;
  for (const auto& [keyword, value] : settings) {
    keywords.push_back(keyword.c_str());
    values.push_back(value.c_str());
  }
  keywords.push_back(nullptr);
  values.push_back(nullptr);
  return Connection(PQconnectStartParams(keywords.data(), values.data(), 0));
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

class PgConnection::Impl {
 public:
  Impl(const asio::any_io_executor& executor,
       Connection connection,
       std::chrono::milliseconds statement_timeout)
      : connection_(std::move(connection)),
        socket_(executor, PQsocket(connection_.get())),
        statement_timeout_(statement_timeout) {}

  PGconn* raw() { return connection_.get(); }
  const PGconn* raw() const { return connection_.get(); }
  bool broken() const { return broken_ || PQstatus(raw()) == CONNECTION_BAD; }

  void abandon() {
    broken_ = true;
    socket_.get().cancel();
  }

  // Sends what libpq holds, then reads to the end of the answer. One error makes the whole an
  // error.
  asio::awaitable<Result<PgResult>> finish_statement() {
    const bool bounded = statement_timeout_.count() > 0;
    const SteadyTime deadline =
        bounded ? std::chrono::steady_clock::now() + statement_timeout_ + kAnswerGrace
                : SteadyTime::max();
    in_statement_ = true;
    Status flushed = co_await flush(deadline);
    if (!flushed.ok()) co_return give_up(std::move(flushed));
    std::optional<PgResult> last;
    Status failure;
    for (;;) {
      Status readable = co_await wait_for_result(deadline);
      if (!readable.ok()) co_return give_up(std::move(readable));
      PGresult* result = PQgetResult(raw());
      if (result == nullptr) break;
      last.emplace(result);
      Status status = status_of(result);
      if (status.code() == Code::kUnsupported) co_return give_up(std::move(status));
      if (!status.ok() && failure.ok()) failure = std::move(status);
    }
    in_statement_ = false;
    if (!failure.ok()) co_return failure;
    if (!last) co_return give_up(lost());
    co_return std::move(*last);
  }

  bool alive() {
    // What an idle connection receives is a notice, a parameter, or the server's farewell and end
    // of file. A server that keeps talking is not one to send a statement to.
    for (int turn = 0; turn < 8 && !broken(); ++turn) {
      if (!readable_now(PQsocket(raw()))) return reusable();
      if (PQconsumeInput(raw()) == 0) break;
      PQisBusy(raw());
    }
    return false;
  }

  bool reusable() const {
    return !in_statement_ && !broken() && PQtransactionStatus(raw()) == PQTRANS_IDLE;
  }

 private:
  Status lost() const { return statement_error("", "", ""); }

  Status give_up(Status why) {
    broken_ = true;
    return why;
  }

  asio::awaitable<Status> flush(SteadyTime deadline) {
    for (;;) {
      const int pending = PQflush(raw());
      if (pending == 0) co_return Status();
      if (pending < 0) co_return lost();
      const Wake wake = co_await wait_for_any(socket_.get(), deadline);
      if (wake != Wake::kReady) co_return why_not(wake);
      if (PQconsumeInput(raw()) == 0) co_return lost();
    }
  }

  // Returns once PQgetResult will not block.
  asio::awaitable<Status> wait_for_result(SteadyTime deadline) {
    while (PQisBusy(raw()) == 1) {
      const Wake wake = co_await wait_for(socket_.get(), Descriptor::wait_read, deadline);
      if (wake != Wake::kReady) co_return why_not(wake);
      // On failure libpq holds the error as a result: PQgetResult gives it without waiting.
      if (PQconsumeInput(raw()) == 0) co_return Status();
    }
    co_return Status();
  }

  static Status why_not(Wake wake) {
    if (wake == Wake::kDeadline) {
      return Status(Code::kUnknownOutcome,
                    "no answer from PostgreSQL within the statement's timeout");
    }
    return Status(Code::kUnknownOutcome, "stopped while a statement ran");
  }

  Connection connection_;
  BorrowedDescriptor socket_;  // destroyed before connection_: libpq closes the socket
  std::chrono::milliseconds statement_timeout_;
  bool in_statement_ = false;
  bool broken_ = false;
};

PgConnection::PgConnection(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PgConnection::~PgConnection() = default;

asio::awaitable<Result<std::unique_ptr<PgConnection>>> PgConnection::connect(
    asio::any_io_executor executor, PgConnectOptions options) {
  const SteadyTime deadline = std::chrono::steady_clock::now() + options.connect_timeout;
  Result<PgSettings> parsed = parse_settings(options);
  if (!parsed) co_return parsed.error();
  Result<PgSettings> settings = co_await resolve_settings(executor, std::move(*parsed), deadline);
  if (!settings) co_return settings.error();
  Connection connection = start(*settings);
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
  auto impl = std::make_unique<Impl>(executor, std::move(connection), options.statement_timeout);
  co_return std::unique_ptr<PgConnection>(new PgConnection(std::move(impl)));
}

asio::awaitable<Result<PgResult>> PgConnection::execute(std::string sql,
                                                        PgParameters parameters,
                                                        StatementCounter* counter) {
  bool nul = has_nul(sql);
  std::vector<const char*> values;
  for (const auto& parameter : parameters) {
    nul = nul || (parameter && has_nul(*parameter));
    values.push_back(parameter ? parameter->c_str() : nullptr);
  }
  if (nul || values.size() > UINT16_MAX) {
    co_return Status(Code::kInvalidArgument,
                     "could not send a statement: it holds a NUL byte or over 65535 parameters");
  }
  const int sent = PQsendQueryParams(impl_->raw(),
                                     sql.c_str(),
                                     static_cast<int>(values.size()),
                                     nullptr,
                                     values.data(),
                                     nullptr,
                                     nullptr,
                                     0);
  if (sent == 0) {
    impl_->abandon();
    co_return Status(Code::kUnavailable, "could not send a statement to PostgreSQL");
  }
  if (counter != nullptr) ++counter->statements;
  Result<PgResult> result = co_await impl_->finish_statement();
  co_return result;
}

asio::awaitable<Result<PgResult>> PgConnection::execute_script(std::string sql) {
  if (has_nul(sql)) {
    co_return Status(Code::kInvalidArgument, "could not send a script: it holds a NUL byte");
  }
  if (PQsendQuery(impl_->raw(), sql.c_str()) == 0) {
    impl_->abandon();
    co_return Status(Code::kUnavailable, "could not send a script to PostgreSQL");
  }
  Result<PgResult> result = co_await impl_->finish_statement();
  co_return result;
}

bool PgConnection::alive() {
  return impl_->alive();
}
bool PgConnection::reusable() const {
  return impl_->reusable();
}
void PgConnection::abandon() {
  impl_->abandon();
}

}  // namespace edged::db
