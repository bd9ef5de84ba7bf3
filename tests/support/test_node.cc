// SPDX-License-Identifier: Apache-2.0
#include "tests/support/test_node.h"

#include <utility>

#include "proto/base/check.h"

namespace edged::test {

TestNode::TestNode() {
  KV_CHECK(store_.create_namespace("default", namespace_id()).has_value());
  start();
}

void TestNode::start() {
  auto metrics = std::make_unique<MetricsRegistry>();
  server::ServerOptions options;
  options.listen = {address_};
  options.io_threads = 1;
  server_ = std::make_unique<server::Server>(options, store_, clock_, *metrics);
  KV_CHECK(server_->start().ok());
  metrics_ = std::move(metrics);
  address_ = server_->addresses().front();
}

void TestNode::stop() {
  if (server_) server_->stop();
  server_.reset();
}

}  // namespace edged::test
