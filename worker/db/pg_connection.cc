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

Status check_sendable(const PgStatement& statement) {
  bool nul = has_nul(statement.sql);
  for (const auto& parameter : statement.parameters)
    nul = nul || (parameter && has_nul(*parameter));
  if (!nul && statement.parameters.size() <= UINT16_MAX) return {};
  return Status(Code::kInvalidArgument,
                "could not send a statement: it holds a NUL byte or over 65535 parameters");
}

}  // namespace

class PgConnection::Impl {
 public:
  Impl(std::unique_ptr<PgSocket> socket, const PgConnectOptions& options)
      : socket_(std::move(socket)),
        statement_timeout_(options.statement_timeout),
        session_state_(options.session_state) {}

  PGconn* raw() const { return socket_->raw(); }
  void abandon() { socket_->abandon(); }
  bool session_state() const { return session_state_; }

  // Hands one statement that was checked to libpq. kUnavailable: the connection is lost.
  Status send(const PgStatement& statement) {
    std::vector<const char*> values;
    for (const auto& parameter : statement.parameters) {
      values.push_back(parameter ? parameter->c_str() : nullptr);
    }
    const int sent = PQsendQueryParams(raw(),
                                       statement.sql.c_str(),
                                       static_cast<int>(values.size()),
                                       nullptr,
                                       values.data(),
                                       nullptr,
                                       nullptr,
                                       0);
    return sent == 1 ? Status() : not_sent();
  }

  // What a session would be set to, for the transaction that this is sent in.
  PgStatement transaction_settings() const {
    return {
        "select set_config('statement_timeout', $1, true), set_config('timezone', 'UTC', true), "
        "set_config('datestyle', 'ISO', true), set_config('intervalstyle', 'postgres', true)",
        {std::to_string(statement_timeout_.count())}};
  }

  // The same before a script, which is one transaction too.
  std::string transaction_settings_script() const {
    return "select set_config('statement_timeout', '" + std::to_string(statement_timeout_.count()) +
           "', true); ";
  }

  // Hands the statements to libpq as one pipeline, which finish_pipeline() ends.
  Status send_pipeline(const std::vector<PgStatement>& statements) {
    if (PQenterPipelineMode(raw()) == 0) return not_sent();
    for (const PgStatement& statement : statements) {
      const Status sent = send(statement);
      if (!sent.ok()) return sent;
    }
    return PQpipelineSync(raw()) == 1 ? Status() : not_sent();
  }

  // Sends what libpq holds, then reads to the end of the answer. One error makes the whole an
  // error.
  asio::awaitable<Result<PgResult>> finish_statement() {
    const SteadyTime deadline = answer_deadline();
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

  // The same for a pipeline: a result for each statement, up to the sync.
  asio::awaitable<Result<std::vector<PgResult>>> finish_pipeline() {
    const SteadyTime deadline = answer_deadline();
    in_statement_ = true;
    Status flushed = co_await socket_->flush(deadline);
    if (!flushed.ok()) co_return socket_->give_up(std::move(flushed));
    std::vector<PgResult> results;
    Status failure;
    for (bool between = false;;) {
      Status readable = co_await wait_for_result(deadline);
      if (!readable.ok()) co_return socket_->give_up(std::move(readable));
      PGresult* result = PQgetResult(raw());
      if (result == nullptr) {
        // Ends a statement's answer. Twice, or on a lost connection, nothing more will come.
        if (between || socket_->broken()) {
          co_return socket_->give_up(failure.ok() ? socket_->lost() : failure);
        }
        between = true;
        continue;
      }
      between = false;
      PgResult owned(result);
      const ExecStatusType kind = PQresultStatus(result);
      if (kind == PGRES_PIPELINE_SYNC) break;
      if (kind == PGRES_PIPELINE_ABORTED) continue;  // after the failure that is known already
      Status status = status_of(result);
      if (status.code() == Code::kUnsupported) co_return socket_->give_up(std::move(status));
      if (!status.ok() && failure.ok()) failure = std::move(status);
      results.push_back(std::move(owned));
    }
    if (PQexitPipelineMode(raw()) == 0) co_return socket_->give_up(socket_->lost());
    in_statement_ = false;
    if (!failure.ok()) co_return failure;
    co_return results;
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
  Status not_sent() {
    abandon();
    return Status(Code::kUnavailable, "could not send a statement to PostgreSQL");
  }

  SteadyTime answer_deadline() const {
    if (statement_timeout_.count() == 0) return SteadyTime::max();
    return std::chrono::steady_clock::now() + statement_timeout_ + kAnswerGrace;
  }

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
  bool session_state_;
  bool in_statement_ = false;
};

PgConnection::PgConnection(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PgConnection::~PgConnection() = default;

asio::awaitable<Result<std::unique_ptr<PgConnection>>> PgConnection::connect(
    asio::any_io_executor executor, PgConnectOptions options) {
  auto socket = co_await PgSocket::connect(executor, options);
  if (!socket) co_return socket.error();
  auto impl = std::make_unique<Impl>(std::move(*socket), options);
  co_return std::unique_ptr<PgConnection>(new PgConnection(std::move(impl)));
}

asio::awaitable<Result<PgResult>> PgConnection::execute(std::string sql,
                                                        PgParameters parameters,
                                                        StatementCounter* counter) {
  PgStatement statement{std::move(sql), std::move(parameters)};
  if (!impl_->session_state()) {
    std::vector<PgStatement> one;
    one.push_back(std::move(statement));
    Result<std::vector<PgResult>> results = co_await execute_pipeline(std::move(one), counter);
    if (!results) co_return results.error();
    co_return std::move(results->front());
  }
  Status sent = check_sendable(statement);
  if (sent.ok()) sent = impl_->send(statement);
  if (!sent.ok()) co_return sent;
  if (counter != nullptr) ++counter->statements;
  Result<PgResult> result = co_await impl_->finish_statement();
  co_return result;
}

asio::awaitable<Result<std::vector<PgResult>>> PgConnection::execute_pipeline(
    std::vector<PgStatement> statements, StatementCounter* counter) {
  for (const PgStatement& statement : statements) {
    const Status sendable = check_sendable(statement);
    if (!sendable.ok()) co_return sendable;
  }
  const bool with_settings = !impl_->session_state();
  if (with_settings) statements.insert(statements.begin(), impl_->transaction_settings());
  const Status sent = impl_->send_pipeline(statements);
  if (!sent.ok()) co_return sent;
  if (counter != nullptr) counter->statements += statements.size();
  Result<std::vector<PgResult>> results = co_await impl_->finish_pipeline();
  if (results && results->size() != statements.size()) {
    impl_->abandon();
    co_return Status(Code::kInternal, "PostgreSQL answered another number of statements");
  }
  if (results && with_settings) results->erase(results->begin());
  co_return results;
}

asio::awaitable<Result<PgResult>> PgConnection::execute_script(std::string sql) {
  if (has_nul(sql)) {
    co_return Status(Code::kInvalidArgument, "could not send a script: it holds a NUL byte");
  }
  if (!impl_->session_state()) sql = impl_->transaction_settings_script() + sql;
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
