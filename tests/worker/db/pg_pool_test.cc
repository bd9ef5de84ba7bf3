// SPDX-License-Identifier: Apache-2.0
// The pool against a throwaway PostgreSQL that is killed, restarted and made to refuse.
#include "worker/db/pg_pool.h"

#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <chrono>
#include <vector>

#include "tests/support/pg_pool_fixture.h"
#include "worker/db/pg_target.h"

namespace edged::db {
namespace {

namespace asio = boost::asio;
using test::PostgresCluster;
using test::run_awaitable;
using namespace std::chrono_literals;

class PgPoolTest : public test::PgPoolFixture {
 protected:
  std::string metric(const std::string& line_start) {
    const std::string page = metrics_.render();
    const std::size_t at = page.find("\n" + line_start + " ");
    if (at == std::string::npos) return "absent";
    const std::size_t begin = at + line_start.size() + 2;
    return page.substr(begin, page.find('\n', begin) - begin);
  }
};

TEST_F(PgPoolTest, PassesParametersAndNulls) {
  PgPool pool(io_.get_executor(), options(4), metrics_);
  Result<PgResult> result =
      run(pool,
          "select $1::text as a, $2::int as b, $3::bytea, ''::text as empty, now() is not null",
          {"Grüße, 世界 '; drop table x", std::nullopt, "\\x00ff"});
  ASSERT_TRUE(result) << result.error().to_string();
  EXPECT_EQ(result->rows(), 1);
  EXPECT_EQ(result->columns(), 5);
  EXPECT_EQ(result->text(0, result->column("a")), "Grüße, 世界 '; drop table x");
  EXPECT_TRUE(result->is_null(0, 1));
  EXPECT_EQ(result->optional_text(0, 1), std::nullopt);
  EXPECT_EQ(result->text(0, 2), "\\x00ff");
  EXPECT_FALSE(result->is_null(0, result->column("empty")));
  EXPECT_EQ(result->optional_text(0, 3), "");
  EXPECT_EQ(result->text(0, 4), "t");
  EXPECT_EQ(result->column("nowhere"), -1);
  EXPECT_TRUE(result->is_null(7, 0));
}

TEST_F(PgPoolTest, CountsAffectedRowsAndStatements) {
  PgPool pool(io_.get_executor(), options(4), metrics_);
  StatementCounter counter;
  Result<PgResult> created =
      run_awaitable(io_, pool.execute("create table t (n int)", {}, &counter));
  ASSERT_TRUE(created) << created.error().to_string();
  Result<PgResult> inserted =
      run_awaitable(io_, pool.execute("insert into t select generate_series(1, 42)", {}, &counter));
  ASSERT_TRUE(inserted);
  EXPECT_EQ(inserted->affected_rows(), 42);
  EXPECT_EQ(counter.statements, 2U);
  EXPECT_EQ(metric("edged_pg_statements_total"), "2");
  EXPECT_EQ(metric("edged_pg_connections"), "1");
}

TEST_F(PgPoolTest, SpeaksUtcAndIso) {
  cluster_.query("postgres", "alter database " + database_ + " set timezone = 'America/Phoenix'");
  PgPool pool(io_.get_executor(), options(4), metrics_);
  EXPECT_EQ(value(pool, "select '2026-11-24T14:33:35.5Z'::timestamptz"),
            "2026-11-24 14:33:35.5+00");
}

// A value as text, of types whose output depends on the session's settings.
constexpr const char* kPrinted =
    "select concat_ws(' ', 0.1::float8 + 0.2, 0.1::float4, '\\xff'::bytea, '1 day 2 "
    "hours'::interval,"
    " '2026-11-24T14:33:35.5Z'::timestamptz, quote_ident('plain'), 'a\\b',"
    " current_setting('transaction_isolation'), current_setting('client_encoding'))";
constexpr const char* kExpectedPrint =
    "0.30000000000000004 0.1 \\xff 1 day 02:00:00 2026-11-24 14:33:35.5+00 plain a\\b"
    " read committed UTF8";
constexpr const char* kHostileSettings[][2] = {{"timezone", "America/Phoenix"},
                                               {"datestyle", "German"},
                                               {"intervalstyle", "iso_8601"},
                                               {"extra_float_digits", "0"},
                                               {"bytea_output", "escape"},
                                               {"quote_all_identifiers", "on"},
                                               {"standard_conforming_strings", "off"},
                                               {"default_transaction_isolation", "serializable"}};

TEST_F(PgPoolTest, PrintsTheSameWhateverRoleAndDatabaseAreSetTo) {
  for (const auto& [name, setting] : kHostileSettings) {
    cluster_.query("postgres",
                   "alter database " + database_ + " set " + name + " = '" + setting + "'");
  }
  PgPool pool(io_.get_executor(), options(4), metrics_);
  EXPECT_EQ(value(pool, kPrinted), kExpectedPrint);
}

TEST_F(PgPoolTest, PrintsTheSameWhateverTheUrlAndTheEnvironmentAsk) {
  PgPoolOptions target = options(4);
  target.url = cluster_.tcp_url(database_) + "?client_encoding=LATIN1&options=";
  for (const auto& [name, setting] : kHostileSettings) {
    target.url += std::string("-c%20") + name + "%3D" + setting + "%20";
  }
  setenv("PGTZ", "America/Phoenix", 1);
  setenv("PGDATESTYLE", "German", 1);
  ignore_session_environment();
  PgPool pool(io_.get_executor(), target, metrics_);
  EXPECT_EQ(value(pool, kPrinted), kExpectedPrint);
}

TEST_F(PgPoolTest, SendsAndReceivesManyMegabytes) {
  PgPool pool(io_.get_executor(), options(4), metrics_);
  const std::string big(24 << 20, 'x');
  Result<PgResult> echoed = run(pool, "select $1::text, n from generate_series(1, 2) n", {big});
  ASSERT_TRUE(echoed) << echoed.error().to_string();
  EXPECT_TRUE(echoed->text(1, 0) == big);
  Result<PgResult> rows = run(pool, "select n, repeat('y', 100) from generate_series(1, 100000) n");
  ASSERT_TRUE(rows);
  EXPECT_EQ(rows->rows(), 100000);
  EXPECT_EQ(rows->text(99999, 0), "100000");
}

TEST_F(PgPoolTest, ReportsARejectedStatementAndStaysUsable) {
  PgPool pool(io_.get_executor(), options(1), metrics_);
  const Result<PgResult> wrong = run(pool, "select * from no_such_table");
  EXPECT_EQ(wrong.code(), Code::kInvalidArgument);
  EXPECT_NE(wrong.error().message().find("SQLSTATE 42P01"), std::string::npos);
  EXPECT_EQ(run(pool, "selekt").code(), Code::kInvalidArgument);
  EXPECT_EQ(run(pool, "select 1; select 2").code(), Code::kInvalidArgument);
  EXPECT_EQ(run(pool, std::string("select '\0'", 10)).code(), Code::kInvalidArgument);
  EXPECT_EQ(run(pool, "select $1::text", {std::string("a\0b", 3)}).code(), Code::kInvalidArgument);
  EXPECT_EQ(value(pool, "select 7"), "7");
  EXPECT_TRUE(pool.healthy());
  EXPECT_EQ(metric("edged_pg_connections"), "1");
  EXPECT_EQ(metric("edged_pg_errors_total{class=\"invalid_argument\"}"), "5");
}

TEST_F(PgPoolTest, RefusesCopyAndOpenTransactions) {
  PgPool pool(io_.get_executor(), options(1), metrics_);
  EXPECT_EQ(run(pool, "copy (select 1) to stdout").code(), Code::kUnsupported);
  EXPECT_EQ(run(pool, "copy pg_class from stdin").code(), Code::kUnsupported);
  ASSERT_TRUE(run(pool, "begin"));
  EXPECT_EQ(value(pool, "select pg_current_xact_id_if_assigned() is null"), "t");
  EXPECT_EQ(value(pool, "select count(*) from pg_stat_activity where state like 'idle in%'"), "0");
}

TEST_F(PgPoolTest, ScriptIsOneTransaction) {
  PgPool pool(io_.get_executor(), options(4), metrics_);
  ASSERT_TRUE(
      run_awaitable(io_, pool.execute_script("create table a (n int); insert into a values (1)"))
          .ok());
  const Status failed =
      run_awaitable(io_, pool.execute_script("insert into a values (2); select 1/0"));
  EXPECT_EQ(failed.code(), Code::kInvalidArgument);
  EXPECT_NE(failed.message().find("22012"), std::string::npos);
  EXPECT_EQ(value(pool, "select count(*) from a"), "1");
}

TEST_F(PgPoolTest, ServerEndsAStatementAtItsTimeout) {
  PgPoolOptions slow = options(1);
  slow.statement_timeout = 1s;
  PgPool pool(io_.get_executor(), slow, metrics_);
  EXPECT_EQ(run(pool, "select pg_sleep(100)").code(), Code::kDeadlineExceeded);
  EXPECT_EQ(value(pool, "select 1"), "1");
}

TEST_F(PgPoolTest, GivesUpOnAServerThatDoesNotAnswer) {
  PgPoolOptions slow = options(1);
  slow.statement_timeout = 1s;
  PgPool pool(io_.get_executor(), slow, metrics_);
  const auto begin = std::chrono::steady_clock::now();
  // The session's own timeout is switched off, so only the client's deadline is left.
  ASSERT_TRUE(run(pool, "set statement_timeout = 0"));
  EXPECT_EQ(run(pool, "select pg_sleep(100)").code(), Code::kUnknownOutcome);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 60s);
  EXPECT_EQ(value(pool, "select 1"), "1");
}

TEST_F(PgPoolTest, KilledBackendIsAnUnknownOutcome) {
  PgPool pool(io_.get_executor(), options(2), metrics_);
  // The victim's row appears in pg_stat_activity before the other statement looks for it.
  std::optional<Result<PgResult>> victim;
  auto collect = [](asio::awaitable<Result<PgResult>> work,
                    std::optional<Result<PgResult>>* out) -> asio::awaitable<void> {
    Result<PgResult> result = co_await std::move(work);
    out->emplace(std::move(result));
  };
  asio::co_spawn(
      io_, collect(pool.execute("select pg_sleep(30) /* victim */", {}), &victim), asio::detached);
  std::string killed = "0";
  const auto end = std::chrono::steady_clock::now() + 60s;
  while (killed == "0" && std::chrono::steady_clock::now() < end) {
    killed = value(pool,
                   "select count(pg_terminate_backend(pid)) from pg_stat_activity "
                   "where query like '%/* victim */' and pid <> pg_backend_pid()");
  }
  EXPECT_EQ(killed, "1");
  io_.restart();
  while (!victim && io_.run_one() > 0) {
  }
  EXPECT_EQ(victim->code(), Code::kUnknownOutcome);
  EXPECT_EQ(value(pool, "select 1"), "1");
}

TEST_F(PgPoolTest, IdleDeathCostsNoError) {
  PgPool pool(io_.get_executor(), options(1), metrics_);
  const std::string first = value(pool, "select pg_backend_pid()");
  cluster_.terminate_backends(database_);
  StatementCounter counter;
  Result<PgResult> second =
      run_awaitable(io_, pool.execute("select pg_backend_pid()", {}, &counter));
  ASSERT_TRUE(second) << second.error().to_string();
  EXPECT_NE(second->text(0, 0), first);
  EXPECT_EQ(counter.statements, 1U);
  EXPECT_EQ(metric("edged_pg_connections"), "1");
}

TEST_F(PgPoolTest, ServerRestartBetweenStatementsCostsNoError) {
  for (const bool crash : {false, true}) {
    PgPool pool(io_.get_executor(), options(1), metrics_);
    ASSERT_EQ(value(pool, "select 1"), "1");
    if (crash) {
      cluster_.stop_immediately();
    } else {
      cluster_.stop();
    }
    cluster_.start();
    EXPECT_EQ(value(pool, "select 2"), "2") << "crash: " << crash;
  }
}

TEST_F(PgPoolTest, FailsAtOnceWhileTheServerIsAwayAndRecoversByItself) {
  PgPool pool(io_.get_executor(), options(2), metrics_);
  ASSERT_EQ(value(pool, "select 1"), "1");
  cluster_.stop();
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 20; ++i) {
    StatementCounter counter;
    const Result<PgResult> result = run_awaitable(io_, pool.execute("select 1", {}, &counter));
    EXPECT_EQ(result.code(), Code::kUnavailable);
    EXPECT_EQ(counter.statements, 0U);
    EXPECT_FALSE(pool.healthy());
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 60s);
  cluster_.start();
  const auto started = std::chrono::steady_clock::now();
  Result<PgResult> result = run(pool, "select 1");
  while (!result && std::chrono::steady_clock::now() - started < 60s) {
    asio::steady_timer pause(io_, 20ms);
    io_.restart();
    pause.async_wait([](boost::system::error_code) {});
    io_.run_one();
    result = run(pool, "select 1");
  }
  EXPECT_TRUE(result);
  EXPECT_TRUE(pool.healthy());
}

