// SPDX-License-Identifier: Apache-2.0
// A KV node in this process, over loopback, on a store in memory that outlives its server: stop()
// is a dead node, start() one that is back with all it had. One thread.
#pragma once

#include <memory>
#include <string>

#include "kvstore/server/server.h"
#include "proto/base/clock.h"
#include "proto/base/metrics.h"
#include "tests/support/memory_store.h"

namespace edged::test {

class TestNode {
 public:
  TestNode();
  ~TestNode() { stop(); }

  void start();  // on the address it had before
  void stop();

  const std::string& address() const { return address_; }
  std::string namespace_id() const { return std::string(32, 'a'); }

 private:
  SystemClock clock_;
  std::unique_ptr<MetricsRegistry> metrics_;  // of the server's current life
  test::MemoryStore store_{clock_};
  std::unique_ptr<server::Server> server_;
  std::string address_ = "127.0.0.1:0";
};

}  // namespace edged::test
