// SPDX-License-Identifier: Apache-2.0
// A node's server over loopback, with one I/O thread, on a store that the test brings. One thread.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>

#include "kvstore/server/server.h"
#include "proto/wire/operation_table.h"
#include "tests/kvstore/raw_client.h"
#include "tests/support/memory_store.h"

namespace edged::server {

class NodeFixture : public ::testing::Test {
 protected:
  void start_on(storage::Store& store,
                Limits limits,
                std::shared_ptr<net::ServerTls> tls = nullptr,
                access::AccessTable* access = nullptr) {
    server_.reset();
    registry_ = std::make_unique<MetricsRegistry>();
    ServerOptions options;
    options.listen = {tls ? "tls:127.0.0.1:0" : "127.0.0.1:0"};
    options.tls = std::move(tls);
    options.unix_path = unix_path_;
    options.io_threads = io_threads_;
    options.limits = limits;
    options.access = access;
    server_ = std::make_unique<Server>(options, store, clock_, *registry_);
    const Status started = server_->start();
    ASSERT_TRUE(started.ok()) << started.to_string();
    address_ = server_->addresses().front();
  }

  static wire::Request make(wire::Opcode opcode,
                            std::uint32_t id,
                            std::string_view key,
                            std::string_view value = {}) {
    wire::Request request;
    request.opcode = opcode;
    request.id = id;
    // Requests that need no namespace must not name one.
    const wire::OperationShape* shape = wire::find_operation(opcode);
    const bool needs_none = shape && shape->ns == wire::OperationShape::Namespace::kNone;
    request.ns = needs_none ? 0 : 1;
    request.key = key;
    request.value = value;
    return request;
  }

  SystemClock clock_;
  std::unique_ptr<MetricsRegistry> registry_;
  std::unique_ptr<Server> server_;
  std::string address_;
  std::string unix_path_;  // of the server that is started next; empty: none
  std::size_t io_threads_ = 1;
};

// On a store in memory. The namespace "default" has the handle 1.
class MemoryNodeFixture : public NodeFixture {
 protected:
  void SetUp() override {
    ASSERT_TRUE(store_.create_namespace("default", std::string(32, 'a')).has_value());
  }
  void TearDown() override {
    store_.release_writes();
    server_.reset();
  }
  void start(Limits limits) { start_on(store_, limits); }

  test::MemoryStore store_{clock_};
};

}  // namespace edged::server
