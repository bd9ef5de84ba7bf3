// SPDX-License-Identifier: Apache-2.0
// Replication connections against a throwaway PostgreSQL: a slot's snapshot, the stream after it,
// its end, and what is refused.
#include "worker/db/pg_replication.h"

#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <chrono>
#include <vector>

#include "tests/support/postgres_cluster.h"
#include "tests/support/run_awaitable.h"

namespace edged::db {
namespace {

namespace asio = boost::asio;
using test::PostgresCluster;
using test::run_awaitable;
using namespace std::chrono_literals;

class PgReplicationTest : public testing::Test {
 protected:
  void SetUp() override {
    cluster_.query(database_,
                   "create table t(id int primary key, v text) with (autovacuum_enabled = false); "
                   "insert into t select i, 'row ' || i "
                   "from generate_series(1, 1000) i; create publication p for table t");
    connection_ = connect();
  }

  PgConnectOptions options() const {
    PgConnectOptions options;
    options.url = cluster_.url(database_);
    return options;
  }
  std::unique_ptr<PgReplicationConnection> connect() {
    auto connection =
        run_awaitable(io_, PgReplicationConnection::connect(io_.get_executor(), options()));
    EXPECT_TRUE(connection) << connection.error().to_string();
    return std::move(*connection);
  }
  Result<PgResult> command(const std::string& text) {
    return run_awaitable(io_, connection_->command(text));
  }
  std::string value(const std::string& text) {
    const Result<PgResult> result = command(text);
    return result ? std::string(result->text(0, 0)) : result.error().to_string();
  }
  Result<std::vector<std::string>> copy(const std::string& sql) {
    std::vector<std::string> rows;
    const auto take = [&rows](std::string_view row) -> asio::awaitable<Status> {
      rows.emplace_back(row);
      co_return Status();
    };
    const auto count = run_awaitable(io_, connection_->copy_out(sql, take));
    if (!count) return count.error();
    EXPECT_EQ(*count, rows.size());
    return rows;
  }
  // A temporary slot whose snapshot the transaction under way has.
  void make_slot() {
    ASSERT_TRUE(command("begin isolation level repeatable read"));
    const auto made =
        command("CREATE_REPLICATION_SLOT s TEMPORARY LOGICAL pgoutput (SNAPSHOT 'use')");
    ASSERT_TRUE(made) << made.error().to_string();
  }
  Status stream() {
    return run_awaitable(
        io_,
        connection_->start_streaming("START_REPLICATION SLOT s LOGICAL 0/0 (proto_version '1', "
                                     "publication_names 'p', messages 'true')"));
  }
  Result<std::optional<std::string>> next(std::chrono::milliseconds patience = 60s) {
    return run_awaitable(io_, connection_->next_frame(std::chrono::steady_clock::now() + patience));
  }
  // The types of the pgoutput messages up to the first commit.
  std::string messages() {
    std::string types;
    while (types.empty() || types.back() != 'C') {
      const auto frame = next();
      if (!frame || !*frame) return types + "|";
      if ((**frame)[0] == 'w') types += (**frame)[25];
    }
    return types;
  }

