// SPDX-License-Identifier: Apache-2.0
// The HTTP/1.1 server shell that node and worker share: listener, limits, time-outs, routing by
// exact path or path prefix. Handlers are coroutines on the server's executor: route() gives them
// whole requests and takes whole answers, route_raw() streams both (exchange.h). Limits: header 8
// KiB within 10 s, body `body_bytes_max` at 64 KiB/s or more after 10 s, idle 75 s, at most
// `connections_max`. When they are all in use, a new connection takes the place of the one whose
// header has been unfinished for longest, else of the one idle for longest; health pages have
// places of their own besides. Refusals are short JSON, {"error":"..."}: 400, 403, 404, 405, 413,
// 431, 500, 501, 503, 505. Thread: everything on the executor's, which is one thread or a strand.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/base/metrics.h"
#include "proto/base/status.h"
#include "proto/http/exchange.h"
#include "proto/http/message.h"
#include "proto/net/tls.h"

namespace edged::http {

using Handler = std::function<boost::asio::awaitable<Response>(Request)>;

struct ServerOptions {
  std::string
      address;  // "127.0.0.1:4781", "tls:0.0.0.0:4781", "unix:/path"; port 0 picks a free one
  std::shared_ptr<net::ServerTls> tls{};  // for a tls: address; null: it may not be one
  Counter* failed_handshakes = nullptr;   // outlives the server
  std::size_t body_bytes_max = 1 << 20;
  // Together with those for health pages alone: `health_connections_max`, at most a quarter of it.
  std::size_t connections_max = 1000;
  std::size_t health_connections_max = 16;
  // Names, without port, that a request's Host may have, besides numeric addresses and localhost
  // (own_host.h).
  std::vector<std::string> hosts{};
  // Further such names: called with one in lower case, without port. Null: none.
  std::function<bool(const std::string& host)> is_own_name{};
  std::size_t header_bytes_max = 8 * 1024;
  std::chrono::milliseconds header_timeout{10'000};  // from its first byte, or from connecting
  std::chrono::milliseconds idle_timeout{75'000};    // between requests
  // A body must come, and an answer be taken, within transfer_grace + bytes / transfer_rate_min.
  std::chrono::milliseconds transfer_grace{10'000};
  std::size_t transfer_rate_min = 64 * 1024;  // bytes per second
};

class Server {
 public:
  Server(boost::asio::any_io_executor executor, ServerOptions options);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Before listen(). `path` is exact; one that ends in '/' matches everything below it, the longest
  // first ("/" alone is only the start page). HEAD is answered by GET's handler. Another method on
  // a known path is answered 405, an unknown path 404. A handler that throws is answered 500.
  void route(std::string method, std::string path, Handler handler);

  // Before listen(). Every request whose undecoded path begins with `path_prefix` ("/client/v4/";
  // "/" takes all), with any method, before any route(); the longest prefix wins.
  void route_raw(std::string path_prefix, ExchangeHandler handler, RawOptions bounds);

  // Before listen(). `path` is a health page: it is answered even if other requests have taken all
  // ordinary connections.
  void add_health_path(std::string path);

  // Before listen(). Browsers may come to `path` from other sites, by links or forms. Only for a
  // handler whose requests prove themselves what they may do: it gets no other protection.
  void add_linked_path(std::string path);

  // Binds and starts to accept. Errors: kUnavailable ("could not listen on 127.0.0.1:80: …");
  // kInvalidArgument (the address is none of HOST:PORT, tls:HOST:PORT, unix:PATH, or lacks its
  // TLS).
  Status listen();
  // "127.0.0.1:4781", with the port in use, and tls: if it was so configured, or "unix:/path".
  // After listen().
  std::string address() const;
  // Stops accepting, closes idle connections, lets requests under way end; what is left after
  // `timeout` is closed. Safe to call twice.
  boost::asio::awaitable<void> drain(std::chrono::milliseconds timeout);

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace edged::http
