// SPDX-License-Identifier: Apache-2.0
// Runs one coroutine to its end on an io_context, for tests. An exception of the coroutine is
// thrown on.
#pragma once

#include <boost/asio.hpp>

#include "proto/net/spawn.h"

namespace edged::test {

template <typename T>
T run_awaitable(boost::asio::io_context& io, boost::asio::awaitable<T> work) {
  return net::run_until_done(io, std::move(work));
}

}  // namespace edged::test
