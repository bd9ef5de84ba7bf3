// SPDX-License-Identifier: Apache-2.0
// See connector.h. One timer closes the socket at the deadline; whatever waits then fails.
#include "proto/net/connector.h"

#include <sys/un.h>

#include <array>
#include <boost/asio.hpp>
#include <boost/asio/experimental/as_tuple.hpp>
#include <memory>
#include <utility>
#include <vector>

namespace edged::net {
namespace {

namespace asio = boost::asio;
using Error = boost::system::error_code;
using Endpoint = asio::generic::stream_protocol::endpoint;
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

struct Attempt {
  explicit Attempt(asio::any_io_executor executor)
      : socket(executor), resolver(executor), timer(executor) {}
  Socket socket;
  asio::ip::tcp::resolver resolver;
  asio::steady_timer timer;
  bool timed_out = false;
};

Status failed(const std::string& address, const std::string& why) {
  return {Code::kUnavailable, "could not connect to \"" + address + "\": " + why};
}

asio::awaitable<Result<std::vector<Endpoint>>> resolve(std::shared_ptr<Attempt> attempt,
                                                       std::string address) {
  constexpr std::string_view kUnix = "unix:";
  if (address.starts_with(kUnix)) {
    const std::string path = address.substr(kUnix.size());
    if (path.empty() || path.size() >= sizeof(sockaddr_un::sun_path)) {
      co_return Status(Code::kInvalidArgument,
                       "could not connect to \"" + address + "\": the path has not 1 to 107 bytes");
    }
    co_return std::vector<Endpoint>{Endpoint(asio::local::stream_protocol::endpoint(path))};
  }
  const std::size_t colon = address.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == address.size()) {
    co_return Status(
        Code::kInvalidArgument,
        "could not connect to \"" + address + "\": it is neither unix:PATH nor HOST:PORT");
  }
  std::string host = address.substr(0, colon);
  if (host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  auto [error, found] =
      co_await attempt->resolver.async_resolve(host, address.substr(colon + 1), kAwait);
  if (error) {
    co_return failed(address, attempt->timed_out ? "timed out" : error.message());
  }
  std::vector<Endpoint> endpoints;
  for (const auto& entry : found) {
    endpoints.emplace_back(entry.endpoint());
  }
  co_return endpoints;
}

asio::awaitable<Error> connect_any(std::shared_ptr<Attempt> attempt,
                                   std::vector<Endpoint> endpoints) {
  Error last = asio::error::host_not_found;
  for (const Endpoint& endpoint : endpoints) {
    if (attempt->timed_out) {
      break;
    }
    Error ignored;
    attempt->socket.close(ignored);
    auto [error] = co_await attempt->socket.async_connect(endpoint, kAwait);
    if (!error) {
      if (endpoint.protocol().family() != AF_UNIX) {
        attempt->socket.set_option(asio::ip::tcp::no_delay(true), ignored);
      }
      co_return Error();
    }
    last = error;
  }
  co_return last;
}

asio::awaitable<Result<wire::Hello>> exchange_hello(std::shared_ptr<Attempt> attempt,
                                                    std::string address) {
  std::string hello;
  wire::append_hello({}, hello);
  auto [write_error, written] =
      co_await asio::async_write(attempt->socket, asio::buffer(hello), kAwait);
  if (write_error) {
    co_return failed(address, write_error.message());
  }
  std::array<char, wire::kHelloBytes> answer{};
  auto [read_error, count] =
      co_await asio::async_read(attempt->socket, asio::buffer(answer), kAwait);
  if (read_error) {
    co_return failed(
        address,
        attempt->timed_out ? "no hello came in time" : "no hello came: " + read_error.message());
  }
  // A server that shares no version answers 0 in both places or its own as the highest.
  Result<wire::Hello> decoded = wire::decode_hello({answer.data(), answer.size()});
  if (!decoded) {
    co_return failed(address, decoded.error().message());
  }
  if (decoded->version_min != wire::kProtocolVersion) {
    co_return Status(Code::kUnsupported,
                     "could not connect to \"" + address + "\": it does not speak version 1");
  }
  co_return *decoded;
}

}  // namespace

asio::awaitable<Result<Connected>> connect(asio::any_io_executor executor,
                                           std::string address,
                                           std::chrono::milliseconds timeout) {
  auto attempt = std::make_shared<Attempt>(executor);
  attempt->timer.expires_after(timeout);
  attempt->timer.async_wait([attempt](Error cancelled) {
    if (!cancelled) {
      attempt->timed_out = true;
      Error ignored;
      attempt->resolver.cancel();
      attempt->socket.close(ignored);
    }
  });
  Result<std::vector<Endpoint>> endpoints = co_await resolve(attempt, address);
  if (!endpoints) {
    attempt->timer.cancel();
    co_return endpoints.error();
  }
  const Error error = co_await connect_any(attempt, *endpoints);
  if (error) {
    attempt->timer.cancel();
    co_return failed(address, attempt->timed_out ? "timed out" : error.message());
  }
  Result<wire::Hello> hello = co_await exchange_hello(attempt, address);
  attempt->timer.cancel();
  if (!hello) {
    co_return hello.error();
  }
  if (attempt->timed_out) {
    co_return failed(address, "timed out");
  }
  co_return Connected{std::move(attempt->socket), *hello};
}

}  // namespace edged::net
