// SPDX-License-Identifier: Apache-2.0
// A mirror between a throwaway PostgreSQL and a real store, all in this process: a test writes
// tables, waits until the node has them, and compares. The mirror can be stopped at any moment and
// started again. One thread; the node has its own.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kvstore/server/server.h"
#include "kvstore/storage/rocks_store.h"
#include "proto/net/client.h"
#include "tests/support/postgres_cluster.h"
#include "tests/support/run_awaitable.h"
#include "tests/support/temp_dir.h"
#include "tests/worker/mirror/catalogue_fixture.h"
#include "worker/mirror/mirror.h"

namespace edged::mirror {

class MirrorRunFixture : public testing::Test {
 protected:
  using Entries = std::map<std::string, std::string>;

  void SetUp() override {
    storage::RocksStoreOptions store;
    store.data_dir = dir_.path() + "/data";
    auto opened = storage::open_rocks_store(store);
    ASSERT_TRUE(opened) << opened.error().to_string();
    store_ = *std::move(opened);
    ASSERT_TRUE(store_->create_namespace("default", ns_));
    server::ServerOptions options;
    options.listen = {"127.0.0.1:0"};
    options.io_threads = 1;
    server_ = std::make_unique<server::Server>(options, *store_, clock_, node_metrics_);
    ASSERT_TRUE(server_->start().ok());
    net::ClientOptions client;
    client.address = server_->addresses().front();
    client.call_timeout = std::chrono::milliseconds(60'000);
    client_ = std::make_unique<net::Client>(io_.get_executor(), client);
    sql("create schema edged; create table edged.mirror_heartbeats (slot text primary key, "
        "beat bigint not null, at timestamptz not null)");
  }
  void TearDown() override {
    stop();
    client_.reset();
    server_.reset();
    sql("select pg_drop_replication_slot(slot_name) from pg_replication_slots "
        "where database = current_database() and not active");
  }

  std::vector<test::Row> sql(const std::string& text) { return cluster_.query(database_, text); }

  // Begins to mirror `rules`, in batches of at most `changes_max` row changes.
  void start(std::vector<Rule> rules, std::size_t changes_max = Applier::kBatchChangesMax) {
    MirrorOptions options;
    options.ns = ns_;
    options.rules = rules_ = std::move(rules);
    options.slot = database_ + "_slot";
    options.publication = options.slot;
    options.heartbeat = std::chrono::milliseconds(20);
    options.who = "test";
    options.postgres.url = cluster_.url(database_);
    options.batch_changes_max = changes_max_ = changes_max;
    metrics_ = std::make_unique<MetricsRegistry>();
    db::PgPoolOptions pool;
    pool.url = cluster_.url(database_);
    pool.size = 2;
    pool.statement_timeout = std::chrono::milliseconds(60'000);
    pool_ = std::make_unique<db::PgPool>(io_.get_executor(), pool, *metrics_);
    mirror_ =
        std::make_unique<Mirror>(io_.get_executor(), *pool_, *client_, clock_, *metrics_, options);
    running_ = true;
    boost::asio::co_spawn(io_, mirror_->run(), [this](std::exception_ptr error) {
      running_ = false;
      if (error) std::rethrow_exception(error);
    });
  }
  void stop() {
    if (!mirror_) return;
    mirror_->stop();
    io_.restart();
    while (running_ && io_.run_one() > 0) {
    }
    loads_ += loads_of_run();
    // Ends the statements of its watch over the slot.
    pool_.reset();
    io_.restart();
    io_.poll();
    mirror_.reset();
  }
  void restart() {
    stop();
    start(rules_, changes_max_);
  }
  // Lets the mirror go on for that many steps, at most.
  void step(std::size_t steps) {
    io_.restart();
    for (std::size_t i = 0; i < steps && io_.poll_one() > 0; ++i) {
    }
  }

  // Loads of all rows since the test began.
  std::uint64_t loads() { return loads_ + loads_of_run(); }

  // The node's entries under `prefix`, as of what is committed now.
  Entries entries(const std::string& prefix) {
    const std::string text = cluster_.value(database_, "select pg_current_wal_insert_lsn()");
    net::ReadBounds bounds;
    bounds.min_position = encode_position(*parse_lsn(text));
    bounds.wait = std::chrono::milliseconds(50'000);
    // A transaction that commits behind the position, so that the mirror passes it.
    sql("select pg_logical_emit_message(true, 'test', '')");
    const auto met = test::run_awaitable(io_, client_->get(ns_, prefix + "?", bounds));
    EXPECT_EQ(met.code(), Code::kNotFound) << met.error().to_string();
    Entries all;
    net::KvListRequest request;
    request.prefix = prefix;
    request.with_values = true;
    do {
      const auto page = test::run_awaitable(io_, client_->list(ns_, request));
      EXPECT_TRUE(page) << page.error().to_string();
      if (!page) return all;
      for (const net::KvListItem& item : page->items) all[item.key] = item.entry.value;
      request.cursor = page->cursor;
    } while (!request.cursor.empty());
    return all;
  }
  // The first two columns of a query.
  Entries expected(const std::string& query) {
    Entries all;
    for (const test::Row& row : sql("set timezone = 'UTC'; " + query)) {
      all[row[0].value_or("")] = row[1].value_or("");
    }
    return all;
  }

  test::PostgresCluster& cluster_ = test::PostgresCluster::shared();
  const std::string database_ = cluster_.create_database();
  const std::string ns_ = std::string(32, 'a');
  boost::asio::io_context io_;
  SystemClock clock_;
  std::unique_ptr<net::Client> client_;

 private:
  std::uint64_t loads_of_run() {
    if (!mirror_) return 0;
    const std::string name = "\nedged_mirror_loads_total ";
    const std::string page = metrics_->render();
    const std::size_t found = page.find(name);
    return found == std::string::npos ? 0 : std::stoull(page.substr(found + name.size()));
  }

  test::TempDir dir_;
  MetricsRegistry node_metrics_;
  std::unique_ptr<storage::Store> store_;
  std::unique_ptr<server::Server> server_;
  std::vector<Rule> rules_;
  std::size_t changes_max_ = 0;
  std::unique_ptr<MetricsRegistry> metrics_;
  std::unique_ptr<db::PgPool> pool_;
  std::unique_ptr<Mirror> mirror_;
  bool running_ = false;
  std::uint64_t loads_ = 0;
};

}  // namespace edged::mirror
