// SPDX-License-Identifier: Apache-2.0
// Keeps a mail's lease while its deliverer waits for something that may take longer than the lease:
// renews it on a timer from construction until stop(). A renewal that fails is tried again at the
// next interval. When a renewal finds the lease lost, it is the last one; the statement that ends
// the lease will find that too. Executor's thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>

#include "worker/class_monitor/outbox_store.h"

namespace edged::mail {

class LeaseKeeper {
 public:
  // `store` outlives the renewals.
  LeaseKeeper(boost::asio::any_io_executor executor,
              OutboxStore& store,
              LeaseKey lease,
              std::chrono::milliseconds interval);

  // Returns once no renewal is under way. Must be awaited before the object is destroyed, unless
  // the io_context will not run again.
  boost::asio::awaitable<void> stop();

 private:
  struct State;
  static boost::asio::awaitable<void> renew(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace edged::mail
