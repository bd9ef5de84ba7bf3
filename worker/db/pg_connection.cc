// SPDX-License-Identifier: Apache-2.0
// See pg_connection.h. PostgreSQL 15 documentation, chapter 34, section 4.
#include "worker/db/pg_connection.h"

#include <libpq-fe.h>

#include <algorithm>
#include <boost/asio.hpp>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "worker/db/pg_error.h"
#include "worker/db/pg_socket.h"
#include "worker/db/prepared_statements.h"

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
                "could not send a statement: it has a NUL byte or more than 65535 parameters");
}

// Something the server said: a statement's rows or its error.
struct Answer {
  explicit Answer(PGresult* raw) : result(raw) {}
  PgResult result;
  Status status;
  // A prepared statement of ours fits its tables no longer (feature_not_supported: its columns have
  // changed), is not there (invalid_sql_statement_name: somebody discarded the session's state), or
  // is there unawares (duplicate_prepared_statement: a pooler, where none was expected).
  bool plan_is_stale = false;
};

std::string_view sqlstate_of(const PGresult* result) {
  const char* sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  return sqlstate == nullptr ? std::string_view() : sqlstate;
}

bool says_stale_plan(const PGresult* result) {
  const std::string_view code = sqlstate_of(result);
  return code == "0A000" || code == "26000" || code == "42P05";
}

Status first_failure(const std::vector<Answer>& answers) {
  for (const Answer& answer : answers) {
    if (!answer.status.ok()) return answer.status;
  }
  return {};
}

}  // namespace

class PgConnection::Impl {
 public:
  Impl(std::unique_ptr<PgSocket> socket, const PgConnectOptions& options)
      : socket_(std::move(socket)),
        statement_timeout_(options.statement_timeout),
        session_state_(options.session_state),
        prepares_(options.session_state && options.prepared_statements) {}

  PGconn* raw() const { return socket_->raw(); }
  void abandon() { socket_->abandon(); }
  bool session_state() const { return session_state_; }

  // What a session would be set to, for the transaction that this is sent in.
  PgStatement transaction_settings() const {
    std::string sql = "select set_config('statement_timeout', $1, true)";
    for (const PgSetting& pinned : kPinnedSettings) {
      sql += std::string(", set_config('") + pinned.name + "', '" + pinned.value + "', true)";
    }
    return {std::move(sql), {std::to_string(statement_timeout_.count())}};
  }

  // The same before a script, which is one transaction too.
  std::string transaction_settings_script() const {
    return "select set_config('statement_timeout', '" + std::to_string(statement_timeout_.count()) +
           "', true); ";
  }

  // Hands statements that were checked to libpq, as a pipeline if there is more than one message.
  // kUnavailable: the connection is lost.
  Status send(const std::vector<PgStatement>& statements) {
    sendings_.clear();
    sent_ = statements.size();
    in_pipeline_ = statements.size() > 1;
    for (const PgStatement& statement : statements) {
      sendings_.push_back(prepares_ ? prepared_.next_use(statement.sql) : Sending{});
      in_pipeline_ = in_pipeline_ || sendings_.back().how == How::kPrepareAndUse;
    }
    bool sent = !in_pipeline_ || PQenterPipelineMode(raw()) == 1;
    for (std::size_t i = 0; i < statements.size(); ++i) {
      sent = sent && send_one(statements[i], sendings_[i]);
    }
    if (in_pipeline_) sent = sent && PQpipelineSync(raw()) == 1;
    return sent ? Status() : not_sent();
  }

  Status send_script(const std::string& sql) {
    in_pipeline_ = false;
    sent_ = 1;
    return PQsendQuery(raw(), sql.c_str()) == 1 ? Status() : not_sent();
  }

