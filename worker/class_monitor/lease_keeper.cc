// SPDX-License-Identifier: Apache-2.0
#include "worker/class_monitor/lease_keeper.h"

#include <boost/asio.hpp>
#include <utility>

#include "proto/net/condition.h"
#include "proto/net/spawn.h"

namespace edged::mail {
namespace {

namespace asio = boost::asio;

}  // namespace

struct LeaseKeeper::State {
  State(const asio::any_io_executor& executor, OutboxStore& outbox, LeaseKey key)
      : pause(executor), ended(executor), store(outbox), lease(key) {}

  asio::steady_timer pause;
  net::AsyncCondition ended;
  OutboxStore& store;
  LeaseKey lease;
  std::chrono::milliseconds interval{};
  bool is_stopped = false;
  bool is_running = true;
};

LeaseKeeper::LeaseKeeper(asio::any_io_executor executor,
                         OutboxStore& store,
                         LeaseKey lease,
                         std::chrono::milliseconds interval)
    : state_(std::make_shared<State>(executor, store, lease)) {
  state_->interval = interval;
  net::spawn(executor, renew(state_));
}

asio::awaitable<void> LeaseKeeper::renew(std::shared_ptr<State> state) {
  bool is_ours = true;
  while (is_ours && !state->is_stopped) {
    state->pause.expires_after(state->interval);
    co_await state->pause.async_wait(asio::as_tuple(asio::use_awaitable));
    if (state->is_stopped) break;
    const Result<bool> renewed = co_await state->store.renew(state->lease);
    is_ours = !renewed || *renewed;
  }
  state->is_running = false;
  state->ended.notify_all();
}

asio::awaitable<void> LeaseKeeper::stop() {
  const std::shared_ptr<State> state = state_;
  state->is_stopped = true;
  state->pause.cancel();
  const State* const kept = state.get();
  co_await state->ended.wait([kept] { return !kept->is_running; });
}

}  // namespace edged::mail
