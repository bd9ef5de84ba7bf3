// SPDX-License-Identifier: Apache-2.0
// Which statements are prepared, and that a connection recovers when its plans fit no longer,
// against a throwaway PostgreSQL.
#include "worker/db/prepared_statements.h"

#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <set>
#include <string>
#include <vector>

#include "tests/support/pg_pool_fixture.h"
#include "worker/db/pg_pool.h"

namespace edged::db {
namespace {

namespace asio = boost::asio;
using test::run_awaitable;
using How = PreparedStatements::How;

TEST(PreparedStatementsTest, PreparesATextAtItsSecondUseAndUsesItFromThen) {
  PreparedStatements prepared;
  EXPECT_EQ(prepared.next_use("a").how, How::kPlain);
  const auto second = prepared.next_use("a");
  EXPECT_EQ(second.how, How::kPrepareAndUse);
  prepared.settle("a", true);
  const auto third = prepared.next_use("a");
  EXPECT_EQ(third.how, How::kUse);
  EXPECT_EQ(third.name, second.name);
  EXPECT_EQ(prepared.next_use("b").how, How::kPlain);
}

TEST(PreparedStatementsTest, TriesAgainWhatWasNotPrepared) {
  PreparedStatements prepared;
  prepared.next_use("a");
  const auto first = prepared.next_use("a");
  EXPECT_EQ(prepared.next_use("a").how, How::kPlain) << "it is on its way";
  prepared.settle("a", false);
  const auto again = prepared.next_use("a");
  EXPECT_EQ(again.how, How::kPrepareAndUse);
  EXPECT_EQ(again.name, first.name);
}

TEST(PreparedStatementsTest, ATextHasTheSameNameEverywhere) {
  const auto name = [](const std::string& before, const std::string& sql) {
    PreparedStatements prepared;
    for (int i = 0; i < 2; ++i) prepared.next_use(before);
    prepared.next_use(sql);
    return prepared.next_use(sql).name;
  };
  EXPECT_EQ(name("b", "a"), name("c", "a"));
  EXPECT_NE(name("c", "a"), name("c", "b"));
}

TEST(PreparedStatementsTest, PreparesNoMoreThanItsBoundAndForgetsTextsThatDoNotComeBack) {
  PreparedStatements prepared;
  std::set<std::string> names;
  for (std::size_t i = 0; i < 3 * kPreparedMax; ++i) {
    const std::string sql = "select " + std::to_string(i);
    prepared.next_use(sql);
    const auto second = prepared.next_use(sql);
    if (second.how != How::kPlain) names.insert(second.name);
    prepared.settle(sql, true);
  }
  EXPECT_EQ(names.size(), kPreparedMax);
  for (int i = 0; i < 10'000; ++i) prepared.next_use("once " + std::to_string(i));
  EXPECT_EQ(prepared.next_use("select 0").how, How::kUse);
  prepared.clear();
  EXPECT_EQ(prepared.next_use("select 0").how, How::kPlain);
}

class PreparedStatementsOnServerTest : public test::PgPoolFixture {
 protected:
  // Not the texts themselves, and none that differs: this is not to be prepared itself.
  std::string prepared_texts(PgPool& pool) {
    return value(pool,
                 "/* " + std::to_string(++asked_) +
                     " */ select coalesce(string_agg(statement, ', ' order by statement), '') "
                     "from pg_prepared_statements");
  }

 private:
  int asked_ = 0;
};

TEST_F(PreparedStatementsOnServerTest, WhatIsUsedAgainIsPreparedAndGivesTheSame) {
  PgPool pool(io_.get_executor(), options(), metrics_);
  for (int i = 0; i < 12; ++i) {
    EXPECT_EQ(value(pool, "select 2 * $1::int", {std::to_string(i)}), std::to_string(2 * i));
  }
  EXPECT_EQ(counter_.statements, 12U) << "preparing is no message of its own";
  EXPECT_EQ(prepared_texts(pool), "select 2 * $1::int");
}

TEST_F(PreparedStatementsOnServerTest, NothingIsPreparedIfThatIsSwitchedOff) {
  PgPoolOptions off = options();
  off.prepared_statements = false;
  PgPoolOptions pooled = options();
  pooled.session_state = false;
  for (const PgPoolOptions& one : {off, pooled}) {
    PgPool pool(io_.get_executor(), one, metrics_);
    for (int i = 0; i < 5; ++i) value(pool, "select 1");
    EXPECT_EQ(prepared_texts(pool), "");
  }
}

TEST_F(PreparedStatementsOnServerTest, APipelinePreparesItsStatements) {
  PgPool pool(io_.get_executor(), options(), metrics_);
  for (int i = 0; i < 4; ++i) {
    auto results = run_awaitable(
        io_, pool.execute_pipeline({{"select $1::text", {"x"}}, {"select 3", {}}}, &counter_));
    ASSERT_TRUE(results) << results.error().to_string();
    ASSERT_EQ(results->size(), 2U);
    EXPECT_EQ((*results)[0].text(0, 0), "x");
    EXPECT_EQ((*results)[1].text(0, 0), "3");
  }
  EXPECT_EQ(prepared_texts(pool), "select $1::text, select 3");
}

TEST_F(PreparedStatementsOnServerTest, OneTextSeveralTimesInAPipeline) {
  PgPool pool(io_.get_executor(), options(), metrics_);
  for (int i = 0; i < 3; ++i) {
    const auto results = run_awaitable(
        io_, pool.execute_pipeline({{"select 4", {}}, {"select 4", {}}, {"select 4", {}}}));
    ASSERT_TRUE(results) << results.error().to_string();
    EXPECT_EQ(results->size(), 3U);
  }
}

// As if a pooler had given this client another's session.
TEST_F(PreparedStatementsOnServerTest, ANameThatIsTakenCostsARepetition) {
  PgPool pool(io_.get_executor(), options(), metrics_);
  const std::string text = "select 6";
  PreparedStatements other;
  (void)other.next_use(text);
  ASSERT_TRUE(run_awaitable(
                  io_, pool.execute_script("prepare " + other.next_use(text).name + " as " + text))
                  .ok());
  for (int i = 0; i < 4; ++i) EXPECT_EQ(value(pool, text), "6");
}

TEST_F(PreparedStatementsOnServerTest, AFailingStatementStaysPreparedAndCostsNoConnection) {
  PgPool pool(io_.get_executor(), options(), metrics_);
  const std::string backend = value(pool, "select pg_backend_pid()");
  for (int i = 0; i < 4; ++i) {
    EXPECT_NE(value(pool, "select 1 / $1::int", {"0"}).find("22012"), std::string::npos);
  }
  EXPECT_EQ(value(pool, "select 1 / $1::int", {"1"}), "1");
  EXPECT_EQ(prepared_texts(pool), "select 1 / $1::int");
  EXPECT_EQ(value(pool, "select pg_backend_pid()"), backend);
}

TEST_F(PreparedStatementsOnServerTest, ATableWhoseColumnsChangedIsReadAsItIsNow) {
  PgPool pool(io_.get_executor(), options(), metrics_);
  cluster_.query(database_, "create table t (n integer); insert into t values (1)");
  for (int i = 0; i < 4; ++i) EXPECT_EQ(value(pool, "select n from t"), "1");
  cluster_.query(database_, "alter table t alter n type text using 'now ' || n");
  for (int i = 0; i < 4; ++i) EXPECT_EQ(value(pool, "select n from t"), "now 1");
  cluster_.query(database_, "drop table t; create table t (n text); insert into t values ('new')");
  EXPECT_EQ(value(pool, "select n from t"), "new");
}

TEST_F(PreparedStatementsOnServerTest, WritesOfAPipelineWhoseReadIsStaleHappenOnce) {
  PgPool pool(io_.get_executor(), options(), metrics_);
  cluster_.query(database_, "create table t (n integer); create table log (n integer)");
  const std::vector<PgStatement> both{{"insert into log values (1)", {}},
                                      {"select count(*), max(n) from t", {}}};
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(run_awaitable(io_, pool.execute_pipeline(both)));
  }
  cluster_.query(database_, "alter table t alter n type text");
  const auto after = run_awaitable(io_, pool.execute_pipeline(both));
  ASSERT_TRUE(after) << after.error().to_string();
  EXPECT_EQ(value(pool, "select count(*) from log"), "4");
}

TEST_F(PreparedStatementsOnServerTest, ASessionThatWasDiscardedIsPreparedAnew) {
  PgPool pool(io_.get_executor(), options(), metrics_);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(value(pool, "select 5"), "5");
  ASSERT_TRUE(run_awaitable(io_, pool.execute_script("discard all")).ok());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(value(pool, "select 5"), "5");
  EXPECT_EQ(prepared_texts(pool), "select 5");
}

}  // namespace
}  // namespace edged::db
