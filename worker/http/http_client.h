// SPDX-License-Identifier: Apache-2.0
// Sends HTTP requests from coroutines: libcurl's multi interface driven by Asio. Thousands of
// requests may be under way at once; connections are kept alive and used again. TLS is verified,
// redirects and bodies are bounded, and each request has a deadline.
//
// One thread: every call, the destructor too, is made on the executor's thread (or before it runs,
// or after it stopped). Destroy the client before its io_context; requests under way then end with
// kUnavailable. A cancelled or destroyed perform() drops its request.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "proto/base/status.h"

namespace edged::http {

struct HttpRequest {
  std::string method = "GET";
  std::string url;  // http or https
  std::vector<std::pair<std::string, std::string>>
      headers;  // a line break in one is kInvalidArgument
  std::string body;
  std::chrono::milliseconds timeout{30'000};  // from perform() to the last byte
};

struct HttpAnswer {
  int status = 0;
  std::string body;  // decompressed
  std::string content_type;
  std::optional<std::chrono::seconds> retry_after;  // the header, as seconds from now
};

struct HttpClientOptions {
  long idle_connections_max = 4096;
  std::size_t body_bytes_max = 1 << 20;
  long redirects_max = 3;  // 0: a redirection is an answer like any other
  // Where redirects may lead besides the request's own host and port: HOST or HOST:PORT.
  std::vector<std::string> redirect_hosts;
  std::chrono::milliseconds connect_timeout{10'000};
  std::string ca_file;  // PEM; empty: the system's
  std::string proxy;  // "http://HOST:PORT", "socks5h://…", "none"; empty: what the environment says
};

class HttpClient {
 public:
  HttpClient(boost::asio::any_io_executor executor, HttpClientOptions options);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // Any HTTP status is an answer. Errors: kDeadlineExceeded; kUnavailable: no connection,
  // connection lost, cancelled; kDenied: the server's certificate is not trusted, or ca_file cannot
  // be used; kTooLarge: body above the bound; kCorruption: not HTTP, bad encoding, too many
  // redirects, or one to a server that is not allowed; kInvalidArgument: URL or header not usable.
  boost::asio::awaitable<Result<HttpAnswer>> perform(HttpRequest request);

  // Requests under way, and connections opened since the start.
  std::size_t in_flight() const;
  std::uint64_t connections_opened() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

// `url` without user, password, query and fragment, for messages.
std::string printable_url(std::string_view url);

}  // namespace edged::http
