// SPDX-License-Identifier: Apache-2.0
// Calls back at each due time of a job's schedules. tick_plan.h has the rules for missed ticks and
// stepped clocks. One run per tick in a whole fleet is the callback's affair (unique (job,
// due_at)). The executor's thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proto/base/clock.h"
#include "worker/cron/tick_plan.h"

namespace edged::worker {

struct TickerOptions {
  std::string job;
  std::vector<Schedule> schedules;
  Misfire misfire = Misfire::kNone;
  std::chrono::milliseconds jitter_max{0};  // 0: none; see stable_jitter
  std::optional<WallTime> last_tick;        // the last one known to be done with; nothing: now
};

class Ticker {
 public:
  // `due_at` is the tick without jitter. The ticker waits for the callback: ticks that pass
  // meanwhile are missed ones. A callback that throws is logged, and the ticker goes on.
  using Callback = std::function<boost::asio::awaitable<void>(WallTime due_at)>;

  // `clock` outlives the ticker's executor.
  Ticker(boost::asio::any_io_executor executor,
         TickerOptions options,
         const Clock& clock,
         Callback callback);
  ~Ticker();  // stops
  Ticker(const Ticker&) = delete;
  Ticker& operator=(const Ticker&) = delete;

  void start();  // once
  // No callback begins any more; one under way ends as it likes. Safe to call twice.
  void stop();

  std::optional<WallTime> next_due() const;
  const std::string& job() const;

 private:
  struct State;
  static boost::asio::awaitable<void> run(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace edged::worker
