// SPDX-License-Identifier: Apache-2.0
// See redis_server.h.
#include "kvstore/redis/redis_server.h"

#include <algorithm>
#include <atomic>
#include <boost/asio.hpp>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <random>
#include <thread>
#include <unordered_set>
#include <utility>
#include <vector>

#include "kvstore/redis/change_watcher.h"
#include "kvstore/redis/connection.h"
#include "kvstore/server/listener.h"
#include "kvstore/server/strangers.h"
#include "kvstore/server/turns.h"
#include "proto/base/log.h"
#include "proto/net/peer.h"
#include "proto/net/poller.h"
#include "proto/net/tls.h"

namespace edged::redis {
namespace {

namespace asio = boost::asio;
using server::Listener;
using std::chrono::milliseconds;

constexpr milliseconds kSweepPeriod{250};
constexpr std::string_view kUnix = "unix:";
// Of all connections, those that peers without a token may have.
constexpr std::size_t kStrangersShare = 2;
// A connection that was ended to make room counts until its reactor has closed it.
constexpr std::size_t kLeavingMax = 16;
constexpr std::chrono::minutes kSayPeriod{1};

struct Reactor : std::enable_shared_from_this<Reactor> {
  Reactor(operations::Operations& operations,
          const storage::Store& store,
          const RedisOptions& options)
      : pass(io, poller, operations), databases(store, options.databases) {}

