// SPDX-License-Identifier: Apache-2.0
// Several servers in one URL, some of them silent, unknown to the DNS, or of the wrong kind; and a
// server that becomes one of the wrong kind.
#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <chrono>
#include <functional>
#include <set>
#include <vector>

#include "tests/support/pg_pool_fixture.h"
#include "tests/support/silent_dns.h"
#include "worker/db/pg_replication.h"

namespace edged::db {
namespace {

namespace asio = boost::asio;
using test::PostgresCluster;
using test::run_awaitable;
using namespace std::chrono_literals;

struct Server {
  std::string host;
  int port;
};

class PgHostsTest : public test::PgPoolFixture {
 protected:
  static void SetUpTestSuite() {
    read_only_cluster = PostgresCluster::another("default_transaction_read_only = on\n").release();
    standby_cluster = PostgresCluster::another("", PostgresCluster::Role::kStandby).release();
  }
  static void TearDownTestSuite() {
    delete read_only_cluster;
    delete standby_cluster;
  }

  static Server at(const PostgresCluster& cluster) { return {"127.0.0.1", cluster.port()}; }
  // The kernel takes connections for it, and nobody answers.
  Server silent() const { return {"127.0.0.1", silent_.local_endpoint().port()}; }
  static Server refusing() { return {"127.0.0.1", 1}; }

  PgPoolOptions options(const std::vector<Server>& servers, const std::string& further = "") {
    std::string hosts, ports;
    for (const Server& server : servers) {
      hosts += (hosts.empty() ? "" : ",") + server.host;
      ports += (ports.empty() ? "" : ",") + std::to_string(server.port);
    }
    PgPoolOptions options;
    options.url = "host=" + hosts + " port=" + ports +
                  " user=postgres dbname=postgres password=" + PostgresCluster::kPassword + " " +
                  further;
    options.size = 1;
    options.connect_timeout = 2s;
    return options;
  }

  // The port of the server that is connected to, or the error.
  std::string reached(const PgPoolOptions& target) {
    PgPool pool(io_.get_executor(), target, metrics_);
    return value(pool, "select current_setting('port')");
  }
  static std::string port_of(const PostgresCluster& cluster) {
    return std::to_string(cluster.port());
  }

  asio::ip::tcp::acceptor silent_{io_, {asio::ip::address_v4::loopback(), 0}};
  static inline PostgresCluster* read_only_cluster = nullptr;
  static inline PostgresCluster* standby_cluster = nullptr;
};

TEST_F(PgHostsTest, ASilentServerTakesItsOwnTimeOnly) {
  EXPECT_EQ(reached(options({silent(), at(cluster_)})), port_of(cluster_));
  EXPECT_EQ(reached(options({at(cluster_), silent()})), port_of(cluster_));
  EXPECT_EQ(reached(options({silent(), refusing(), silent(), at(cluster_)})), port_of(cluster_));
}

TEST_F(PgHostsTest, ManySilentServersShareABoundedTime) {
  std::vector<Server> servers(9, silent());
  servers.push_back(at(cluster_));
  PgPoolOptions patient = options(servers);
  patient.connect_timeout = 2s;
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(reached(patient), port_of(cluster_));
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 9 * 800ms) << "a tenth of four times 2 s";
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 16s) << "not nine times 2 s";
}

TEST_F(PgHostsTest, WhatWasTriedIsNamed) {
  const std::string said = reached(options({silent(), refusing()}));
  EXPECT_NE(said.find("no answer from \"127.0.0.1\", port " + std::to_string(silent().port)),
            std::string::npos)
      << said;
  EXPECT_NE(said.find("Connection refused"), std::string::npos) << said;
  EXPECT_EQ(said.find(PostgresCluster::kPassword), std::string::npos) << said;
}