TEST_F(PgPoolTest, SilentServerMeetsTheConnectTimeout) {
  asio::ip::tcp::acceptor silent(io_, {asio::ip::address_v4::loopback(), 0});
  PgPoolOptions target = options(1);
  target.url = "postgresql://u@127.0.0.1:" + std::to_string(silent.local_endpoint().port()) + "/x";
  target.connect_timeout = 200ms;
  PgPool pool(io_.get_executor(), target, metrics_);
  const auto begin = std::chrono::steady_clock::now();
  const Result<PgResult> result = run(pool, "select 1");
  EXPECT_EQ(result.code(), Code::kUnavailable);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 60s);
}

TEST_F(PgPoolTest, RefusedConnectionIsUnavailableAndNamesNoPassword) {
  PgPoolOptions target = options(1);
  target.url = "postgresql://u:topsecret@127.0.0.1:1/x";
  PgPool pool(io_.get_executor(), target, metrics_);
  const Result<PgResult> result = run(pool, "select 1");
  EXPECT_EQ(result.code(), Code::kUnavailable);
  EXPECT_EQ(result.error().message().find("topsecret"), std::string::npos);
}

TEST_F(PgPoolTest, WrongPasswordIsDenied) {
  PgPoolOptions target = options(1);
  target.url = cluster_.tcp_url(database_, "postgres", "not-the-password");
  PgPool wrong(io_.get_executor(), target, metrics_);
  const Result<PgResult> result = run(wrong, "select 1");
  EXPECT_EQ(result.code(), Code::kDenied);
  EXPECT_NE(result.error().message().find("password authentication failed"), std::string::npos);
  EXPECT_EQ(result.error().message().find("not-the-password"), std::string::npos);

  target.url = cluster_.tcp_url(database_);
  PgPool right(io_.get_executor(), target, metrics_);
  EXPECT_EQ(value(right, "select 1"), "1");
}

