// SPDX-License-Identifier: Apache-2.0
// See mirror_sql.h.
#include "tests/soak/mirror_sql.h"

#include <libpq-fe.h>

#include <chrono>
#include <string_view>
#include <thread>

namespace edged::soak {
namespace {

constexpr std::chrono::milliseconds kPause{50};

}  // namespace

std::string MirrorSql::Answer::value() const {
  return rows.empty() || rows[0].empty() ? std::string() : rows[0][0].value_or("");
}

void MirrorSql::Finish::operator()(pg_conn* connection) const {
  PQfinish(connection);
}

MirrorSql::Answer MirrorSql::run(const std::string& sql) {
  Answer answer;
  if (!connection_) connection_.reset(PQconnectdb(url_.c_str()));
  if (PQstatus(connection_.get()) != CONNECTION_OK) {
    answer.error = PQerrorMessage(connection_.get());
    connection_.reset();
    return answer;
  }
  PQsetNoticeProcessor(
      connection_.get(), [](void*, const char*) {}, nullptr);
  const std::unique_ptr<PGresult, decltype(&PQclear)> result(PQexec(connection_.get(), sql.c_str()),
                                                             PQclear);
  const ExecStatusType status = PQresultStatus(result.get());
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
    answer.error = PQerrorMessage(connection_.get());
    const char* code = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE);
    // 57P: the server goes down.
    const bool alive = PQstatus(connection_.get()) == CONNECTION_OK && code != nullptr &&
                       std::string_view(code).substr(0, 3) != "57P";
    answer.outcome = alive ? Outcome::kRefused : Outcome::kBroken;
    if (!alive) connection_.reset();
    return answer;
  }
  answer.outcome = Outcome::kDone;
  answer.rows.resize(static_cast<std::size_t>(PQntuples(result.get())));
  for (int row = 0; row < PQntuples(result.get()); ++row) {
    for (int column = 0; column < PQnfields(result.get()); ++column) {
      std::optional<std::string> field;
      if (PQgetisnull(result.get(), row, column) == 0)
        field = PQgetvalue(result.get(), row, column);
      answer.rows[static_cast<std::size_t>(row)].push_back(std::move(field));
    }
  }
  return answer;
}

MirrorSql::Answer MirrorSql::insist(const std::string& sql) {
  for (;;) {
    Answer answer = run(sql);
    if (answer.outcome != Outcome::kBroken) return answer;
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace edged::soak
