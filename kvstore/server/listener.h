// SPDX-License-Identifier: Apache-2.0
// Accepts connections on one address and hands each to the server. When descriptors run out it
// waits before it accepts again instead of spinning. The reactor it was opened on only; close()
// there too.
#pragma once

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>

#include "proto/base/status.h"

namespace edged::server {

class Listener {
 public:
  using Socket = boost::asio::generic::stream_protocol::socket;
  // Which reactor the next connection is to live on, and where it goes.
  using NextReactor = std::function<boost::asio::io_context&()>;
  using OnAccepted = std::function<void(boost::asio::io_context&, Socket)>;

  virtual ~Listener() = default;
  virtual void start(NextReactor next_reactor, OnAccepted on_accepted) = 0;
  virtual void close() = 0;
  // "127.0.0.1:4780" with the port in use, or the path of the unix socket.
  virtual std::string address() const = 0;
};

// `address` is a numeric host and a port: "127.0.0.1:0", "[::1]:4780".
// Errors: kInvalidArgument; kUnavailable (in use, or not this machine's).
Result<std::unique_ptr<Listener>> listen_tcp(boost::asio::io_context& io,
                                             const std::string& address);

// A socket file that nobody listens on is replaced, one with a listener is not. Mode 0660.
// Errors: kInvalidArgument (path too long); kUnavailable (in use, or cannot be created).
Result<std::unique_ptr<Listener>> listen_unix(boost::asio::io_context& io, const std::string& path);

}  // namespace edged::server
