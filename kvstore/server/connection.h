// SPDX-License-Identifier: Apache-2.0
// One client on one reactor: its stream, its deadlines, and a Session for what it asks. Everything
// that is readable is parsed, executed and answered with one write. Nothing is unbounded: with too
// many requests, request bytes or response bytes under way it stops reading. Peers that are slow,
// silent or never read are cut by sweep(). Only the methods of Completion may be called from other
// threads; the rest belongs to the reactor.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "kvstore/server/dispatcher.h"
#include "kvstore/server/options.h"
#include "kvstore/server/pass.h"
#include "kvstore/server/session.h"
#include "kvstore/server/turns.h"
#include "proto/net/stream.h"
#include "proto/wire/frame.h"

namespace edged::server {

// What all connections of a server share; outlives them.
struct ConnectionContext {
  Dispatcher& dispatcher;
  const AccessContext& access;
  const Limits& limits;
  const Clock& clock;
  Counter& received_bytes;
  Counter& sent_bytes;
  Counter& failed_handshakes;
};

class Connection final : public Completion, public std::enable_shared_from_this<Connection> {
 public:
  using OnClosed = std::function<void(const std::shared_ptr<Connection>&)>;

  // `reactor` owns the stream's io_context, `turns` and `pass` and lives as long as the connection,
  // which a write under way in the store may hold for longer than the server lives.
  Connection(std::shared_ptr<void> reactor,
             Turns& turns,
             Pass& pass,
             net::Stream stream,
             const ConnectionContext& context,
             OnClosed on_closed);

  void start();
  // False until the peer has shown the token that this node wants.
  bool is_known() const { return known_; }
  // Its number among those whose peers are not known; 0: it never was one of them.
  std::uint64_t stranger_number() const { return stranger_number_; }
  void set_stranger_number(std::uint64_t number) { stranger_number_ = number; }
  int native_handle() { return stream_.native_handle(); }
  // Called once, when that happens.
  void on_known(std::function<void()> then) { on_known_ = std::move(then); }
  // Says that the node is going away, answers what still comes until the peer is silent, closes.
  void drain();
  void close();
  // Closes if a deadline has passed.
  void sweep(std::chrono::milliseconds now);

  void complete(std::uint64_t ticket, std::string response) override;
  void complete_part(std::uint64_t ticket,
                     std::string response,
                     std::function<void()> go_on) override;
  void wake() override;
  bool hold_back() override { return !std::exchange(held_back_, true); }
  std::string& out() override { return out_; }
  void answered(std::uint64_t ticket) override;
  void go_on() override;

 private:
  using Error = boost::system::error_code;
  void shake_hands();
  void read_hello();
  void on_hello();
  void read();
  void on_read(Error error, std::size_t count);
  std::size_t look_ahead(std::span<wire::Frame> ahead);
  void process();
  void wait_for_turn();
  void count_memory();
  void look_who_it_is();
  bool announces_too_much() const;
  void post_late(LateResponse late);
  void take_late();
  void on_progress();
  bool may_read() const;
  std::size_t room_max() const;
  std::size_t flush();
  void empty_sending();
  void write_some();
  void finish_if_done();
  void linger();
  std::chrono::milliseconds frame_deadline() const;

  std::shared_ptr<void> reactor_;  // before stream_: destroyed after it
  net::Stream stream_;
  Turns& turns_;
  Pass& pass_;
  const ConnectionContext& context_;
  MemoryShare memory_;
  OnClosed on_closed_;
  wire::FrameReader reader_;
  std::array<char, wire::kHelloBytes> hello_{};
  std::array<char, 1024> discarded_{};
  std::unique_ptr<Session> session_;  // from start() on

  std::string out_, sending_;
  std::size_t sent_ = 0;
  bool writing_ = false, reading_ = false, paused_ = false;
  bool had_share_ = false;  // goes on when its turn comes
  bool waits_for_turn_ = false;
  bool held_back_ = false;  // its pass has more to send
  bool known_ = false;      // the peer has shown what the node wants
  std::function<void()> on_known_;
  std::uint64_t stranger_number_ = 0;
  bool hello_done_ = false, draining_ = false, ending_ = false, lingering_ = false;

  std::chrono::milliseconds last_read_{0}, last_write_{0}, frame_since_{0}, linger_since_{0},
      stranger_since_{0};

  std::mutex mutex_;
  std::vector<LateResponse> late_;  // guarded by mutex_
  bool late_posted_ = false;        // guarded by mutex_
  bool closed_ = false;             // written by the reactor under mutex_
};

}  // namespace edged::server