TEST_F(PgHostsTest, AReadOnlyServerIsPassedOver) {
  const std::string wanted = "target_session_attrs=read-write";
  const Server writable = at(cluster_), read_only = at(*read_only_cluster);
  EXPECT_EQ(reached(options({read_only, writable}, wanted)), port_of(cluster_));
  EXPECT_EQ(reached(options({writable, read_only}, wanted)), port_of(cluster_));
  EXPECT_EQ(reached(options({at(*standby_cluster), silent(), writable}, wanted)),
            port_of(cluster_));
  EXPECT_EQ(reached(options({read_only, writable}, "target_session_attrs=any")),
            port_of(*read_only_cluster));
  const std::string none = reached(options({read_only, silent()}, wanted));
  EXPECT_NE(none.find("session is read-only"), std::string::npos) << none;
}

TEST_F(PgHostsTest, AStandbyIsPreferred) {
  const std::string wanted = "target_session_attrs=prefer-standby";
  EXPECT_EQ(reached(options({at(cluster_), at(*standby_cluster)}, wanted)),
            port_of(*standby_cluster));
  EXPECT_EQ(reached(options({at(cluster_), silent(), at(*standby_cluster)}, wanted)),
            port_of(*standby_cluster));
  EXPECT_EQ(reached(options({silent(), at(*read_only_cluster), at(cluster_)}, wanted)),
            port_of(*read_only_cluster))
      << "no standby: the first that answers";
  EXPECT_EQ(reached(options({at(cluster_)}, wanted)), port_of(cluster_));
  setenv("PGTARGETSESSIONATTRS", "prefer-standby", 1);
  EXPECT_EQ(reached(options({at(cluster_), at(*standby_cluster)})), port_of(*standby_cluster));
  unsetenv("PGTARGETSESSIONATTRS");
}

TEST_F(PgHostsTest, ARefusedUserEndsTheSearch) {
  PgPoolOptions target = options({refusing(), at(cluster_), at(*read_only_cluster)});
  target.url += "password=wrong";
  PgPool pool(io_.get_executor(), target, metrics_);
  const Result<PgResult> result = run(pool, "select 1");
  EXPECT_EQ(result.code(), Code::kDenied);
  EXPECT_NE(result.error().message().find("port " + port_of(cluster_)), std::string::npos);
  EXPECT_EQ(result.error().message().find("port " + port_of(*read_only_cluster)), std::string::npos)
      << result.error().message();
}

TEST_F(PgHostsTest, AnUnknownNameIsPassedOver) {
  const Server unknown{"does-not-exist.invalid", cluster_.port()};
  EXPECT_EQ(reached(options({unknown, at(cluster_)})), port_of(cluster_));
  EXPECT_EQ(reached(options({{"localhost", cluster_.port()}, unknown})), port_of(cluster_));
  const std::string none = reached(options({unknown, refusing()}));
  EXPECT_NE(none.find("does-not-exist.invalid"), std::string::npos) << none;
  EXPECT_NE(none.find("Connection refused"), std::string::npos) << none;
}

TEST_F(PgHostsTest, ANameTheDnsIsSilentAboutTakesNoOtherAlong) {
  const test::SilentDns dns;
  const Server lost{"a.silent", cluster_.port()};
  EXPECT_EQ(reached(options({lost, {"localhost", cluster_.port()}})), port_of(cluster_));
  EXPECT_EQ(reached(options({{"localhost", cluster_.port()}, lost})), port_of(cluster_));
  EXPECT_EQ(dns.asked(), 1) << "a name that is being asked for is not asked for again";
  const std::string none = reached(options({lost, {"b.silent", 1}}));
  EXPECT_NE(none.find("\"a.silent\": the DNS did not answer within connect_timeout"),
            std::string::npos)
      << none;
  EXPECT_NE(none.find("\"b.silent\": the DNS did not answer within connect_timeout"),
            std::string::npos)
      << none;
}

