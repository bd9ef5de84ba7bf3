// SPDX-License-Identifier: Apache-2.0
// Several statements in one round trip, and connections that keep no session state, against a
// throwaway PostgreSQL. A real pooler stands between in tests/end_to_end/pooler_test.py.
#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <chrono>
#include <string>
#include <vector>

#include "tests/support/pg_pool_fixture.h"
#include "worker/db/pg_pool.h"

namespace edged::db {
namespace {

namespace asio = boost::asio;
using test::run_awaitable;
using namespace std::chrono_literals;

class PgPipelineTest : public test::PgPoolFixture {
 protected:
  PgPoolOptions stateless() const {
    PgPoolOptions stateless = options();
    stateless.session_state = false;
    return stateless;
  }

  Result<std::vector<PgResult>> run_all(PgPool& pool, std::vector<PgStatement> statements) {
    return run_awaitable(io_, pool.execute_pipeline(std::move(statements), &counter_));
  }
};

TEST_F(PgPipelineTest, GivesAResultForEachStatement) {
  for (const PgPoolOptions& one : {options(), stateless()}) {
    PgPool pool(io_.get_executor(), one, metrics_);
    const auto results = run_all(pool,
                                 {{"create temporary table t (n int)", {}},
                                  {"insert into t select generate_series(1, $1::int)", {"42"}},
                                  {"select sum(n), pg_current_xact_id() from t", {}},
                                  {"select pg_current_xact_id()", {}}});
    ASSERT_TRUE(results) << results.error().to_string();
    ASSERT_EQ(results->size(), 4U);
    EXPECT_EQ((*results)[1].affected_rows(), 42);
    EXPECT_EQ((*results)[2].text(0, 0), "903");
    EXPECT_EQ((*results)[2].text(0, 1), (*results)[3].text(0, 0)) << "one transaction";
  }
  EXPECT_EQ(counter_.statements, 4U + 5U);
}

TEST_F(PgPipelineTest, OneErrorUndoesAllAndCostsNoConnection) {
  PgPool pool(io_.get_executor(), options(), metrics_);
  ASSERT_EQ(value(pool, "create table a (n int)"), "");
  const std::string backend = value(pool, "select pg_backend_pid()");
  const auto failed = run_all(
      pool,
      {{"insert into a values (1)", {}}, {"select 1/0", {}}, {"insert into a values (2)", {}}});
  EXPECT_EQ(failed.code(), Code::kInvalidArgument);
  EXPECT_NE(failed.error().message().find("22012"), std::string::npos);
  EXPECT_EQ(value(pool, "select count(*) from a"), "0");
  EXPECT_EQ(value(pool, "select pg_backend_pid()"), backend);
}

TEST_F(PgPipelineTest, RefusesWhatCannotBeSentBeforeAnythingIsSent) {
  PgPool pool(io_.get_executor(), options(), metrics_);
  ASSERT_EQ(value(pool, "create table a (n text)"), "");
  const auto refused = run_all(pool,
                               {{"insert into a values ('1')", {}},
                                {"insert into a values ($1)", {std::string("a\0b", 3)}}});
  EXPECT_EQ(refused.code(), Code::kInvalidArgument);
  EXPECT_EQ(value(pool, "select count(*) from a"), "0");
}

TEST_F(PgPipelineTest, RefusesCopy) {
  PgPool pool(io_.get_executor(), options(), metrics_);
  EXPECT_FALSE(run_all(pool, {{"select 1", {}}, {"copy (select 1) to stdout", {}}}));
  EXPECT_EQ(value(pool, "select 7"), "7");
}

// Both sides have more to send than their buffers hold before either has read.
TEST_F(PgPipelineTest, ManyMegabytesInBothDirectionsDoNotBlock) {
  PgPoolOptions patient = options();
  patient.statement_timeout = 60s;
  PgPool pool(io_.get_executor(), patient, metrics_);
  const std::string big(8 << 20, 'x');
  std::vector<PgStatement> statements;
  for (int i = 0; i < 6; ++i) statements.push_back({"select $1::text", {big}});
  const auto results = run_all(pool, std::move(statements));
  ASSERT_TRUE(results) << results.error().to_string();
  for (const PgResult& result : *results) EXPECT_TRUE(result.text(0, 0) == big);
}

TEST_F(PgPipelineTest, AKilledBackendIsAnUnknownOutcome) {
  PgPool pool(io_.get_executor(), options(), metrics_);
  const auto killed = run_all(
      pool,
      {{"select 1", {}}, {"select pg_terminate_backend(pg_backend_pid())", {}}, {"select 2", {}}});
  EXPECT_EQ(killed.code(), Code::kUnknownOutcome) << killed.error().to_string();
  EXPECT_EQ(value(pool, "select 1"), "1");
}

TEST_F(PgPipelineTest, WithoutSessionStateSettingsLiveForOneTransaction) {
  cluster_.query("postgres", "alter database " + database_ + " set timezone = 'America/Phoenix'");
  cluster_.query("postgres", "alter database " + database_ + " set statement_timeout = '77s'");
  PgPool pool(io_.get_executor(), stateless(), metrics_);
  EXPECT_EQ(value(pool, "select '2026-11-24T14:33:35.5Z'::timestamptz"),
            "2026-11-24 14:33:35.5+00");
  EXPECT_EQ(counter_.statements, 2U) << "the settings are a statement too";
  EXPECT_EQ(value(pool, "select current_setting('statement_timeout')"), "5s");
  // What the session itself is set to, which is what a pooler's next client would find.
  EXPECT_EQ(value(pool, "select reset_val from pg_settings where name = 'statement_timeout'"),
            "77000");
  EXPECT_EQ(value(pool, "select current_setting('timezone')"), "UTC");
}

TEST_F(PgPipelineTest, WithoutSessionStateTheServerStillEndsAStatementAtItsTimeout) {
  PgPoolOptions slow = stateless();
  slow.statement_timeout = 1s;
  PgPool pool(io_.get_executor(), slow, metrics_);
  const Result<PgResult> ended = run_awaitable(io_, pool.execute("select pg_sleep(100)", {}));
  EXPECT_EQ(ended.code(), Code::kDeadlineExceeded) << ended.error().to_string();
  EXPECT_EQ(value(pool, "select 1"), "1");
}

}  // namespace
}  // namespace edged::db
