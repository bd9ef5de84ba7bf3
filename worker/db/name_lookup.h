// SPDX-License-Identifier: Apache-2.0
// Addresses of host names, asked for without blocking and side by side. The system's resolver
// cannot be interrupted and may be silent for half a minute, and Asio's has one thread for all
// names, on which the end of the io_context waits. So each name has a thread of its own here, which
// nothing waits for; a name that is being asked for is not asked for again, so there are no more
// threads than names. Executor's thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <string>
#include <vector>

#include "proto/base/status.h"

namespace edged::db {

using Addresses = Result<std::vector<std::string>>;

// The addresses of each of `names`, in their order. Errors, each name its own:
// kUnavailable (it has no address, or the DNS gave no answer before `deadline`).
boost::asio::awaitable<std::vector<Addresses>> look_up(
    boost::asio::any_io_executor executor,
    std::vector<std::string> names,
    std::chrono::steady_clock::time_point deadline);

}  // namespace edged::db
