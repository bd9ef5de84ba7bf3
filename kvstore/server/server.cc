// SPDX-License-Identifier: Apache-2.0
// See server.h. Threads, listeners and connections: reactors.h.
#include "kvstore/server/server.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "kvstore/server/connection.h"
#include "kvstore/server/dispatcher.h"
#include "kvstore/server/reactors.h"

namespace edged::server {
namespace {

using std::chrono::milliseconds;
using BinaryReactors = Reactors<Connection, Pass>;

DispatcherOptions dispatcher_options(const ServerOptions& options) {
  DispatcherOptions dispatcher;
  dispatcher.durability = options.durability;
  dispatcher.access = options.access;
  dispatcher.connection_bytes_max = options.limits.connection_bytes_max;
  return dispatcher;
}

std::unique_ptr<operations::Operations> make_operations(const ServerOptions& options,
                                                        storage::Store& store,
                                                        MetricsRegistry& registry) {
  operations::OperationsOptions made;
  made.work.storage_threads = options.storage_threads;
  made.work.under_way_max = options.limits.under_way_max;
  return std::make_unique<operations::Operations>(store, options.access, registry, made);
}

// Often enough that no deadline is missed by more than a quarter.
milliseconds sweep_period(const Limits& limits) {
  const milliseconds shortest = std::min({limits.hello_timeout,
                                          limits.frame_timeout,
                                          limits.idle_timeout,
                                          limits.write_timeout,
                                          limits.linger_timeout,
                                          limits.auth_timeout});
  return std::clamp(shortest / 4, milliseconds(10), milliseconds(500));
}

ReactorsOptions reactors_options(const ServerOptions& options) {
  ReactorsOptions made;
  made.io_threads = options.io_threads;
  made.connections_max = options.limits.connections_max;
  made.tls = options.tls;
  made.sweep_period = sweep_period(options.limits);
  made.drain_timeout = options.limits.drain_timeout;
  return made;
}

}  // namespace

class Server::Impl {
 public:
  // `own` is null if `operations` are another's.
  Impl(ServerOptions options,
       std::unique_ptr<operations::Operations> own,
       operations::Operations& operations,
       storage::Store& store,
       const Clock& clock,
       MetricsRegistry& registry)
      : options_(std::move(options)),
        own_operations_(std::move(own)),
        dispatcher_(operations, store, clock, registry, dispatcher_options(options_)),
        context_{dispatcher_,
                 operations.context(operations::Face::kBinary),
                 options_.limits,
                 clock,
                 registry.counter("edged_kv_received_bytes_total", "Bytes received from clients."),
                 registry.counter("edged_kv_sent_bytes_total", "Bytes sent to clients."),
                 registry.counter("edged_tls_handshake_failures_total",
                                  "TLS handshakes that failed.",
                                  {{"face", "binary"}})},
        reactors_(
            reactors_options(options_),
            clock,
            registry.counter("edged_kv_connections_refused_total",
                             "Connections closed at once because there were too many."),
            [this](const std::shared_ptr<BinaryReactors::Reactor>& reactor) {
              return make_pass(reactor);
            },
            [this](BinaryReactors::Reactor& reactor,
                   net::Stream stream,
                   Connection::OnClosed on_closed) {
              return std::make_shared<Connection>(reactor.shared_from_this(),
                                                  reactor.turns,
                                                  *reactor.parts,
                                                  std::move(stream),
                                                  context_,
                                                  std::move(on_closed));
            }) {}

  ~Impl() { stop(); }

  Status start() {
    Status status = reactors_.open();
    if (status.ok()) status = listen();
    if (!status.ok()) {
      reactors_.clear();
      return status;
    }
    reactors_.run();
    return {};
  }

  void stop() {
    if (!reactors_.is_open()) return;
    reactors_.drain();
    reactors_.join();
    reactors_.clear();
  }

  std::vector<std::string> addresses() const { return addresses_; }
  std::string unix_path() const { return unix_path_; }

 private:
  std::unique_ptr<Pass> make_pass(const std::shared_ptr<BinaryReactors::Reactor>& reactor) {
    auto pass = std::make_unique<Pass>(reactor->io, reactor->poller, dispatcher_.store());
    pass->set_life(reactor);
    return pass;
  }

  Status listen() {
    for (const std::string& address : options_.listen) {
      Result<std::string> bound = reactors_.listen(address);
      if (!bound) return bound.error();
      addresses_.push_back(*std::move(bound));
    }
    if (options_.unix_path.empty()) return {};
    unix_path_ = options_.unix_path;
    return reactors_.listen_at_path(unix_path_);
  }

  const ServerOptions options_;
  const std::unique_ptr<operations::Operations> own_operations_;  // null: another's
  Dispatcher dispatcher_;
  ConnectionContext context_;
  std::vector<std::string> addresses_;
  std::string unix_path_;
  BinaryReactors reactors_;  // last: its connections use what is above
};

Server::Server(ServerOptions options,
               storage::Store& store,
               const Clock& clock,
               MetricsRegistry& registry) {
  auto own = make_operations(options, store, registry);
  operations::Operations& operations = *own;
  impl_ = std::make_unique<Impl>(
      std::move(options), std::move(own), operations, store, clock, registry);
}

Server::Server(ServerOptions options,
               operations::Operations& operations,
               storage::Store& store,
               const Clock& clock,
               MetricsRegistry& registry)
    : impl_(std::make_unique<Impl>(
          std::move(options), nullptr, operations, store, clock, registry)) {}

Server::~Server() = default;

Status Server::start() {
  return impl_->start();
}
void Server::stop() {
  impl_->stop();
}
std::vector<std::string> Server::addresses() const {
  return impl_->addresses();
}
std::string Server::unix_path() const {
  return impl_->unix_path();
}

}  // namespace edged::server
