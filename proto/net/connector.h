// SPDX-License-Identifier: Apache-2.0
// Connects to a node and exchanges hellos: "unix:/path" or "host:port". Bounded by a deadline.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <chrono>
#include <string>

#include "proto/base/status.h"
#include "proto/wire/frame.h"

namespace edged::net {

using Socket = boost::asio::generic::stream_protocol::socket;

struct Connected {
  Socket socket;
  wire::Hello hello;  // the server's answer
};

// Errors: kInvalidArgument (the address); kUnavailable; kUnsupported (no common version).
boost::asio::awaitable<Result<Connected>> connect(boost::asio::any_io_executor executor,
                                                  std::string address,
                                                  std::chrono::milliseconds timeout);

}  // namespace edged::net
