// SPDX-License-Identifier: Apache-2.0
// See pg_connection.h. PostgreSQL 15 documentation, chapter 34, section 4.
#include "worker/db/pg_connection.h"

#include <libpq-fe.h>

#include <boost/asio.hpp>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "worker/db/pg_error.h"
#include "worker/db/pg_socket.h"

namespace edged::db {
namespace {

namespace asio = boost::asio;

// What the client waits beyond the server's own statement_timeout before it gives the connection
// up.
constexpr std::chrono::milliseconds kAnswerGrace{1000};

}  // namespace

class PgConnection::Impl {
 public:
  Impl(std::unique_ptr<PgSocket> socket, std::chrono::milliseconds statement_timeout)
      : socket_(std::move(socket)), statement_timeout_(statement_timeout) {}

  PGconn* raw() const { return socket_->raw(); }
  void abandon() { socket_->abandon(); }

  // Sends what libpq holds, then reads to the end of the answer. One error makes the whole an
  // error.
  asio::awaitable<Result<PgResult>> finish_statement() {
    const bool bounded = statement_timeout_.count() > 0;
    const SteadyTime deadline =
        bounded ? std::chrono::steady_clock::now() + statement_timeout_ + kAnswerGrace
                : SteadyTime::max();
    in_statement_ = true;
    Status flushed = co_await socket_->flush(deadline);
    if (!flushed.ok()) co_return socket_->give_up(std::move(flushed));
    std::optional<PgResult> last;
    Status failure;
    for (;;) {
      Status readable = co_await wait_for_result(deadline);
      if (!readable.ok()) co_return socket_->give_up(std::move(readable));
      PGresult* result = PQgetResult(raw());
      if (result == nullptr) break;
      last.emplace(result);
      Status status = status_of(result);
      if (status.code() == Code::kUnsupported) co_return socket_->give_up(std::move(status));
      if (!status.ok() && failure.ok()) failure = std::move(status);
    }
    in_statement_ = false;
    if (!failure.ok()) co_return failure;
    if (!last) co_return socket_->give_up(socket_->lost());
    co_return std::move(*last);
  }

  bool alive() {
    // What an idle connection receives is a notice, a parameter, or the server's farewell and end
    // of file. A server that keeps talking is not one to send a statement to.
    for (int turn = 0; turn < 8 && !socket_->broken(); ++turn) {
      if (!socket_->readable_now()) return reusable();
      if (PQconsumeInput(raw()) == 0) break;
      PQisBusy(raw());
    }
    return false;
  }

  bool reusable() const {
    return !in_statement_ && !socket_->broken() && PQtransactionStatus(raw()) == PQTRANS_IDLE;
  }

 private:
  // Returns once PQgetResult will not block.
  asio::awaitable<Status> wait_for_result(SteadyTime deadline) {
    while (PQisBusy(raw()) == 1) {
      Status readable = co_await socket_->wait_readable(deadline);
      if (!readable.ok()) co_return readable;
      // On failure libpq holds the error as a result: PQgetResult gives it without waiting.
      if (PQconsumeInput(raw()) == 0) co_return Status();
    }
    co_return Status();
  }

  std::unique_ptr<PgSocket> socket_;
  std::chrono::milliseconds statement_timeout_;
  bool in_statement_ = false;
};

PgConnection::PgConnection(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PgConnection::~PgConnection() = default;

asio::awaitable<Result<std::unique_ptr<PgConnection>>> PgConnection::connect(
    asio::any_io_executor executor, PgConnectOptions options) {
  const std::chrono::milliseconds statement_timeout = options.statement_timeout;
  auto socket = co_await PgSocket::connect(executor, std::move(options));
  if (!socket) co_return socket.error();
  auto impl = std::make_unique<Impl>(std::move(*socket), statement_timeout);
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
