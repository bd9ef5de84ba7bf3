// SPDX-License-Identifier: Apache-2.0
#include "worker/cron/ticker.h"

#include <boost/asio.hpp>
#include <utility>

#include "proto/base/log.h"

namespace edged::worker {
namespace asio = boost::asio;

struct Ticker::State {
  State(const asio::any_io_executor& executor,
        TickerOptions options,
        const Clock& wall,
        Callback call)
      : timer(executor),
        job(std::move(options.job)),
        plan(std::move(options.schedules),
             options.misfire,
             stable_jitter(job, options.jitter_max),
             options.last_tick.value_or(wall.wall_now())),
        clock(wall),
        callback(std::move(call)) {}

  asio::steady_timer timer;
  std::string job;
  TickPlan plan;
  const Clock& clock;
  Callback callback;
  bool stopped = false;
};

Ticker::Ticker(asio::any_io_executor executor,
               TickerOptions options,
               const Clock& clock,
               Callback callback)
    : state_(std::make_shared<State>(
          std::move(executor), std::move(options), clock, std::move(callback))) {}

Ticker::~Ticker() {
  stop();
}

void Ticker::start() {
  asio::co_spawn(state_->timer.get_executor(), run(state_), asio::detached);
}

void Ticker::stop() {
  state_->stopped = true;
  state_->timer.cancel();
}

std::optional<WallTime> Ticker::next_due() const {
  return state_->plan.next_due();
}

const std::string& Ticker::job() const {
  return state_->job;
}

asio::awaitable<void> Ticker::run(std::shared_ptr<State> state) {
  while (!state->stopped) {
    const TickPlan::Step step = state->plan.next(state->clock.wall_now());
    if (!step.run) {
      state->timer.expires_after(step.sleep);
      co_await state->timer.async_wait(asio::as_tuple(asio::use_awaitable));
      continue;
    }
    try {
      co_await state->callback(*step.run);
    } catch (const std::exception& error) {
      log::error("the tick of job " + state->job + " failed: " + error.what());
    }
  }
}

}  // namespace edged::worker