TEST_F(PgPoolTest, ResolvesAHostName) {
  PgPoolOptions target = options(1);
  target.url = "postgresql://postgres:" + std::string(PostgresCluster::kPassword) +
               "@localhost:" + std::to_string(cluster_.port()) + "/" + database_;
  PgPool pool(io_.get_executor(), target, metrics_);
  EXPECT_EQ(value(pool, "select 1"), "1");
  target.url = "postgresql://u@does-not-exist.invalid/x";
  PgPool lost(io_.get_executor(), target, metrics_);
  const Result<PgResult> result = run(lost, "select 1");
  EXPECT_EQ(result.code(), Code::kUnavailable);
  EXPECT_NE(result.error().message().find("does-not-exist.invalid"), std::string::npos);
}

TEST_F(PgPoolTest, StatementsShareABoundedNumberOfConnections) {
  PgPool pool(io_.get_executor(), options(2), metrics_);
  int finished = 0;
  auto statement = [](PgPool* target, int* count) -> asio::awaitable<void> {
    Result<PgResult> result = co_await target->execute("select pg_sleep(0.01)", {});
    if (result) ++*count;
  };
  for (int i = 0; i < 50; ++i) asio::co_spawn(io_, statement(&pool, &finished), asio::detached);
  io_.restart();
  io_.run();
  EXPECT_EQ(finished, 50);
  EXPECT_EQ(
      cluster_.value("postgres",
                     "select count(*) from pg_stat_activity where datname = '" + database_ + "'"),
      "2");
}