  // Sends what libpq holds, then reads to the end of the answer, failures included.
  asio::awaitable<Result<std::vector<Answer>>> read_answers() {
    const SteadyTime deadline = answer_deadline();
    in_statement_ = true;
    Status flushed = co_await socket_->flush(deadline);
    if (!flushed.ok()) co_return socket_->give_up(std::move(flushed));
    std::vector<Answer> answers;
    for (bool between = false;;) {
      Status readable = co_await wait_for_result(deadline);
      if (!readable.ok()) co_return socket_->give_up(std::move(readable));
      PGresult* result = PQgetResult(raw());
      if (result == nullptr) {
        if (!in_pipeline_) break;
        // Ends a statement's answer. Twice, or on a lost connection, nothing more will come.
        if (between || socket_->broken()) co_return give_up(answers);
        between = true;
        continue;
      }
      between = false;
      Answer answer(result);
      const ExecStatusType kind = PQresultStatus(result);
      if (kind == PGRES_PIPELINE_SYNC) break;
      answer.status =
          kind == PGRES_PIPELINE_ABORTED
              ? Status(Code::kConflict,
                       "not executed, because an earlier statement of the transaction failed")
              : status_of(result);
      if (answer.status.code() == Code::kUnsupported) co_return socket_->give_up(answer.status);
      answer.plan_is_stale = says_stale_plan(result);
      read_only_ = read_only_ || sqlstate_of(result) == "25006";  // read_only_sql_transaction
      answers.push_back(std::move(answer));
    }
    if (in_pipeline_ && PQexitPipelineMode(raw()) == 0) co_return give_up(answers);
    if (answers.empty()) co_return socket_->give_up(socket_->lost());
    in_statement_ = false;
    co_return answers;
  }

  // The answers to what send() was given: a result for each statement, or the first error.
  Result<std::vector<PgResult>> sort_answers(const std::vector<PgStatement>& statements,
                                             std::vector<Answer> answers) {
    const Status failure = first_failure(answers);
    std::vector<PgResult> results;
    auto answer = answers.begin();
    for (std::size_t i = 0; i < statements.size() && answer != answers.end(); ++i) {
      const How how = sendings_[i].how;
      if (how == How::kPrepareAndUse) {
        prepared_.settle(statements[i].sql, answer->status.ok());
        plans_are_stale_ = plans_are_stale_ || answer->plan_is_stale;
        if (++answer == answers.end()) break;
      }
      if (how != How::kPlain && answer->plan_is_stale) plans_are_stale_ = true;
      results.push_back(std::move(answer->result));
      ++answer;
    }
    // After a failure there may be more: the server's farewell, then the loss of the connection.
    if (!failure.ok()) return failure;
    if (results.size() == statements.size() && answer == answers.end()) return results;
    abandon();
    return Status(Code::kInternal, "PostgreSQL answered more or fewer statements than were sent");
  }

  // True if the last failure was for want of a plan that fits: nothing was executed, and it may be
  // sent again once forget_plans() is done.
  bool plans_are_stale() const { return plans_are_stale_; }

  asio::awaitable<Status> forget_plans() {
    plans_are_stale_ = false;
    prepared_.clear();
    const Status sent = send_script("deallocate all");
    if (!sent.ok()) co_return sent;
    const Result<std::vector<Answer>> answers = co_await read_answers();
    co_return answers ? first_failure(*answers) : answers.error();
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
    return !in_statement_ && !retired_ && !socket_->broken() &&
           PQtransactionStatus(raw()) == PQTRANS_IDLE;
  }

  asio::awaitable<Result<bool>> wait_for_notification(SteadyTime deadline) {
    for (;;) {
      bool found = false;
      while (PGnotify* notification = PQnotifies(raw())) {
        PQfreemem(notification);
        found = true;
      }
      if (found) co_return true;
      const Status readable = co_await socket_->wait_readable(deadline);
      if (socket_->broken()) co_return socket_->lost();
      if (!readable.ok()) co_return false;
      if (PQconsumeInput(raw()) == 0) co_return socket_->give_up(socket_->lost());
    }
  }

  bool read_only() const { return read_only_; }
  void retire() { retired_ = true; }

 private:
  using How = PreparedStatements::How;
  using Sending = PreparedStatements::Sending;

