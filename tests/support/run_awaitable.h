// SPDX-License-Identifier: Apache-2.0
// Runs one coroutine to its end on an io_context, for tests. An exception of the coroutine is
// thrown on.
#pragma once

#include <boost/asio.hpp>
#include <exception>
#include <optional>
#include <utility>

namespace edged::test {

template <typename T>
boost::asio::awaitable<void> keep_result(boost::asio::awaitable<T> work, std::optional<T>* result) {
  T value = co_await std::move(work);
  result->emplace(std::move(value));
}

template <typename T>
T run_awaitable(boost::asio::io_context& io, boost::asio::awaitable<T> work) {
  std::optional<T> result;
  std::exception_ptr failure;
  bool done = false;
  boost::asio::co_spawn(
      io, keep_result(std::move(work), &result), [&failure, &done](std::exception_ptr error) {
        failure = error;
        done = true;
      });
  io.restart();
  while (!done && io.run_one() > 0) {
  }
  if (failure) std::rethrow_exception(failure);
  return std::move(*result);
}

}  // namespace edged::test