TEST_F(PgPoolTest, WaitingForAConnectionIsBounded) {
  PgPoolOptions one = options(1);
  one.statement_timeout = 300ms;
  PgPool pool(io_.get_executor(), one, metrics_);
  ASSERT_TRUE(run(pool, "set statement_timeout = 0"));
  std::vector<Code> codes;
  auto statement =
      [](PgPool* target, std::string sql, std::vector<Code>* out) -> asio::awaitable<void> {
    Result<PgResult> result = co_await target->execute(std::move(sql), {});
    out->push_back(result.code());
  };
  asio::co_spawn(io_, statement(&pool, "select pg_sleep(1)", &codes), asio::detached);
  asio::co_spawn(io_, statement(&pool, "select 1", &codes), asio::detached);
  io_.restart();
  io_.run();
  EXPECT_EQ(codes, (std::vector<Code>{Code::kUnavailable, Code::kOk}));
}

// As when a program ends: the frame of a statement goes with the io_context, after all it counted
// in.
TEST_F(PgPoolTest, AStatementUnderWayMayOutliveTheMetrics) {
  auto context = std::make_unique<asio::io_context>();
  auto registry = std::make_unique<MetricsRegistry>();
  auto pool = std::make_unique<PgPool>(context->get_executor(), options(1), *registry);
  auto statement = [](PgPool* target) -> asio::awaitable<void> {
    (void)co_await target->execute("select pg_sleep(30)", {});
  };
  asio::co_spawn(*context, statement(pool.get()), asio::detached);
  asio::co_spawn(*context, statement(pool.get()), asio::detached);
  while (
      cluster_.value("postgres",
                     "select count(*) from pg_stat_activity where query like '%pg_sleep(30)' and "
                     "datname = '" +
                         database_ + "'") == "0") {
    context->poll();
  }
  pool.reset();
  registry.reset();
  context.reset();
}

TEST_F(PgPoolTest, DestructionEndsStatementsUnderWay) {
  auto pool = std::make_unique<PgPool>(io_.get_executor(), options(1), metrics_);
  ASSERT_EQ(value(*pool, "select 1"), "1");
  std::vector<Code> codes;
  auto statement = [](PgPool* target, std::vector<Code>* out) -> asio::awaitable<void> {
    Result<PgResult> result = co_await target->execute("select pg_sleep(30)", {});
    out->push_back(result.code());
  };
  asio::co_spawn(io_, statement(pool.get(), &codes), asio::detached);
  asio::co_spawn(io_, statement(pool.get(), &codes), asio::detached);
  io_.restart();
  io_.poll();
  pool.reset();
  io_.restart();
  io_.run();
  EXPECT_EQ(codes.size(), 2U);
  for (const Code code : codes)
    EXPECT_TRUE(code == Code::kUnknownOutcome || code == Code::kUnavailable);
  EXPECT_EQ(metric("edged_pg_connections"), "0");
}

}  // namespace
}  // namespace edged::db
