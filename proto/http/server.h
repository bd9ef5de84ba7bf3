// SPDX-License-Identifier: Apache-2.0
// The HTTP/1.1 server shell that node and worker share: listener, limits, time-outs, routing by exact
// path or path prefix. Beast stays in server.cc. Handlers are coroutines on the server's executor.
// Limits: header 8 KiB within 10 s, body `body_bytes_max`, idle 75 s, at most `connections_max`.
#pragma once

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

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "proto/base/status.h"

namespace edged::http {

struct Request {
  std::string method;  // "GET"
  std::string path;    // percent-decoded, without the query
  std::map<std::string, std::string> query;    // decoded; the last of equal names wins
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

struct Response {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
};

using Handler = std::function<boost::asio::awaitable<Response>(Request)>;

struct ServerOptions {
  std::string address;  // "127.0.0.1:4781"; port 0 picks a free one
  std::size_t body_bytes_max = 1 << 20;
  std::size_t connections_max = 1000;
};

class Server {
 public:
  Server(boost::asio::any_io_executor executor, ServerOptions options);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Before listen(). `path` is exact; one that ends in '/' matches everything below it, the longest
  // first. Another method on a known path is answered 405, an unknown path 404.
  void route(std::string method, std::string path, Handler handler);

  // Binds and starts to accept. Errors: kUnavailable ("could not listen on 127.0.0.1:80: …").
  Status listen();
  // "127.0.0.1:4781", with the port in use. After listen().
  std::string address() const;
  // Stops accepting, lets requests under way end, closes idle connections. Safe to call twice.
  boost::asio::awaitable<void> drain(std::chrono::milliseconds timeout);

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

// True if a request that a browser made for another site must be refused (403): a foreign Origin or
// Sec-Fetch-Site. Server applies it to every request before routing.
bool from_foreign_site(const Request& request, std::string_view own_host);

}  // namespace edged::http
