// SPDX-License-Identifier: Apache-2.0
// A node's server on a real store in a directory of its own, over loopback, and raw clients to it.
// The namespace "default" has the handle 1. One thread.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "kvstore/access/token_file.h"
#include "kvstore/storage/rocks_store.h"
#include "tests/kvstore/node_fixture.h"
#include "tests/support/temp_dir.h"

namespace edged::server {

class ServerFixture : public NodeFixture {
 protected:
  void SetUp() override {
    storage::RocksStoreOptions options;
    options.data_dir = dir_.path() + "/data";
    auto store = storage::open_rocks_store(options);
    ASSERT_TRUE(store) << store.error().to_string();
    store_ = std::move(*store);
    const auto created = store_->create_namespace("default", std::string(32, 'a'));
    ASSERT_TRUE(created) << created.error().to_string();
    ASSERT_EQ(created->number, 1u);
    access_ = *access::AccessTable::open({access::token_file_in(options.data_dir)}, clock_);
    start({});
  }
  void TearDown() override { server_.reset(); }

  void start(Limits limits, std::shared_ptr<net::ServerTls> tls = nullptr) {
    start_on(*store_, limits, std::move(tls), access_.get());
  }

  test::TempDir dir_;
  std::unique_ptr<storage::Store> store_;
  std::unique_ptr<access::AccessTable> access_;  // without tokens at first
};

// With a client that has said hello.
class OperationsFixture : public ServerFixture {
 protected:
  void SetUp() override {
    ServerFixture::SetUp();
    client_ = std::make_unique<test::RawClient>(address_);
  }

  test::RawClient::Reply call(wire::Request request) {
    request.id = ++last_id_;
    test::RawClient::Reply reply = client_->call(request);
    EXPECT_EQ(reply.header.id, request.id);
    return reply;
  }
  Code put(std::string_view key, std::string_view value) {
    return call(make(wire::Opcode::kPut, 0, key, value)).status();
  }
  std::string get(std::string_view key) {
    const test::RawClient::Reply reply = call(make(wire::Opcode::kGet, 0, key));
    return reply.status() == Code::kOk ? reply.value() : std::string(code_name(reply.status()));
  }

  static std::string items_of(const std::vector<wire::Item>& items) {
    std::string value;
    for (const wire::Item& item : items) {
      wire::append_item(item, value);
    }
    return value;
  }
  static wire::Item item(wire::Opcode opcode, std::string_view key, std::string_view value = {}) {
    wire::Item item;
    item.opcode = opcode;
    item.key = key;
    item.value = value;
    return item;
  }

  std::unique_ptr<test::RawClient> client_;
  std::uint32_t last_id_ = 0;
};

}  // namespace edged::server
