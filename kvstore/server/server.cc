// SPDX-License-Identifier: Apache-2.0
// See server.h. One thread per reactor; the listeners live on the first one and spread connections
// over all of them in turn.
#include "kvstore/server/server.h"

#include <algorithm>
#include <atomic>
#include <boost/asio.hpp>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_set>
#include <utility>

#include "kvstore/server/connection.h"
#include "kvstore/server/dispatcher.h"
#include "kvstore/server/listener.h"
#include "kvstore/server/strangers.h"
#include "proto/base/log.h"
#include "proto/net/peer.h"
#include "proto/net/poller.h"

namespace edged::server {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;

constexpr milliseconds kDrainSweepPeriod{20};
// The shortest there is: everybody waits for the reactors.
constexpr std::chrono::microseconds kReactorSlice{100};
// Of all connections, those that peers without a token may have, and those that are kept for the
// node's own user.
constexpr std::size_t kStrangersShare = 2, kOwnShare = 8, kOwnMax = 32;
// A connection that was ended to make room counts until its reactor has closed it.
constexpr std::size_t kLeavingMax = 16;
// About 0.2 ms.
constexpr std::size_t kSweepSlice = 256;
constexpr std::size_t kSweepSlicesMax = 32;
constexpr std::chrono::minutes kSayPeriod{1};

struct Reactor : std::enable_shared_from_this<Reactor> {
  explicit Reactor(storage::Store& store) : pass(io, poller, store) {}

  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{io.get_executor()};
  asio::steady_timer sweep_timer{io};
  net::Poller poller{io};
  Turns turns{io};
  Pass pass;
  std::unordered_set<std::shared_ptr<Connection>> connections;  // this reactor's thread only
  std::size_t next_bucket = 0;  // of connections, to be swept; this reactor's thread only
  bool draining = false;        // this reactor's thread only
  bool stopped = false;         // this reactor's thread only
  std::thread thread;
};

std::size_t reactor_count(std::size_t configured) {
  const std::size_t cores = std::max(1u, std::thread::hardware_concurrency());
  return configured > 0 ? configured : std::min<std::size_t>(cores, 4);
}

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
        strangers_(std::max<std::size_t>(1, options_.limits.connections_max / kStrangersShare)),
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
        refused_(registry.counter("edged_kv_connections_refused_total",
                                  "Connections closed at once because there were too many.")) {}

  ~Impl() { stop(); }

  Status start() {
    for (std::size_t i = 0; i < reactor_count(options_.io_threads); ++i) {
      reactors_.push_back(std::make_shared<Reactor>(dispatcher_.store()));
      reactors_.back()->pass.set_life(reactors_.back());
    }
    Status listening = open_pollers();
    if (listening.ok()) listening = open_listeners();
    if (!listening.ok()) {
      listeners_.clear();
      reactors_.clear();
      return listening;
    }
    for (auto& [listener, tls] : listeners_) {
      listener->start([this]() -> asio::io_context& { return next_reactor().io; },
                      [this, with_tls = tls](asio::io_context& io, Listener::Socket socket) {
                        accepted(io, std::move(socket), with_tls);
                      });
    }
    for (auto& reactor : reactors_) {
      schedule_sweep(*reactor);
      reactor->thread = std::thread([&io = reactor->io] { io.run(); });
    }
    return {};
  }

  void stop() {
    if (reactors_.empty()) {
      return;
    }
    asio::post(reactors_.front()->io, [this] {
      for (auto& [listener, tls] : listeners_) {
        listener->close();
      }
    });
    each_connection(true, &Connection::drain);
    for (auto& reactor : reactors_) {
      asio::post(reactor->io, [this, &reactor = *reactor] { schedule_sweep(reactor); });
    }
    wait_until_empty(options_.limits.drain_timeout);
    each_connection(true, &Connection::close);
    wait_until_empty(milliseconds(1000));
    for (auto& reactor : reactors_) {
      asio::post(reactor->io, [&reactor = *reactor] {
        reactor.stopped = true;
        reactor.sweep_timer.cancel();
        reactor.poller.close();
        reactor.work.reset();
      });
    }
    for (auto& reactor : reactors_) {
      reactor->thread.join();
    }
    listeners_.clear();
    reactors_.clear();
  }

  std::vector<std::string> addresses() const { return addresses_; }
  std::string unix_path() const { return unix_path_; }

 private:
  Status open_pollers() {
    for (const auto& reactor : reactors_) {
      Status opened = reactor->poller.open();
      if (!opened.ok()) return opened;
    }
    return {};
  }

  Status open_listeners() {
    asio::io_context& io = reactors_.front()->io;
    for (const std::string& configured : options_.listen) {
      const net::Address address = net::split_transport(configured);
      if (address.tls && !options_.tls) {
        return {Code::kInvalidArgument,
                "could not listen on \"" + configured + "\": TLS needs a certificate and a key"};
      }
      Result<std::unique_ptr<Listener>> listener = listen_tcp(io, address.host_port);
      if (!listener) {
        return listener.error();
      }
      addresses_.push_back((address.tls ? "tls:" : "") + (*listener)->address());
      listeners_.push_back({*std::move(listener), address.tls});
    }
    if (!options_.unix_path.empty()) {
      Result<std::unique_ptr<Listener>> listener = listen_unix(io, options_.unix_path);
      if (!listener) {
        return listener.error();
      }
      unix_path_ = options_.unix_path;
      listeners_.push_back({*std::move(listener), false});
    }
    return {};
  }

