// SPDX-License-Identifier: Apache-2.0
// The threads of a face that serves streams: its listeners, the reactors that its connections are
// spread over, the bound on how many connections there may be, their deadlines, and the end. The
// binary face and the face for Redis clients are built on it. They differ in what a connection does
// and in what a reactor owns besides (`Parts`).
//
//   Reactors<Connection, Pass> reactors(options, refused, make_parts, make_connection);
//   Status status = reactors.open();                        // reactors without threads
//   if (status.ok()) status = reactors.listen("127.0.0.1:0");
//   reactors.run();                                          // threads, connections
//   reactors.drain(); reactors.join(); reactors.clear();     // the end, in this order
//
// `Connection` has OnClosed, start(), is_known(), stranger_number(), set_stranger_number(),
// native_handle(), on_known(), drain(), close() and sweep(now), as connection.h explains them. One
// thread owns a Reactors object.
#pragma once

#include <algorithm>
#include <atomic>
#include <boost/asio.hpp>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_set>
#include <utility>
#include <vector>

#include "kvstore/server/listener.h"
#include "kvstore/server/strangers.h"
#include "kvstore/server/turns.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/metrics.h"
#include "proto/net/peer.h"
#include "proto/net/poller.h"
#include "proto/net/stream.h"
#include "proto/net/tls.h"

namespace edged::server {

struct ReactorsOptions {
  std::string clients;         // in messages: "of Redis clients"; may be empty
  std::size_t io_threads = 0;  // 0: as many as there are cores, at most 4
  std::size_t connections_max = 0;
  bool keeps_own_share =
      true;  // the last few connections are for the node's own user on a unix socket
  std::shared_ptr<net::ServerTls> tls{};  // for tls: addresses; null: there may be none
  std::chrono::milliseconds sweep_period{
      250};  // each connection's deadlines are looked at so often
  std::chrono::milliseconds drain_timeout{10'000};
};

template <typename Connection, typename Parts>
class Reactors {
 public:
  struct Reactor : std::enable_shared_from_this<Reactor> {
    boost::asio::io_context io{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{
        io.get_executor()};
    boost::asio::steady_timer sweep_timer{io};
    net::Poller poller{io};
    Turns turns{io};
    std::unique_ptr<Parts> parts;
    // What follows is for the reactor's thread only.
    std::unordered_set<std::shared_ptr<Connection>> connections;
    std::size_t next_bucket = 0;  // of connections, to be swept
    bool draining = false, stopped = false;
    std::thread thread;
  };
  using MakeParts = std::function<std::unique_ptr<Parts>(const std::shared_ptr<Reactor>&)>;
  // On the reactor's thread.
  using MakeConnection = std::function<std::shared_ptr<Connection>(
      Reactor&, net::Stream, typename Connection::OnClosed)>;

  // `clock` and `refused` outlive it. `refused` counts connections that were closed because there
  // were too many.
  Reactors(ReactorsOptions options,
           const Clock& clock,
           Counter& refused,
           MakeParts make_parts,
           MakeConnection make_connection)
      : options_(std::move(options)),
        clock_(clock),
        refused_(refused),
        make_parts_(std::move(make_parts)),
        make_connection_(std::move(make_connection)),
        strangers_(std::max<std::size_t>(1, options_.connections_max / kStrangersShare)) {}

  // Makes the reactors. Errors: kUnavailable: the system has no descriptor left. After an error of
  // this or of listen(), clear() is to be called.
  Status open() {
    const std::size_t cores = std::max(1U, std::thread::hardware_concurrency());
    const std::size_t count =
        options_.io_threads > 0 ? options_.io_threads : std::min<std::size_t>(cores, 4);
    for (std::size_t i = 0; i < count; ++i) {
      auto reactor = std::make_shared<Reactor>();
      reactor->parts = make_parts_(reactor);
      Status opened = reactor->poller.open();
      if (!opened.ok()) return opened;
      reactors_.push_back(std::move(reactor));
    }
    return {};
  }

