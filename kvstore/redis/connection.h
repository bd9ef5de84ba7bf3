// SPDX-License-Identifier: Apache-2.0
// One Redis client on one reactor: its stream, its deadlines, and a Session for its commands.
// Everything that is readable is parsed, executed and answered with one write. If too much waits to
// be sent, the connection takes no more commands and stops reading. sweep() closes connections
// whose peers are slow, never read, or show no token. The reactor's thread only.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "kvstore/redis/command_parser.h"
#include "kvstore/redis/face_context.h"
#include "kvstore/redis/session.h"
#include "kvstore/server/memory_share.h"
#include "kvstore/server/turns.h"
#include "proto/base/metrics.h"
#include "proto/net/stream.h"

namespace edged::redis {

// What all connections of the face share; outlives them.
struct ConnectionContext {
  FaceContext& face;
  server::MemoryTotal& memory;
  Counter& received_bytes;
  Counter& sent_bytes;
  Counter& failed_handshakes;
};

class Connection final : public std::enable_shared_from_this<Connection> {
 public:
  using OnClosed = std::function<void(const std::shared_ptr<Connection>&)>;

  // `reactor` owns the stream's io_context, `parts` and `turns`, and lives as long as this.
  Connection(std::shared_ptr<void> reactor,
             ReactorParts& parts,
             server::Turns& turns,
             net::Stream stream,
             const ConnectionContext& context,
             OnClosed on_closed);

  void start();
  // False until the peer has shown the token that this node wants.
  bool is_known() const { return known_; }
  // The connection's number in Strangers (kvstore/server/strangers.h), or 0 if it never was in
  // there.
  std::uint64_t stranger_number() const { return stranger_number_; }
  void set_stranger_number(std::uint64_t number) { stranger_number_ = number; }
  int native_handle() { return stream_.native_handle(); }
  // Called once, when the peer becomes known.
  void on_known(std::function<void()> then) { on_known_ = std::move(then); }
  // Answers what has arrived, then closes.
  void drain();
  void close();
  // Closes if a deadline has passed.
  void sweep(std::chrono::milliseconds now);

 private:
  using Error = boost::system::error_code;

  void shake_hands();
  void begin();
  void read();
  void on_read(Error error, std::size_t count);
  void on_progress();
  void process();
  void wait_for_turn();
  void look_who_it_is();
  bool has_room() const;
  void count_memory();
  void flush();
  void write_some();
  void finish_if_done();
  void linger();

  std::shared_ptr<void> reactor_;  // before stream_: destroyed after it
  ReactorParts& parts_;
  server::Turns& turns_;
  net::Stream stream_;
  const ConnectionContext& context_;
  const RedisLimits& limits_;
  server::MemoryShare memory_;
  OnClosed on_closed_;
  CommandParser parser_;
  std::string out_, sending_;
  std::shared_ptr<Session> session_;
  std::size_t sent_ = 0;
  std::array<char, 1024> discarded_{};
  std::uint64_t stranger_number_ = 0;
  std::function<void()> on_known_;

  bool begun_ = false;  // TLS is there
  bool reading_ = false, writing_ = false;
  bool waits_for_turn_ = false, had_share_ = false, in_progress_ = false, again_ = false;
  bool held_command_ = false;  // behind the writes before it
  bool broken_ = false;        // what the peer sends is not understood
  bool known_ = true;
  bool ending_ = false, lingering_ = false, closed_ = false;
  std::chrono::milliseconds last_read_{0}, last_write_{0}, command_since_{0}, stranger_since_{0};
};

}  // namespace edged::redis
