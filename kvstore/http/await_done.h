// SPDX-License-Identifier: Apache-2.0
// Lets a coroutine wait for an operation that answers through a callback on any thread. The
// coroutine goes on where it was, on its own executor:
//   auto start = [&](operations::Done<Entry> done) { operations.get(caller, ns, key, max, done); };
//   const Result<Entry> entry = co_await await_done<Entry>(start);
// The callback must be called exactly once, before or after `start` returns. The event loop must
// outlive every copy of it.
#pragma once

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "proto/base/status.h"

namespace edged::kv_http {

// `start` is called once, on the coroutine's executor, with a std::function<void(Result<T>)>. What
// it refers to must live until the coroutine goes on: name the closure in the calling coroutine
// (GCC bug 107288).
template <typename T, typename Start>
boost::asio::awaitable<Result<T>> await_done(Start& start) {
  std::optional<Result<T>> answer;
  auto initiate = [&start, &answer](auto handler) {
    auto executor = boost::asio::get_associated_executor(handler);
    // std::function copies what it holds, and the handler can only be moved.
    auto held = std::make_shared<decltype(handler)>(std::move(handler));
    // Keeps the event loop alive while another thread does the work.
    auto work = boost::asio::make_work_guard(executor);
    start(std::function<void(Result<T>)>([held, work, executor, &answer](Result<T> result) mutable {
      auto resume = [held, work, &answer, result = std::move(result)]() mutable {
        answer.emplace(std::move(result));
        std::move (*held)();
      };
      boost::asio::post(executor, std::move(resume));
    }));
  };
  co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void()>(
      initiate, boost::asio::use_awaitable);
  co_return std::move(*answer);
}

}  // namespace edged::kv_http
