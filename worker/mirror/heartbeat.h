// SPDX-License-Identifier: Apache-2.0
// Sends the heartbeats that prove how fresh the copy is, and detects changes of the tables' shape
// (shape.h). A heartbeat is a message in the stream that carries PostgreSQL's time: once it has
// come through, everything that was committed before that time is in the node. The executor's
// thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/clock.h"
#include "proto/base/status.h"
#include "worker/db/pg_pool.h"
#include "worker/mirror/rule.h"

namespace edged::mirror {

// A heartbeat as it came through the stream.
struct Heartbeat {
  std::string slot;  // of the mirror that sent it; empty: of one with a temporary slot
  std::int64_t beat = 0;
  WallTime at{};  // PostgreSQL's clock
};
inline constexpr std::string_view kHeartbeatPrefix = "edged";
// Errors: kCorruption.
Result<Heartbeat> decode_heartbeat(std::string_view content);

struct HeartbeatOptions {
  std::string slot;  // empty: temporary
  std::string publication;
  std::vector<Rule> rules;
  std::string shape;  // the tables as they were loaded
  std::chrono::milliseconds interval{1000};
};

class Heartbeats {
 public:
  // All outlive this object. `on_change` is called once, if the shape has changed.
  Heartbeats(boost::asio::any_io_executor executor,
             db::PgPool& pool,
             const Clock& clock,
             HeartbeatOptions options,
             std::function<void(std::string why)> on_change);

  // Until stop(). `first` is the number of the next beat.
  boost::asio::awaitable<void> run(std::int64_t first);
  void stop();

  // Called for each heartbeat that came through the stream, also another mirror's. Returns the
  // time, by this machine's clock, up to which the copy is proven; nothing if the shape was never
  // read.
  std::optional<WallTime> proves(const Heartbeat& heartbeat);

 private:
  boost::asio::awaitable<void> beat();

  db::PgPool& pool_;
  const Clock& clock_;
  const HeartbeatOptions options_;
  const std::function<void(std::string)> on_change_;
  boost::asio::steady_timer timer_;
  bool stopped_ = false;
  std::int64_t next_beat_ = 1;
  std::optional<WallTime> verified_;     // the tables were what they were after this, by own clock
  std::chrono::milliseconds offset_{0};  // PostgreSQL's clock minus ours, at most
  std::chrono::milliseconds last_seen_{0};  // boot time
  std::string told_;
};

}  // namespace edged::mirror