  bool send_one(const PgStatement& statement, const Sending& sending) {
    std::vector<const char*> values;
    for (const auto& parameter : statement.parameters) {
      values.push_back(parameter ? parameter->c_str() : nullptr);
    }
    const char* sql = statement.sql.c_str();
    const char* name = sending.name.c_str();
    const int count = static_cast<int>(values.size());
    if (sending.how == How::kPlain) {
      return PQsendQueryParams(raw(), sql, count, nullptr, values.data(), nullptr, nullptr, 0) == 1;
    }
    if (sending.how == How::kPrepareAndUse && PQsendPrepare(raw(), name, sql, 0, nullptr) == 0) {
      return false;
    }
    return PQsendQueryPrepared(raw(), name, count, values.data(), nullptr, nullptr, 0) == 1;
  }

  Status give_up(const std::vector<Answer>& answers) {
    const Status failure = first_failure(answers);
    return socket_->give_up(failure.ok() ? socket_->lost() : failure);
  }

  Status not_sent() {
    abandon();
    return Status(Code::kUnavailable,
                  "could not send a statement to PostgreSQL: the connection is lost");
  }

  // The server times each statement of a pipeline by itself.
  SteadyTime answer_deadline() const {
    if (statement_timeout_.count() == 0) return SteadyTime::max();
    const auto statements = static_cast<int>(std::max<std::size_t>(sent_, 1));
    return std::chrono::steady_clock::now() + statements * statement_timeout_ + kAnswerGrace;
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
  bool prepares_;
  PreparedStatements prepared_;
  std::vector<Sending> sendings_;  // of what was sent last
  std::size_t sent_ = 0;           // statements of it
  bool in_pipeline_ = false;
  bool in_statement_ = false;
  bool plans_are_stale_ = false;
  bool read_only_ = false;
  bool retired_ = false;
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
  std::vector<PgStatement> one;
  one.push_back({std::move(sql), std::move(parameters)});
  Result<std::vector<PgResult>> results = co_await execute_pipeline(std::move(one), counter);
  if (!results) co_return results.error();
  co_return std::move(results->front());
}

asio::awaitable<Result<std::vector<PgResult>>> PgConnection::execute_pipeline(
    std::vector<PgStatement> statements, StatementCounter* counter) {
  for (const PgStatement& statement : statements) {
    const Status sendable = check_sendable(statement);
    if (!sendable.ok()) co_return sendable;
  }
  const bool with_settings = !impl_->session_state();
  if (with_settings) statements.insert(statements.begin(), impl_->transaction_settings());
  for (bool repeated = false;; repeated = true) {
    const Status sent = impl_->send(statements);
    if (!sent.ok()) co_return sent;
    if (counter != nullptr) counter->statements += statements.size();
    Result<std::vector<Answer>> answers = co_await impl_->read_answers();
    if (!answers) co_return answers.error();
    Result<std::vector<PgResult>> results = impl_->sort_answers(statements, std::move(*answers));
    if (results && with_settings) results->erase(results->begin());
    if (results || repeated || !impl_->plans_are_stale()) co_return results;
    const Status forgotten = co_await impl_->forget_plans();
    if (!forgotten.ok()) co_return forgotten;
  }
}

asio::awaitable<Result<PgResult>> PgConnection::execute_script(std::string sql) {
  if (has_nul(sql)) {
    co_return Status(Code::kInvalidArgument, "could not send a script: it has a NUL byte");
  }
  if (!impl_->session_state()) sql = impl_->transaction_settings_script() + sql;
  const Status sent = impl_->send_script(sql);
  if (!sent.ok()) co_return sent;
  Result<std::vector<Answer>> answers = co_await impl_->read_answers();
  if (!answers) co_return answers.error();
  const Status failure = first_failure(*answers);
  if (!failure.ok()) co_return failure;
  co_return std::move(answers->back().result);
}

asio::awaitable<Result<bool>> PgConnection::wait_for_notification(
    std::chrono::milliseconds patience) {
  return impl_->wait_for_notification(std::chrono::steady_clock::now() + patience);
}

bool PgConnection::alive() {
  return impl_->alive();
}
bool PgConnection::reusable() const {
  return impl_->reusable();
}
bool PgConnection::read_only() const {
  return impl_->read_only();
}
int PgConnection::backend_pid() const {
  return PQbackendPID(impl_->raw());
}
void PgConnection::retire() {
  impl_->retire();
}
void PgConnection::abandon() {
  impl_->abandon();
}

}  // namespace edged::db
