// SPDX-License-Identifier: Apache-2.0
// See redis_server.h.
#include "kvstore/redis/redis_server.h"

#include <boost/asio.hpp>
#include <memory>
#include <random>
#include <utility>

#include "kvstore/redis/change_watcher.h"
#include "kvstore/redis/connection.h"
#include "kvstore/server/reactors.h"

namespace edged::redis {
namespace {

constexpr std::string_view kUnix = "unix:";

// What a reactor owns besides its connections.
struct Parts {
  Parts(boost::asio::io_context& io,
        net::Poller& poller,
        operations::Operations& operations,
        const storage::Store& store,
        const RedisOptions& options)
      : pass(io, poller, operations),
        databases(store, options.databases),
        reactor{io, pass, databases, {}} {}

  Pass pass;
  Databases databases;
  ReactorParts reactor;
};
using RedisReactors = server::Reactors<Connection, Parts>;

server::ReactorsOptions reactors_options(const RedisOptions& options) {
  server::ReactorsOptions made;
  made.clients = "of Redis clients";
  made.io_threads = options.io_threads;
  made.connections_max = options.limits.connections_max;
  made.keeps_own_share = options.address.starts_with(kUnix);
  made.tls = options.tls;
  made.drain_timeout = options.limits.drain_timeout;
  return made;
}

// Room for 2^62 cursors behind it, and unlike the one of any other run.
std::uint64_t first_cursor() {
  std::random_device random;
  return ((std::uint64_t{random()} << 24) | (random() & 0xffffff)) + 1;
}

}  // namespace

class RedisServer::Impl {
 public:
  Impl(RedisOptions options,
       operations::Operations& operations,
       const storage::Store& store,
       const Clock& clock,
       MetricsRegistry& registry)
      : options_(std::move(options)),
        cursors_(first_cursor()),
        memory_(options_.limits.connection_bytes_max),
        face_{operations,
              store,
              clock,
              options_,
              clients_,
              cursors_,
              pub_sub_,
              tracking_,
              notifications_,
              clock.boot_now(),
              0,
              nullptr},
        context_{face_,
                 memory_,
                 registry.counter("edged_redis_received_bytes_total",
                                  "Bytes received from Redis clients."),
                 registry.counter("edged_redis_sent_bytes_total", "Bytes sent to Redis clients."),
                 registry.counter("edged_tls_handshake_failures_total",
                                  "TLS handshakes that failed.",
                                  {{"face", "redis"}})},
        connections_(
            registry.gauge("edged_redis_connections", "Open connections of Redis clients.")),
        reactors_(
            reactors_options(options_),
            clock,
            registry.counter("edged_redis_connections_refused_total",
                             "Connections closed at once because there were too many."),
            [this](const std::shared_ptr<RedisReactors::Reactor>& reactor) {
              return make_parts(reactor);
            },
            [this](RedisReactors::Reactor& reactor,
                   net::Stream stream,
                   Connection::OnClosed on_closed) {
              return make_connection(reactor, std::move(stream), std::move(on_closed));
            }) {}
  ~Impl() { stop(); }

  Status start() {
    Status status = reactors_.open();
    if (status.ok()) status = listen();
    if (!status.ok()) {
      reactors_.clear();
      return status;
    }
    RedisReactors::Reactor& first = reactors_.first();
    face_.change_watcher = std::make_shared<ChangeWatcher>(first.io,
                                                           first.weak_from_this(),
                                                           face_.operations,
                                                           face_.store,
                                                           face_.clock,
                                                           first.parts->databases,
                                                           tracking_,
                                                           pub_sub_,
                                                           notifications_);
    reactors_.run();
    return {};
  }

  void stop() {
    if (!reactors_.is_open()) return;
    reactors_.drain();
    boost::asio::post(reactors_.first().io, [this] { face_.change_watcher->close(); });
    reactors_.join();
    face_.change_watcher.reset();  // before its reactor
    reactors_.clear();
  }

  const std::string& address() const { return address_; }

 private:
  std::unique_ptr<Parts> make_parts(const std::shared_ptr<RedisReactors::Reactor>& reactor) {
    auto parts = std::make_unique<Parts>(
        reactor->io, reactor->poller, face_.operations, face_.store, options_);
    parts->reactor.life = reactor;
    parts->pass.set_life(reactor);
    return parts;
  }

  std::shared_ptr<Connection> make_connection(RedisReactors::Reactor& reactor,
                                              net::Stream stream,
                                              Connection::OnClosed on_closed) {
    connections_.add(1);
    return std::make_shared<Connection>(
        reactor.shared_from_this(),
        reactor.parts->reactor,
        reactor.turns,
        std::move(stream),
        context_,
        [this, then = std::move(on_closed)](const std::shared_ptr<Connection>& closed) {
          connections_.add(-1);
          then(closed);
        });
  }

  Status listen() {
    if (options_.address.starts_with(kUnix)) {
      address_ = options_.address;
      return reactors_.listen_at_path(options_.address.substr(kUnix.size()));
    }
    Result<std::string> bound = reactors_.listen(options_.address);
    if (!bound) return bound.error();
    address_ = *std::move(bound);
    face_.port = static_cast<std::uint16_t>(std::stoul(address_.substr(address_.rfind(':') + 1)));
    return {};
  }

  const RedisOptions options_;
  ClientList clients_;
  ScanCursors cursors_;
  PubSub pub_sub_;
  Tracking tracking_;
  NotificationFlags notifications_;
  server::MemoryTotal memory_;
  FaceContext face_;
  ConnectionContext context_;
  Gauge& connections_;
  std::string address_;
  RedisReactors reactors_;  // last: its connections use what is above
};

RedisServer::RedisServer(RedisOptions options,
                         operations::Operations& operations,
                         const storage::Store& store,
                         const Clock& clock,
                         MetricsRegistry& registry)
    : impl_(std::make_unique<Impl>(std::move(options), operations, store, clock, registry)) {}

RedisServer::~RedisServer() = default;

Status RedisServer::start() {
  return impl_->start();
}
void RedisServer::stop() {
  impl_->stop();
}
std::string RedisServer::address() const {
  return impl_->address();
}

}  // namespace edged::redis
