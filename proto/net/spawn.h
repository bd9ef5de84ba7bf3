// SPDX-License-Identifier: Apache-2.0
// Starts coroutines. An exception that leaves one is a bug or exhausted memory: it leaves the event
// loop and ends the process, and the supervisor restarts it. Any thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <optional>
#include <utility>

namespace edged::net {

// Runs `task` on `executor` (or an io_context) beside the caller.
template <typename Executor>
void spawn(Executor& executor, boost::asio::awaitable<void> task) {
  auto rethrow = [](std::exception_ptr error) {
    if (error) std::rethrow_exception(error);
  };
  boost::asio::co_spawn(executor, std::move(task), rethrow);
}

// The same, and calls `on_end` when it has ended, also if by an exception.
template <typename Executor, typename OnEnd>
void spawn(Executor& executor, boost::asio::awaitable<void> task, OnEnd on_end) {
  auto ended = [on_end = std::move(on_end)](std::exception_ptr error) mutable {
    on_end();
    if (error) std::rethrow_exception(error);
  };
  boost::asio::co_spawn(executor, std::move(task), std::move(ended));
}

template <typename T, typename OnEnd>
boost::asio::awaitable<void> pass_result(boost::asio::awaitable<T> task, OnEnd on_end) {
  T result = co_await std::move(task);
  on_end(std::move(result));
}

// The same with the task's result.
template <typename T, typename Executor, typename OnEnd>
void spawn(Executor& executor, boost::asio::awaitable<T> task, OnEnd on_end) {
  spawn(executor, pass_result(std::move(task), std::move(on_end)));
}

template <typename T>
boost::asio::awaitable<void> keep_result(boost::asio::awaitable<T> work, std::optional<T>* result) {
  T value = co_await std::move(work);
  result->emplace(std::move(value));
}

// Runs the event loop of `io` until `work` has ended, and returns its result. Its exception is
// thrown on. Other work of `io` stays where it is.
template <typename T>
T run_until_done(boost::asio::io_context& io, boost::asio::awaitable<T> work) {
  std::optional<T> result;
  std::exception_ptr failure;
  bool done = false;
  auto ended = [&failure, &done](std::exception_ptr error) {
    failure = error;
    done = true;
  };
  boost::asio::co_spawn(io, keep_result(std::move(work), &result), ended);
  io.restart();
  while (!done && io.run_one() > 0) {
  }
  if (failure) std::rethrow_exception(failure);
  return std::move(*result);
}

}  // namespace edged::net
