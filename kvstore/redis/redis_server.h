// SPDX-License-Identifier: Apache-2.0
// The node's Redis face: one listener, reactors of its own and what their connections share, behind
// one object. It translates commands into operations and holds no rule about storage, limits or
// rights. start() returns once it listens; stop() drains: no new connections, commands that have
// arrived are answered, and after RedisLimits::drain_timeout the rest is cut. One thread owns it;
// operations, store, clock and registry must outlive it, and operations also every write under way.
// Which commands there are: docs/redis.md.
#pragma once

#include <memory>
#include <string>

#include "kvstore/operations/operations.h"
#include "kvstore/redis/options.h"
#include "kvstore/storage/store.h"
#include "proto/base/clock.h"
#include "proto/base/metrics.h"
#include "proto/base/status.h"

namespace edged::redis {

class RedisServer {
 public:
  RedisServer(RedisOptions options,
              operations::Operations& operations,
              const storage::Store& store,
              const Clock& clock,
              MetricsRegistry& registry);
  ~RedisServer();  // stops
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  // Errors: kInvalidArgument, kUnavailable: the address cannot be listened on; then nothing runs.
  Status start();
  // Blocks until drained. A second call does nothing.
  void stop();

  // With the port in use: "127.0.0.1:6379", "tls:127.0.0.1:6380", "unix:PATH". After start().
  std::string address() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace edged::redis
