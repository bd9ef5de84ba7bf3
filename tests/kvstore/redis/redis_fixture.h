// SPDX-License-Identifier: Apache-2.0
// The Redis face over loopback on a real store, with a table of tokens that is empty at first. One
// thread.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "kvstore/access/access_table.h"
#include "kvstore/access/token_file.h"
#include "kvstore/operations/operations.h"
#include "kvstore/redis/redis_server.h"
#include "kvstore/storage/rocks_store.h"
#include "tests/kvstore/redis/redis_client.h"
#include "tests/support/temp_dir.h"

namespace edged::redis {

class RedisFixture : public ::testing::Test {
 protected:
  void SetUp() override {
    storage::RocksStoreOptions options;
    options.data_dir = dir_.path() + "/data";
    auto store = storage::open_rocks_store(options);
    ASSERT_TRUE(store) << store.error().to_string();
    store_ = std::move(*store);
    const auto created = store_->create_namespace("default", std::string(32, 'a'));
    ASSERT_TRUE(created) << created.error().to_string();
    access_ = *access::AccessTable::open({access::token_file_in(options.data_dir)}, clock_);
    start({});
  }
  void TearDown() override {
    client_.reset();
    if (server_) server_->stop();
    if (operations_) operations_->stop();
    server_.reset();
    operations_.reset();
  }

  void start(RedisOptions options) {
    client_.reset();
    server_.reset();
    operations_.reset();
    registry_ = std::make_unique<MetricsRegistry>();
    operations_ = std::make_unique<operations::Operations>(
        *store_, access_.get(), *registry_, operations::OperationsOptions{});
    if (options.address.empty()) options.address = "127.0.0.1:0";
    if (options.io_threads == 0) options.io_threads = 1;
    server_ = std::make_unique<RedisServer>(
        std::move(options), *operations_, *store_, clock_, *registry_);
    const Status started = server_->start();
    ASSERT_TRUE(started.ok()) << started.to_string();
    if (!server_->address().starts_with("unix:")) client_ = connect();
  }

  std::unique_ptr<test::RedisClient> connect() {
    return std::make_unique<test::RedisClient>(server_->address());
  }
  std::string ask(std::string_view line) { return client_->ask(line); }

  // The secret of a new token.
  std::string make_token(access::Scopes scopes,
                         std::vector<std::string> namespaces = {},
                         std::string prefix = "") {
    access::Grant grant;
    grant.name = "token " + std::to_string(++tokens_);
    grant.scopes = scopes;
    grant.namespaces = std::move(namespaces);
    grant.prefix = std::move(prefix);
    const access::NewToken made = *access_->create(grant);
    last_id_ = made.token.grant.id;
    return made.secret;
  }

  SystemClock clock_;
  test::TempDir dir_;
  std::unique_ptr<storage::Store> store_;
  std::unique_ptr<access::AccessTable> access_;
  std::unique_ptr<MetricsRegistry> registry_;
  std::unique_ptr<operations::Operations> operations_;
  std::unique_ptr<RedisServer> server_;
  std::unique_ptr<test::RedisClient> client_;
  int tokens_ = 0;
  std::string last_id_;  // of the token made last
};

}  // namespace edged::redis
