// SPDX-License-Identifier: Apache-2.0
// See mirror_postgres.h.
#include "tools/bench/mirror_postgres.h"

#include <libpq-fe.h>

#include <charconv>
#include <string_view>

namespace edged::bench {
namespace {

struct ClearResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
using PgAnswer = std::unique_ptr<PGresult, ClearResult>;

}  // namespace

void Postgres::Finish::operator()(pg_conn* connection) const {
  PQfinish(connection);
}

Status Postgres::failure(const std::string& what) const {
  std::string why = PQerrorMessage(connection_.get());
  while (!why.empty() && why.back() == '\n') why.pop_back();
  return {Code::kInternal, "could not " + what + ": " + why};
}

Result<std::unique_ptr<Postgres>> Postgres::connect() {
  std::unique_ptr<Postgres> made(new Postgres(PQconnectdb("")));
  if (PQstatus(made->connection_.get()) != CONNECTION_OK) {
    return Status(Code::kUnavailable, made->failure("connect to PostgreSQL").message());
  }
  return made;
}

Status Postgres::prepare(const std::string& name, const std::string& sql) {
  const PgAnswer done(PQprepare(connection_.get(), name.c_str(), sql.c_str(), 0, nullptr));
  return PQresultStatus(done.get()) == PGRES_COMMAND_OK ? Status() : failure("prepare " + name);
}

Result<Postgres::Answer> Postgres::execute(const std::string& name,
                                           const std::vector<std::string>& parameters) {
  std::vector<const char*> texts;
  for (const std::string& parameter : parameters) texts.push_back(parameter.c_str());
  const PgAnswer done(PQexecPrepared(connection_.get(),
                                     name.c_str(),
                                     static_cast<int>(texts.size()),
                                     texts.data(),
                                     nullptr,
                                     nullptr,
                                     0));
  const ExecStatusType status = PQresultStatus(done.get());
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) return failure("execute " + name);
  Answer answer;
  const std::string_view count = PQcmdTuples(done.get());
  std::from_chars(count.data(), count.data() + count.size(), answer.rows);
  for (int i = 0; PQntuples(done.get()) > 0 && i < PQnfields(done.get()); ++i) {
    answer.first.emplace_back(PQgetvalue(done.get(), 0, i));
  }
  return answer;
}

Result<Postgres::Copied> Postgres::copy_out(const std::string& sql) {
  const PgAnswer begun(PQexec(connection_.get(), sql.c_str()));
  if (PQresultStatus(begun.get()) != PGRES_COPY_OUT) return failure("copy");
  Copied copied;
  char* row = nullptr;
  int bytes = 0;
  while ((bytes = PQgetCopyData(connection_.get(), &row, 0)) > 0) {
    ++copied.rows;
    copied.bytes += static_cast<std::uint64_t>(bytes);
    PQfreemem(row);
  }
  if (bytes != -1) return failure("copy");
  const PgAnswer end(PQgetResult(connection_.get()));
  if (PQresultStatus(end.get()) != PGRES_COMMAND_OK) return failure("copy");
  return copied;
}

}  // namespace edged::bench