  PostgresCluster& cluster_ = PostgresCluster::shared();
  std::string database_ = cluster_.create_database();
  asio::io_context io_;
  std::unique_ptr<PgReplicationConnection> connection_;
};

TEST_F(PgReplicationTest, PrintsTheSameWhateverRoleAndDatabaseAreSetTo) {
  for (const char* setting : {"timezone = 'America/Phoenix'",
                              "datestyle = 'German'",
                              "intervalstyle = 'iso_8601'",
                              "extra_float_digits = 0",
                              "bytea_output = 'escape'",
                              "row_security = on",
                              "standard_conforming_strings = off",
                              "lock_timeout = '1ms'"}) {
    cluster_.query("postgres", "alter database " + database_ + " set " + setting);
  }
  connection_ = connect();
  const auto rows = copy(
      "copy (select 0.1::float8 + 0.2, '\\xff'::bytea, '1 day 2 hours'::interval,"
      " '2026-11-24T14:33:35.5Z'::timestamptz,"
      " current_setting('row_security'), current_setting('lock_timeout')) to stdout");
  ASSERT_TRUE(rows) << rows.error().to_string();
  EXPECT_EQ(rows->front(),
            "0.30000000000000004\t\\\\xff\t1 day 02:00:00\t2026-11-24 14:33:35.5+00\toff\t0\n");
}

TEST_F(PgReplicationTest, RunsReplicationCommandsAndSql) {
  const auto system = command("IDENTIFY_SYSTEM");
  ASSERT_TRUE(system) << system.error().to_string();
  EXPECT_EQ(system->columns(), 4);
  EXPECT_EQ(system->text(0, 3), database_);
  EXPECT_EQ(value("select count(*) from t"), "1000");
  EXPECT_EQ(command("select nothing").code(), Code::kInvalidArgument);
  EXPECT_EQ(value("select 1"), "1") << "an error of a statement ends nothing";
  EXPECT_EQ(command(std::string("select 1\0", 9)).code(), Code::kInvalidArgument);
}

TEST_F(PgReplicationTest, CopiesTheSnapshotAndStreamsWhatFollows) {
  make_slot();
  cluster_.query(database_, "insert into t values (1001, 'later')");
  const auto rows = copy("copy (select id, v from t order by id) to stdout");
  ASSERT_TRUE(rows) << rows.error().to_string();
  ASSERT_EQ(rows->size(), 1000u) << "the snapshot is that of the slot";
  EXPECT_EQ(rows->front(), "1\trow 1\n");
  ASSERT_TRUE(command("commit"));
  ASSERT_TRUE(stream().ok());
  EXPECT_EQ(messages(), "BRIC") << "begin, relation, insert, commit";
  cluster_.query(database_,
                 "begin; update t set v = 'x' where id = 1; delete from t where id = 2; "
                 "select pg_logical_emit_message(true, 'b', 'hi'); commit; truncate t");
  EXPECT_EQ(messages(), "BUDMC");
  EXPECT_EQ(messages(), "BRTC") << "the table is described anew";
}

TEST_F(PgReplicationTest, ATruncatedSilenceIsNoError) {
  make_slot();
  ASSERT_TRUE(command("commit"));
  ASSERT_TRUE(stream().ok());
  while (true) {
    const auto frame = next(100ms);
    ASSERT_TRUE(frame) << frame.error().to_string();
    if (!*frame) break;
  }
  cluster_.query(database_, "delete from t where id = 1");
  EXPECT_EQ(messages(), "BRDC");
  const std::string update = "r" + std::string(33, '\0');
  EXPECT_TRUE(run_awaitable(io_, connection_->send_frame(update)).ok());
}

TEST_F(PgReplicationTest, TellsWhyAStreamEnds) {
  make_slot();
  ASSERT_TRUE(command("commit"));
  ASSERT_TRUE(stream().ok());
  cluster_.terminate_backends(database_);
  Result<std::optional<std::string>> frame = next();
  while (frame && *frame) frame = next();
  ASSERT_FALSE(frame);
  EXPECT_EQ(frame.code(), Code::kUnavailable) << frame.error().to_string();
  EXPECT_FALSE(run_awaitable(io_, connection_->send_frame("r")).ok());
  EXPECT_FALSE(command("select 1"));
}

TEST_F(PgReplicationTest, RefusesWhatIsNoStream) {
  const Status nowhere = run_awaitable(
      io_, connection_->start_streaming("START_REPLICATION SLOT nowhere LOGICAL 0/0"));
  EXPECT_FALSE(nowhere.ok());
  EXPECT_NE(nowhere.message().find("nowhere"), std::string::npos) << nowhere.message();
  EXPECT_EQ(value("select 1"), "1");
  EXPECT_EQ(copy("select 1").code(), Code::kInvalidArgument);
  EXPECT_EQ(copy("copy t to stdout where").code(), Code::kInvalidArgument);
  EXPECT_EQ(value("select 1"), "1");
}

TEST_F(PgReplicationTest, AReaderOfRowsMayStop) {
  const auto stopped = run_awaitable(
      io_,
      connection_->copy_out("copy t to stdout", [](std::string_view) -> asio::awaitable<Status> {
        co_return Status(Code::kDiskFull, "no room");
      }));
  EXPECT_EQ(stopped.code(), Code::kDiskFull);
  EXPECT_FALSE(command("select 1")) << "the connection has ended";
}

TEST_F(PgReplicationTest, AbandonEndsTheWait) {
  make_slot();
  ASSERT_TRUE(command("commit"));
  ASSERT_TRUE(stream().ok());
  asio::steady_timer timer(io_, 200ms);
  timer.async_wait([this](boost::system::error_code) { connection_->abandon(); });
  Result<std::optional<std::string>> frame = next();
  while (frame && *frame) frame = next();
  EXPECT_FALSE(frame);
}

TEST_F(PgReplicationTest, ARoleThatMayNotReplicateIsRefused) {
  cluster_.query(database_, "create role plain login password 'p'");
  PgConnectOptions options;
  options.url = cluster_.tcp_url(database_, "plain", "p");
  const auto refused =
      run_awaitable(io_, PgReplicationConnection::connect(io_.get_executor(), options));
  EXPECT_EQ(refused.code(), Code::kDenied) << refused.error().to_string();
}

}  // namespace
}  // namespace edged::db