  // `address` is "HOST:PORT" or "tls:HOST:PORT". Returns it with the port in use. Errors: those of
  // listen_tcp().
  Result<std::string> listen(const std::string& address) {
    const net::Address wanted = net::split_transport(address);
    if (wanted.tls && !options_.tls) {
      return Status(Code::kInvalidArgument,
                    "could not listen on \"" + address + "\": TLS needs a certificate and a key");
    }
    auto listener = listen_tcp(first().io, wanted.host_port);
    if (!listener) return listener.error();
    std::string bound = (wanted.tls ? "tls:" : "") + (*listener)->address();
    faces_.push_back({*std::move(listener), wanted.tls});
    return bound;
  }
  // Errors: those of listen_unix().
  Status listen_at_path(const std::string& path) {
    auto listener = listen_unix(first().io, path);
    if (!listener) return listener.error();
    faces_.push_back({*std::move(listener), false});
    return {};
  }

  // Starts the threads and accepts connections.
  void run() {
    for (auto& [listener, tls] : faces_) {
      listener->start([this]() -> boost::asio::io_context& { return next_reactor().io; },
                      [this, with_tls = tls](boost::asio::io_context& io, Listener::Socket socket) {
                        accepted(io, std::move(socket), with_tls);
                      });
    }
    for (auto& reactor : reactors_) {
      schedule_sweep(*reactor);
      reactor->thread = std::thread([&io = reactor->io] { io.run(); });
    }
  }

  bool is_open() const { return !reactors_.empty(); }
  // After open().
  Reactor& first() { return *reactors_.front(); }

  // No new connections; those that are there are drained, and closed after the time-out. Blocks.
  void drain() {
    boost::asio::post(first().io, [this] {
      for (auto& [listener, tls] : faces_) listener->close();
    });
    each_connection(&Connection::drain);
    for (auto& reactor : reactors_) {
      boost::asio::post(reactor->io, [this, &reactor = *reactor] { schedule_sweep(reactor); });
    }
    wait_until_empty(options_.drain_timeout);
    each_connection(&Connection::close);
    wait_until_empty(std::chrono::milliseconds(1000));
  }

  // After drain(). The threads end when they have done what was posted to them before.
  void join() {
    for (auto& reactor : reactors_) {
      boost::asio::post(reactor->io, [&reactor = *reactor] {
        reactor.stopped = true;
        reactor.sweep_timer.cancel();
        reactor.poller.close();
        reactor.work.reset();
      });
    }
    for (auto& reactor : reactors_) reactor->thread.join();
  }

  // Without threads: before run() or after join().
  void clear() {
    faces_.clear();
    reactors_.clear();
  }

 private:
  static constexpr std::chrono::milliseconds kDrainSweepPeriod{20};
  // Of all connections, those that peers without a token may have, and those that are kept for the
  // node's own user.
  static constexpr std::size_t kStrangersShare = 2, kOwnShare = 8, kOwnMax = 32;
  // A connection that was ended to make room counts until its reactor has closed it.
  static constexpr std::size_t kLeavingMax = 16;
  // Looking at the deadlines of so many connections takes about 0.2 ms.
  static constexpr std::size_t kSweepSlice = 256;
  static constexpr std::size_t kSweepSlicesMax = 32;
  static constexpr std::chrono::minutes kSayPeriod{1};

  struct Face {
    std::unique_ptr<Listener> listener;
    bool tls = false;
  };

  Reactor& next_reactor() { return *reactors_[next_reactor_++ % reactors_.size()]; }

  // On the first reactor; the socket already belongs to `io`.
  void accepted(boost::asio::io_context& io, Listener::Socket socket, bool tls) {
    if (!has_room(net::is_own_peer(socket.native_handle()))) {
      refused_.add();
      return say_full();  // the socket closes as it goes
    }
    open_.fetch_add(1);
    const auto reactor = std::find_if(
        reactors_.begin(), reactors_.end(), [&io](const auto& one) { return &one->io == &io; });
    net::Stream stream(std::move(socket));
    if (tls) stream.use_server_tls(options_.tls->context());
    boost::asio::post(io, [this, &reactor = **reactor, stream = std::move(stream)]() mutable {
      adopt(reactor, std::move(stream));
    });
  }

  // Ends a connection of a peer without a token if that makes room.
  bool has_room(bool own_peer) {
    const std::size_t all = options_.connections_max;
    const bool keeps = options_.keeps_own_share && !own_peer;
    const std::size_t most = all - (keeps ? std::min(kOwnMax, all / kOwnShare) : 0);
    const std::size_t open = open_.load();
    return open < most || (open < most + kLeavingMax && strangers_.end_one());
  }

