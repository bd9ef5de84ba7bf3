// SPDX-License-Identifier: Apache-2.0
// One HTTP connection of a Server, plain or with TLS: requests one after the other, within the
// server's limits. The server's executor only.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <memory>

#include "proto/http/server.h"

namespace edged::http {

// What connections need of their server; outlives them.
struct Service {
  ServerOptions options;
  std::function<boost::asio::awaitable<Response>(Request)> answer;
  bool draining = false;  // no further request is taken after the one under way
};

class Connection {
 public:
  virtual ~Connection() = default;
  // Until the connection ends. The connection outlives it.
  virtual boost::asio::awaitable<void> serve() = 0;
  // True while it waits for a request.
  virtual bool idle() const = 0;
  virtual void close() = 0;
};

// `tls` null: plain. A failed handshake is counted and ends the connection.
std::unique_ptr<Connection> make_connection(boost::asio::ip::tcp::socket socket,
                                            std::shared_ptr<net::TlsContext> tls,
                                            const Service& service);

}  // namespace edged::http
