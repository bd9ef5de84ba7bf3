// SPDX-License-Identifier: Apache-2.0
// The node's binary face: listeners, reactors and the dispatcher behind one object. start() returns
// once everything listens; stop() drains: no new connections, what was received is answered, and
// after Limits::drain_timeout the rest is cut. One thread owns it; store, clock and registry must
// outlive it, and store and registry also every write it submitted.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kvstore/operations/operations.h"
#include "kvstore/server/options.h"
#include "kvstore/storage/store.h"
#include "proto/base/clock.h"
#include "proto/base/metrics.h"
#include "proto/base/status.h"

namespace edged::server {

class Server {
 public:
  // On the operations that the node's other faces use too; they must outlive the server.
  // ServerOptions::storage_threads and Limits::under_way_max have no effect.
  Server(ServerOptions options,
         operations::Operations& operations,
         storage::Store& store,
         const Clock& clock,
         MetricsRegistry& registry);
  // With operations of its own.
  Server(ServerOptions options,
         storage::Store& store,
         const Clock& clock,
         MetricsRegistry& registry);
  ~Server();  // stops
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Errors: kInvalidArgument, kUnavailable: an address cannot be listened on; then nothing runs.
  Status start();
  // Blocks until drained. A second call does nothing.
  void stop();

  // "127.0.0.1:4780" with the ports in use, in the order of ServerOptions::listen. After start().
  std::vector<std::string> addresses() const;
  // Empty if none.
  std::string unix_path() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace edged::server
