// SPDX-License-Identifier: Apache-2.0
// Connects to a node and exchanges hellos. Bounded by a deadline.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <string>

#include "proto/base/status.h"
#include "proto/net/stream.h"
#include "proto/wire/frame.h"

namespace edged::net {

struct ConnectOptions {
  std::string address;      // "unix:/path", "HOST:PORT", "tls:HOST:PORT"
  std::string tls_ca_file;  // who may vouch for a tls: address (PEM); empty: whom the system trusts
  std::chrono::milliseconds timeout;
};

struct Connected {
  Stream stream;
  wire::Hello hello;  // the server's answer
};

// Errors: kInvalidArgument (the address, the file); kUnavailable; kUnsupported (no common version).
boost::asio::awaitable<Result<Connected>> connect(boost::asio::any_io_executor executor,
                                                  ConnectOptions options);

}  // namespace edged::net