  Reactor& next_reactor() { return *reactors_[next_reactor_++ % reactors_.size()]; }

  // On the first reactor; the socket already belongs to `io`.
  void accepted(asio::io_context& io, Listener::Socket socket, bool tls) {
    if (!has_room(net::is_own_peer(socket.native_handle()))) {
      refused_.add();
      say_full();
      return;  // the socket closes as it goes
    }
    open_.fetch_add(1);
    const auto reactor = std::find_if(
        reactors_.begin(), reactors_.end(), [&io](const auto& one) { return &one->io == &io; });
    net::Stream stream(std::move(socket));
    if (tls) {
      stream.use_server_tls(options_.tls->context());
    }
    asio::post(io, [this, &reactor = **reactor, stream = std::move(stream)]() mutable {
      adopt(reactor, std::move(stream));
    });
  }

  // Ends a connection of a peer without a token if that makes room.
  bool has_room(bool own_peer) {
    const std::size_t all = options_.limits.connections_max;
    const std::size_t kept = own_peer ? 0 : std::min(kOwnMax, all / kOwnShare);
    const std::size_t open = open_.load();
    return open < all - kept || (open < all - kept + kLeavingMax && strangers_.end_one());
  }

  void say_full() {
    const auto now = std::chrono::steady_clock::now();
    if (said_full_ && now - *said_full_ < kSayPeriod) return;
    said_full_ = now;
    log::warn("closing new connections at once: " + std::to_string(open_.load()) + " of " +
              std::to_string(options_.limits.connections_max) +
              " are open, and the rest is kept for the unix socket (logged at most once a minute)");
  }

  void adopt(Reactor& reactor, net::Stream stream) {
    if (!stream.is_tls()) stream.use_poller(reactor.poller);
    auto connection =
        std::make_shared<Connection>(reactor.shared_from_this(),
                                     reactor.turns,
                                     reactor.pass,
                                     std::move(stream),
                                     context_,
                                     [this, &reactor](const std::shared_ptr<Connection>& closed) {
                                       strangers_.remove(closed->stranger_number());
                                       reactor.connections.erase(closed);
                                       const std::lock_guard lock(mutex_);
                                       open_.fetch_sub(1);
                                       emptied_.notify_all();
                                     });
    reactor.connections.insert(connection);
    const std::string address = net::peer_address(connection->native_handle());
    connection->start();
    if (!connection->is_known()) {
      count_stranger(reactor, connection, address);
    }
    if (reactor.draining) {
      connection->close();
    }
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

  void each_connection(bool draining, void (Connection::*action)()) {
    for (auto& reactor : reactors_) {
      asio::post(reactor->io, [&reactor = *reactor, draining, action] {
        reactor.draining = draining;
        const auto connections = reactor.connections;  // a copy: the action may close them
        for (const auto& connection : connections) {
          ((*connection).*action)();
        }
      });
    }
  }

  void wait_until_empty(milliseconds timeout) {
    std::unique_lock lock(mutex_);
    emptied_.wait_for(lock, timeout, [this] { return open_.load() == 0; });
  }

  // Many connections are looked at in slices, so that nobody waits for all of them.
  static std::size_t sweep_slices(const Reactor& reactor) {
    return std::clamp<std::size_t>(reactor.connections.size() / kSweepSlice, 1, kSweepSlicesMax);
  }

  void sweep_slice(Reactor& reactor) {
    const milliseconds now = context_.clock.boot_now();
    const std::size_t buckets = reactor.connections.bucket_count();
    const std::size_t slice = buckets / sweep_slices(reactor) + 1;
    std::vector<std::shared_ptr<Connection>> due;  // a copy: the sweep may close them
    for (std::size_t i = 0; i < std::min(slice, buckets); ++i) {
      const std::size_t bucket = reactor.next_bucket++ % buckets;
      due.insert(due.end(), reactor.connections.begin(bucket), reactor.connections.end(bucket));
    }
    for (const auto& connection : due) {
      connection->sweep(now);
    }
  }

  void schedule_sweep(Reactor& reactor) {
    // Setting it anew cancels the wait before.
    const milliseconds period =
        reactor.draining ? kDrainSweepPeriod : sweep_period(options_.limits);
    reactor.sweep_timer.expires_after(std::chrono::microseconds(period) / sweep_slices(reactor));
    reactor.sweep_timer.async_wait([this, &reactor](boost::system::error_code cancelled) {
      if (cancelled || reactor.stopped) {  // a cancelled timer may have expired already
        return;
      }
      sweep_slice(reactor);
      schedule_sweep(reactor);
    });
  }

  const ServerOptions options_;
  const std::unique_ptr<operations::Operations> own_operations_;  // null: another's
  Strangers strangers_;
  Dispatcher dispatcher_;
  ConnectionContext context_;
  Counter& refused_;
  std::vector<std::shared_ptr<Reactor>> reactors_;
  struct Face {
    std::unique_ptr<Listener> listener;
    bool tls = false;
  };
  std::vector<Face> listeners_;
  std::vector<std::string> addresses_;
  std::string unix_path_;
  std::size_t next_reactor_ = 0;                                    // first reactor's thread only
  std::optional<std::chrono::steady_clock::time_point> said_full_;  // likewise
  std::atomic<std::size_t> open_{0};
  std::mutex mutex_;  // with emptied_: open_ went down
  std::condition_variable emptied_;
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