TEST_F(PgHostsTest, ALookupUnderWayKeepsNothingFromEnding) {
  test::SilentDns dns;
  auto context = std::make_unique<asio::io_context>();
  auto pool = std::make_unique<PgPool>(
      context->get_executor(), options({{"c.silent", 1}, {"d.silent", 1}}), metrics_);
  auto statement = [](PgPool* target) -> asio::awaitable<void> {
    (void)co_await target->execute("select 1", {});
  };
  asio::co_spawn(*context, statement(pool.get()), asio::detached);
  while (dns.asked() < 2) context->poll();
  pool.reset();
  context.reset();
  EXPECT_EQ(dns.waiting(), 2) << "their threads are still there";
}

TEST_F(PgHostsTest, ReplicationPassesASilentServerToo) {
  const PgPoolOptions target =
      options({silent(), at(*standby_cluster), at(cluster_)}, "target_session_attrs=read-write");
  PgConnectOptions replication;
  replication.url = target.url;
  replication.connect_timeout = target.connect_timeout;
  auto connected =
      run_awaitable(io_, PgReplicationConnection::connect(io_.get_executor(), replication));
  ASSERT_TRUE(connected) << connected.error().to_string();
  Result<PgResult> port =
      run_awaitable(io_, (*connected)->command("select current_setting('port')"));
  ASSERT_TRUE(port) << port.error().to_string();
  EXPECT_EQ(port->text(0, 0), port_of(cluster_));
}

using PgFailoverTest = test::PgPoolFixture;

// As after a failover by DNS: the sessions stay with the server that became a standby, a new one
// reaches the primary.
TEST_F(PgFailoverTest, AReadOnlySessionIsNotUsedAgainNorAreThoseBesideIt) {
  ASSERT_EQ(cluster_.value(database_, "create table t (n int); select 'made'"), "made");
  const std::string setting = "alter database " + database_ + " set default_transaction_read_only ";
  const std::string insert = "insert into t values (1)";
  const auto by_pipeline = [&](PgPool& pool) {
    auto results = run_awaitable(io_, pool.execute_pipeline({{"select 1", {}}, {insert, {}}}));
    return results ? Status() : results.error();
  };
  const auto by_script = [&](PgPool& pool) {
    return run_awaitable(io_, pool.execute_script("select 1; " + insert));
  };
  const auto by_statement = [&](PgPool& pool) {
    const Result<PgResult> result = run(pool, insert);
    return result ? Status() : result.error();
  };
  for (const std::function<Status(PgPool&)>& write :
       {std::function<Status(PgPool&)>(by_statement), {by_pipeline}, {by_script}}) {
    cluster_.query("postgres", setting + "= on");
    PgPool pool(io_.get_executor(), options(3), metrics_);
    std::vector<std::string> backends;
    auto read = [](PgPool* target,
                   std::string sql,
                   std::vector<std::string>* out) -> asio::awaitable<void> {
      Result<PgResult> result = co_await target->execute(std::move(sql), {});
      out->push_back(result ? std::string(result->text(0, 0)) : result.error().to_string());
    };
    const std::string slow = "select pg_backend_pid() from pg_sleep(0.2)";
    for (int i = 0; i < 3; ++i) asio::co_spawn(io_, read(&pool, slow, &backends), asio::detached);
    io_.restart();
    io_.run();
    cluster_.query("postgres", setting + "= off");
    // One reads while another one is told.
    asio::co_spawn(io_, read(&pool, slow, &backends), asio::detached);
    EXPECT_EQ(write(pool).code(), Code::kUnavailable);
    EXPECT_FALSE(pool.healthy());
    io_.restart();
    io_.run();
    for (int i = 0; i < 3; ++i) asio::co_spawn(io_, read(&pool, slow, &backends), asio::detached);
    io_.restart();
    io_.run();
    const std::set<std::string> before(backends.begin(), backends.begin() + 4);
    for (int i = 4; i < 7; ++i) EXPECT_EQ(before.count(backends[i]), 0U) << backends[i];
    EXPECT_TRUE(write(pool).ok());
    EXPECT_NE(metrics_.render().find("\nedged_pg_connections 3\n"), std::string::npos);
  }
}

}  // namespace
}  // namespace edged::db