  void say_full() {
    const auto now = std::chrono::steady_clock::now();
    if (said_full_ && now - *said_full_ < kSayPeriod) return;
    said_full_ = now;
    std::string text = "closing new connections ";
    if (!options_.clients.empty()) text.append(options_.clients).append(" ");
    text.append("at once: ").append(std::to_string(open_.load())).append(" of ");
    text.append(std::to_string(options_.connections_max)).append(" are open");
    if (options_.keeps_own_share) text.append(", and the rest is kept for the unix socket");
    log::warn(text.append(" (logged at most once a minute)"));
  }

  void adopt(Reactor& reactor, net::Stream stream) {
    if (!stream.is_tls()) stream.use_poller(reactor.poller);
    const std::shared_ptr<Connection> connection = make_connection_(
        reactor, std::move(stream), [this, &reactor](const std::shared_ptr<Connection>& closed) {
          strangers_.remove(closed->stranger_number());
          reactor.connections.erase(closed);
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
      boost::asio::post(alive->io, [weak] {
        if (const auto ended = weak.lock()) ended->close();
      });
    };
    const std::uint64_t number = strangers_.add(address, end);
    connection->set_stranger_number(number);
    connection->on_known([this, number] { strangers_.remove(number); });
  }

  // From now on, connections that were accepted before are closed as they come.
  void each_connection(void (Connection::*action)()) {
    for (auto& reactor : reactors_) {
      boost::asio::post(reactor->io, [&reactor = *reactor, action] {
        reactor.draining = true;
        const auto connections = reactor.connections;  // a copy: the action may close them
        for (const auto& connection : connections) ((*connection).*action)();
      });
    }
  }

  void wait_until_empty(std::chrono::milliseconds timeout) {
    std::unique_lock lock(mutex_);
    emptied_.wait_for(lock, timeout, [this] { return open_.load() == 0; });
  }

  // Many connections are looked at in slices, so that no request waits for all of them.
  static std::size_t sweep_slices(const Reactor& reactor) {
    return std::clamp<std::size_t>(reactor.connections.size() / kSweepSlice, 1, kSweepSlicesMax);
  }

  void sweep_slice(Reactor& reactor) {
    const std::chrono::milliseconds now = clock_.boot_now();
    const std::size_t buckets = reactor.connections.bucket_count();
    const std::size_t slice = buckets / sweep_slices(reactor) + 1;
    std::vector<std::shared_ptr<Connection>> due;  // a copy: the sweep may close them
    for (std::size_t i = 0; i < std::min(slice, buckets); ++i) {
      const std::size_t bucket = reactor.next_bucket++ % buckets;
      due.insert(due.end(), reactor.connections.begin(bucket), reactor.connections.end(bucket));
    }
    for (const auto& connection : due) connection->sweep(now);
  }

  void schedule_sweep(Reactor& reactor) {
    // Setting it anew cancels the wait before.
    const std::chrono::milliseconds period =
        reactor.draining ? kDrainSweepPeriod : options_.sweep_period;
    reactor.sweep_timer.expires_after(std::chrono::microseconds(period) / sweep_slices(reactor));
    reactor.sweep_timer.async_wait([this, &reactor](boost::system::error_code cancelled) {
      if (cancelled || reactor.stopped) return;  // a cancelled timer may have expired already
      sweep_slice(reactor);
      schedule_sweep(reactor);
    });
  }

  const ReactorsOptions options_;
  const Clock& clock_;
  Counter& refused_;
  const MakeParts make_parts_;
  const MakeConnection make_connection_;
  Strangers strangers_;
  std::vector<std::shared_ptr<Reactor>> reactors_;
  std::vector<Face> faces_;
  std::size_t next_reactor_ = 0;                                    // first reactor's thread only
  std::optional<std::chrono::steady_clock::time_point> said_full_;  // likewise
  std::atomic<std::size_t> open_{0};
  std::mutex mutex_;  // with emptied_: open_ went down
  std::condition_variable emptied_;
};

}  // namespace edged::server
