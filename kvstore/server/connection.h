// SPDX-License-Identifier: Apache-2.0
// One client on one reactor. Everything that is readable is parsed, executed and answered with one
// write. Nothing is unbounded: with too many requests, request bytes or response bytes under way it
// stops reading. Peers that are slow, silent or never read are cut by sweep(). Only complete() may
// be called from other threads; the rest belongs to the reactor.
#pragma once

#include <array>
#include <boost/asio/generic/stream_protocol.hpp>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "kvstore/server/dispatcher.h"
#include "kvstore/server/key_order.h"
#include "kvstore/server/options.h"
#include "proto/wire/frame.h"

namespace edged::server {

// What all connections of a server share; outlives them.
struct ConnectionContext {
  Dispatcher& dispatcher;
  const Limits& limits;
  const Clock& clock;
  Counter& received_bytes;
  Counter& sent_bytes;
};

class Connection final : public Completion, public std::enable_shared_from_this<Connection> {
 public:
  using Socket = boost::asio::generic::stream_protocol::socket;
  using OnClosed = std::function<void(const std::shared_ptr<Connection>&)>;

  // `reactor` owns the socket's io_context and lives as long as the connection, which a write under
  // way in the store may hold for longer than the server lives.
  Connection(std::shared_ptr<void> reactor,
             Socket socket,
             const ConnectionContext& context,
             OnClosed on_closed);

  void start();
  // Takes no more requests, answers those it has, and closes.
  void drain();
  void close();
  // Closes if a deadline has passed.
  void sweep(std::chrono::milliseconds now);

  void complete(std::uint64_t ticket, std::string response) override;

 private:
  using Error = boost::system::error_code;
  struct Deferred {
    OwnedRequest request;
  };
  struct Late {
    std::uint64_t ticket = 0;
    std::string response;
  };

  void read_hello();
  void on_hello();
  void read();
  void on_read(Error error, std::size_t count);
  void process();
  void on_frame(const wire::Frame& frame);
  void on_oversized(const wire::Header& header);
  void on_broken();
  void execute(const wire::Request& request);
  void run_deferred();
  void take_late();
  void on_progress();
  bool may_read() const;
  void flush();
  void write_some();
  void finish_if_done();
  void linger();
  std::chrono::milliseconds frame_deadline() const;

  std::shared_ptr<void> reactor_;  // before socket_: destroyed after it
  Socket socket_;
  const ConnectionContext& context_;
  OnClosed on_closed_;
  wire::FrameReader reader_;
  std::array<char, wire::kHelloBytes> hello_{};
  std::array<char, 1024> discarded_{};
  std::uint32_t peer_body_bytes_max_ = wire::kBodyBytesMax;

  KeyOrder order_;
  std::deque<Deferred> deferred_;
  std::unordered_map<std::uint64_t, std::size_t> in_flight_;  // ticket: bytes of its request
  std::size_t in_flight_bytes_ = 0;                           // deferred ones included
  std::uint64_t next_ticket_ = 1;

  std::string out_, sending_;
  std::size_t sent_ = 0;
  bool writing_ = false, reading_ = false, paused_ = false;
  bool hello_done_ = false, ending_ = false, lingering_ = false;

  std::chrono::milliseconds last_read_{0}, last_write_{0}, frame_since_{0}, linger_since_{0};

  std::mutex mutex_;
  std::vector<Late> late_;    // guarded by mutex_
  bool late_posted_ = false;  // guarded by mutex_
  bool closed_ = false;       // written by the reactor under mutex_
};

}  // namespace edged::server
