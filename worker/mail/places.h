// SPDX-License-Identifier: Apache-2.0
// Lets so many coroutines at once do something; others wait for a place. Executor's thread; the
// object outlives its coroutines.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "proto/net/condition.h"

namespace edged::mail {

class Places {
 public:
  Places(const boost::asio::any_io_executor& executor, int count)
      : freed_(executor), free_(count) {}

  // Waits for a place; give() it back.
  boost::asio::awaitable<void> take() {
    co_await freed_.wait([this] { return free_ > 0; });
    --free_;
  }
  void give() {
    ++free_;
    freed_.notify_all();
  }

 private:
  net::AsyncCondition freed_;
  int free_;
};

}  // namespace edged::mail
