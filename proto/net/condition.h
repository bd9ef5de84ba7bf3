// SPDX-License-Identifier: Apache-2.0
// Lets coroutines wait until something holds: the asynchronous counterpart of
// std::condition_variable. Whoever changes what a waiting coroutine looks at calls notify_all()
// afterwards. On one executor's thread only.
//
// If the condition is destroyed while a coroutine waits, that coroutine is never resumed; its frame
// goes with the io_context.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <memory>
#include <utility>

namespace edged::net {

class AsyncCondition {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit AsyncCondition(const boost::asio::any_io_executor& executor)
      : timer_(std::make_shared<boost::asio::steady_timer>(executor, Time::max())) {}
  AsyncCondition(const AsyncCondition&) = delete;
  AsyncCondition& operator=(const AsyncCondition&) = delete;

  void notify_all() { timer_->cancel(); }

  // Returns once `holds()` is true, at once if it is already. `holds` is called on the executor's
  // thread; what it refers to outlives the wait. A closure that owns something must be a named
  // variable of the caller (GCC bug 107288).
  template <typename Predicate>
  boost::asio::awaitable<void> wait(Predicate holds) const {
    return wait_on(timer_, std::move(holds));
  }

  // The same, at the latest until `deadline`. Returns whether `holds()` is true.
  template <typename Predicate>
  boost::asio::awaitable<bool> wait_until(Time deadline, Predicate holds) const {
    return wait_on_until(timer_, deadline, std::move(holds));
  }

 private:
  // Never expires: cancelling it resumes all that wait.
  using Timer = std::shared_ptr<boost::asio::steady_timer>;

  template <typename Predicate>
  static boost::asio::awaitable<void> wait_on(Timer timer, Predicate holds) {
    while (!holds()) {
      co_await timer->async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    }
  }

  template <typename Predicate>
  static boost::asio::awaitable<bool> wait_on_until(Timer timer, Time deadline, Predicate holds) {
    boost::asio::steady_timer limit(timer->get_executor(), deadline);
    limit.async_wait([timer](const boost::system::error_code& error) {
      if (!error) timer->cancel();
    });
    while (!holds()) {
      if (std::chrono::steady_clock::now() >= deadline) co_return false;
      co_await timer->async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    }
    co_return true;
  }

  Timer timer_;
};

}  // namespace edged::net
