// SPDX-License-Identifier: Apache-2.0
// Lets a coroutine wait for an operation that answers through a callback on any thread. The
// coroutine goes on where it was, on its own executor; if the answer comes before `start` returns,
// as from memory, it goes on without having waited:
//   auto start = [&](operations::Done<Entry> done) { operations.get(caller, ns, key, max, done); };
//   const Result<Entry> entry = co_await await_done<Entry>(start);
// The callback must be called exactly once, before or after `start` returns. The event loop must
// outlive every copy of it.
#pragma once

#include <atomic>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "proto/base/status.h"

namespace edged::kv_http {

namespace detail {

// The answer, and which came first: it, or the coroutine's wait for it.
template <typename T>
struct Awaited {
  enum class Phase { kStarting, kWaiting, kAnswered };
  std::atomic<Phase> phase{Phase::kStarting};
  std::optional<Result<T>> answer;  // written before kAnswered
  std::function<void()> resume;     // written before kWaiting
};

}  // namespace detail

// `start` is called once, on the coroutine's executor, with a std::function<void(Result<T>)>. What
// it refers to must live until the coroutine goes on: name the closure in the calling coroutine
// (GCC bug 107288).
template <typename T, typename Start>
boost::asio::awaitable<Result<T>> await_done(Start& start) {
  using Awaited = detail::Awaited<T>;
  using Phase = typename Awaited::Phase;
  const auto awaited = std::make_shared<Awaited>();
  start(std::function<void(Result<T>)>([awaited](Result<T> result) {
    awaited->answer.emplace(std::move(result));
    if (awaited->phase.exchange(Phase::kAnswered) == Phase::kWaiting) {
      std::exchange(awaited->resume, nullptr)();
    }
  }));
  if (awaited->phase.load() == Phase::kAnswered) co_return std::move(*awaited->answer);
  auto initiate = [&awaited](auto handler) {
    auto executor = boost::asio::get_associated_executor(handler);
    // std::function copies what it holds, and the handler can only be moved.
    auto held = std::make_shared<decltype(handler)>(std::move(handler));
    // Keeps the event loop alive while another thread does the work.
    auto work = boost::asio::make_work_guard(executor);
    awaited->resume = [held, work, executor] {
      boost::asio::post(executor, [held, work] { std::move (*held)(); });
    };
    Phase phase = Phase::kStarting;
    if (!awaited->phase.compare_exchange_strong(phase, Phase::kWaiting)) {
      std::exchange(awaited->resume, nullptr)();  // the answer came meanwhile
    }
  };
  co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void()>(
      initiate, boost::asio::use_awaitable);
  co_return std::move(*awaited->answer);
}

}  // namespace edged::kv_http
