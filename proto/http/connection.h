// SPDX-License-Identifier: Apache-2.0
// One HTTP connection of a Server: requests one after the other, within the
// server's limits. The server's executor only.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <memory>

#include "proto/http/byte_stream.h"
#include "proto/http/exchange.h"
#include "proto/http/server.h"

namespace edged::http {

// What becomes of a request.
struct Route {
  ExchangeHandler handler;
  RawOptions bounds{};
  bool health_page = false;  // answered on a health-only connection too
  bool linked = false;       // links on other sites lead to it
};

// What connections need of their server; outlives them.
struct Service {
  ServerOptions options;
  // Errors: kInvalidArgument: the request is answered 400 with the message, then the connection
  // ends.
  std::function<Result<Route>(const RequestHead&)> find_route;
  bool draining = false;  // no further request is taken after the one under way
};

class Connection {
 public:
  // What the connection costs and is worth, for the choice of one that has to go.
  enum class Phase {
    kUnfinished,  // no whole header yet since it connected or began a request; or it was refused
    kIdle,        // between two requests
    kBusy,        // a whole header is there: its body, its answer
  };

  virtual ~Connection() = default;
  // Until the connection ends. The connection outlives it.
  virtual boost::asio::awaitable<void> serve() = 0;
  // True while it waits for a request's first byte.
  virtual bool idle() const = 0;
  virtual Phase phase() const = 0;
  // When the phase began.
  virtual std::chrono::steady_clock::time_point since() const = 0;
  virtual void close() = 0;
};

// A failed handshake is counted and ends the connection. `health_only`: it was
// taken although all ordinary connections are in use, carries one request and answers it only if
// its path is a health page's, else 503.
std::unique_ptr<Connection> make_connection(std::unique_ptr<ByteStream> stream,
                                            const Service& service,
                                            bool health_only);

}  // namespace edged::http