  void begin_life() {
    parts.life = weak_from_this();
    pass.set_life(weak_from_this());
  }

  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{io.get_executor()};
  asio::steady_timer sweep_timer{io};
  net::Poller poller{io};
  server::Turns turns{io};
  Pass pass;
  Databases databases;
  ReactorParts parts{io, pass, databases, {}};
  // This reactor's thread only.
  std::unordered_set<std::shared_ptr<Connection>> connections;
  bool draining = false, stopped = false;
  std::thread thread;
};

std::size_t reactor_count(std::size_t configured) {
  const std::size_t cores = std::max(1U, std::thread::hardware_concurrency());
  return configured > 0 ? configured : std::min<std::size_t>(cores, 4);
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
        strangers_(std::max<std::size_t>(1, options_.limits.connections_max / kStrangersShare)),
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
        refused_(registry.counter("edged_redis_connections_refused_total",
                                  "Connections closed at once because there were too many.")) {}
  ~Impl() { stop(); }

  Status start() {
    for (std::size_t i = 0; i < reactor_count(options_.io_threads); ++i) {
      auto reactor = std::make_shared<Reactor>(face_.operations, face_.store, options_);
      reactor->begin_life();
      Status opened = reactor->poller.open();
      if (!opened.ok()) {
        reactors_.clear();
        return opened;
      }
      reactors_.push_back(std::move(reactor));
    }
    const Status listening = listen();
    if (!listening.ok()) {
      reactors_.clear();
      return listening;
    }
    Reactor& first = *reactors_.front();
    face_.change_watcher = std::make_shared<ChangeWatcher>(first.io,
                                                           first.weak_from_this(),
                                                           face_.operations,
                                                           face_.store,
                                                           face_.clock,
                                                           first.databases,
                                                           tracking_,
                                                           pub_sub_,
                                                           notifications_);
    listener_->start(
        [this]() -> asio::io_context& { return next_reactor().io; },
        [this](asio::io_context& io, Listener::Socket socket) { accepted(io, std::move(socket)); });
    for (auto& reactor : reactors_) {
      schedule_sweep(*reactor);
      reactor->thread = std::thread([&io = reactor->io] { io.run(); });
    }
    return {};
  }

  void stop() {
    if (reactors_.empty()) return;
    asio::post(reactors_.front()->io, [this] { listener_->close(); });
    each_connection(&Connection::drain);
    wait_until_empty(options_.limits.drain_timeout);
    each_connection(&Connection::close);
    wait_until_empty(milliseconds(1000));
    asio::post(reactors_.front()->io, [this] { face_.change_watcher->close(); });
    for (auto& reactor : reactors_) {
      asio::post(reactor->io, [&reactor = *reactor] {
        reactor.stopped = true;
        reactor.sweep_timer.cancel();
        reactor.poller.close();
        reactor.work.reset();
      });
    }
    for (auto& reactor : reactors_) reactor->thread.join();
    listener_.reset();
    face_.change_watcher.reset();  // before its reactor
    reactors_.clear();
  }

  const std::string& address() const { return address_; }

 private:
  Status listen() {
    asio::io_context& io = reactors_.front()->io;
    if (options_.address.starts_with(kUnix)) {
      auto listener = server::listen_unix(io, options_.address.substr(kUnix.size()));
      if (!listener) return listener.error();
      listener_ = *std::move(listener);
      address_ = options_.address;
      return {};
    }
    const net::Address wanted = net::split_transport(options_.address);
    if (wanted.tls && !options_.tls) {
      return {
          Code::kInvalidArgument,
          "could not listen on \"" + options_.address + "\": TLS needs a certificate and a key"};
    }
    auto listener = server::listen_tcp(io, wanted.host_port);
    if (!listener) return listener.error();
    listener_ = *std::move(listener);
    tls_ = wanted.tls;
    const std::string bound = listener_->address();
    face_.port = static_cast<std::uint16_t>(std::stoul(bound.substr(bound.rfind(':') + 1)));
    address_ = (tls_ ? "tls:" : "") + bound;
    return {};
  }

  Reactor& next_reactor() { return *reactors_[next_reactor_++ % reactors_.size()]; }

  // On the first reactor; the socket already belongs to `io`.
  void accepted(asio::io_context& io, Listener::Socket socket) {
    const std::size_t open = open_.load(), most = options_.limits.connections_max;
    if (open >= most && !(open < most + kLeavingMax && strangers_.end_one())) {
      refused_.add();
      return say_full();  // the socket closes as it goes
    }
    open_.fetch_add(1);
    const auto reactor = std::find_if(
        reactors_.begin(), reactors_.end(), [&io](const auto& one) { return &one->io == &io; });
    net::Stream stream(std::move(socket));
    if (tls_) stream.use_server_tls(options_.tls->context());
    asio::post(io, [this, &reactor = **reactor, stream = std::move(stream)]() mutable {
      adopt(reactor, std::move(stream));
    });
  }

  void say_full() {
    const auto now = std::chrono::steady_clock::now();
    if (said_full_ && now - *said_full_ < kSayPeriod) return;
    said_full_ = now;
    log::warn("closing new connections of Redis clients at once: " + std::to_string(open_.load()) +
              " are open, which is the limit (logged at most once a minute)");
  }

  void adopt(Reactor& reactor, net::Stream stream) {
    if (!stream.is_tls()) stream.use_poller(reactor.poller);
    connections_.add(1);
    auto connection =
        std::make_shared<Connection>(reactor.shared_from_this(),
                                     reactor.parts,
                                     reactor.turns,
                                     std::move(stream),
                                     context_,
                                     [this, &reactor](const std::shared_ptr<Connection>& closed) {
                                       strangers_.remove(closed->stranger_number());
                                       reactor.connections.erase(closed);
                                       connections_.add(-1);
                                       const std::lock_guard lock(mutex_);
                                       open_.fetch_sub(1);
                                       emptied_.notify_all();
                                     });
    reactor.connections.insert(connection);
    const std::string address = net::peer_address(connection->native_handle());
    connection->start();
    if (!connection->is_known()) count_stranger(reactor, connection, address);
    if (reactor.draining) connection->close();
  }

  void count_stranger(Reactor& reactor,
                      const std::shared_ptr<Connection>& connection,
                      const std::string& address) {
    const auto end = [weak = std::weak_ptr(connection), life = reactor.weak_from_this()] {
      const std::shared_ptr<Reactor> alive = life.lock();
      if (!alive) return;
      asio::post(alive->io, [weak] {
        if (const auto ended = weak.lock()) ended->close();
      });
    };
    const std::uint64_t number = strangers_.add(address, end);
    connection->set_stranger_number(number);
    connection->on_known([this, number] { strangers_.remove(number); });
  }

  void each_connection(void (Connection::*action)()) {
    for (auto& reactor : reactors_) {
      asio::post(reactor->io, [&reactor = *reactor, action] {
        reactor.draining = true;
        const auto connections = reactor.connections;  // a copy: the action may close them
        for (const auto& connection : connections) ((*connection).*action)();
      });
    }
  }

  void wait_until_empty(milliseconds timeout) {
    std::unique_lock lock(mutex_);
    emptied_.wait_for(lock, timeout, [this] { return open_.load() == 0; });
  }

  void schedule_sweep(Reactor& reactor) {
    reactor.sweep_timer.expires_after(kSweepPeriod);
    reactor.sweep_timer.async_wait([this, &reactor](boost::system::error_code cancelled) {
      if (cancelled || reactor.stopped) return;
      const milliseconds now = face_.clock.boot_now();
      const auto connections = reactor.connections;  // a copy: the sweep may close them
      for (const auto& connection : connections) connection->sweep(now);
      schedule_sweep(reactor);
    });
  }

  const RedisOptions options_;
  ClientList clients_;
  ScanCursors cursors_;
  PubSub pub_sub_;
  Tracking tracking_;
  NotificationFlags notifications_;
  server::MemoryTotal memory_;
  server::Strangers strangers_;
  FaceContext face_;
  ConnectionContext context_;
  Gauge& connections_;
  Counter& refused_;
  std::vector<std::shared_ptr<Reactor>> reactors_;
  std::unique_ptr<Listener> listener_;
  bool tls_ = false;
  std::string address_;
  std::size_t next_reactor_ = 0;                                    // first reactor's thread only
  std::optional<std::chrono::steady_clock::time_point> said_full_;  // likewise
  std::atomic<std::size_t> open_{0};
  std::mutex mutex_;  // with emptied_: open_ went down
  std::condition_variable emptied_;
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
