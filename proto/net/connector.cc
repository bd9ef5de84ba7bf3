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
      : stream(Socket(executor)), resolver(executor), timer(executor) {}
  Stream stream;
  asio::ip::tcp::resolver resolver;
  asio::steady_timer timer;
  bool timed_out = false;
};

Status failed(const std::string& address, const std::string& why) {
  return {Code::kUnavailable, "could not connect to \"" + address + "\": " + why};
}

std::string host_of(const std::string& host_port) {
  const std::string host = host_port.substr(0, host_port.rfind(':'));
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  return bracketed ? host.substr(1, host.size() - 2) : host;
}

asio::awaitable<Result<std::vector<Endpoint>>> resolve(std::shared_ptr<Attempt> attempt,
                                                       std::string address) {
  constexpr std::string_view kUnix = "unix:";
  if (address.starts_with(kUnix)) {
    const std::string path = address.substr(kUnix.size());
    if (path.empty() || path.size() >= sizeof(sockaddr_un::sun_path)) {
      co_return Status(Code::kInvalidArgument,
                       "could not connect to \"" + address +
                           "\": the path of a unix socket must have 1 to 107 bytes");
    }
    co_return std::vector<Endpoint>{Endpoint(asio::local::stream_protocol::endpoint(path))};
  }
  const std::string host_port = split_transport(address).host_port;
  const std::size_t colon = host_port.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == host_port.size()) {
    co_return Status(Code::kInvalidArgument,
                     "could not connect to \"" + address +
                         "\": the address must be unix:PATH, HOST:PORT or tls:HOST:PORT");
  }
  auto [error, found] = co_await attempt->resolver.async_resolve(
      host_of(host_port), host_port.substr(colon + 1), kAwait);
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
    attempt->stream.close();
    auto [error] = co_await attempt->stream.socket().async_connect(endpoint, kAwait);
    if (!error) {
      if (endpoint.protocol().family() != AF_UNIX) {
        Error ignored;
        attempt->stream.socket().set_option(asio::ip::tcp::no_delay(true), ignored);
      }
      co_return Error();
    }
    last = error;
  }
  co_return last;
}

asio::awaitable<Status> shake_hands(std::shared_ptr<Attempt> attempt,
                                    std::string address,
                                    std::string host,
                                    std::string ca_file) {
  Result<std::shared_ptr<TlsContext>> context = client_tls(ca_file);
  if (!context) {
    co_return context.error();
  }
  const Status prepared = attempt->stream.use_client_tls(*std::move(context), host);
  if (!prepared.ok()) {
    co_return prepared.with_context("could not connect to \"" + address + "\"");
  }
  auto [error] = co_await attempt->stream.async_handshake(kAwait);
  if (error) {
    co_return failed(address,
                     attempt->timed_out
                         ? "the TLS handshake timed out"
                         : "the TLS handshake failed: " + attempt->stream.handshake_error(error));
  }
  co_return Status();
}

asio::awaitable<Result<wire::Hello>> exchange_hello(std::shared_ptr<Attempt> attempt,
                                                    std::string address) {
  std::string hello;
  wire::append_hello({}, hello);
  auto [write_error, written] =
      co_await asio::async_write(attempt->stream, asio::buffer(hello), kAwait);
  if (write_error) {
    co_return failed(address, write_error.message());
  }
  std::array<char, wire::kHelloBytes> answer{};
  auto [read_error, count] =
      co_await asio::async_read(attempt->stream, asio::buffer(answer), kAwait);
  if (read_error) {
    co_return failed(address,
                     attempt->timed_out
                         ? "the node did not answer the hello in time"
                         : "the node did not answer the hello: " + read_error.message() +
                               (attempt->stream.is_tls()
                                    ? ""
                                    : " (if the node speaks TLS, write tls: before the address)"));
  }
  // A server that shares no version answers 0 in both places or its own as the highest.
  Result<wire::Hello> decoded = wire::decode_hello({answer.data(), answer.size()});
  if (!decoded) {
    co_return failed(address, decoded.error().message());
  }
  if (decoded->version_min != wire::kProtocolVersion) {
    co_return Status(
        Code::kUnsupported,
        "could not connect to \"" + address + "\": it does not speak version 1 of the protocol");
  }
  co_return *decoded;
}

// What follows the name's resolution.
asio::awaitable<Result<wire::Hello>> establish(std::shared_ptr<Attempt> attempt,
                                               ConnectOptions options,
                                               std::vector<Endpoint> endpoints) {
  const Error error = co_await connect_any(attempt, std::move(endpoints));
  if (error) {
    co_return failed(options.address, attempt->timed_out ? "timed out" : error.message());
  }
  const Address address = split_transport(options.address);
  if (address.tls) {
    const Status done = co_await shake_hands(
        attempt, options.address, host_of(address.host_port), options.tls_ca_file);
    if (!done.ok()) {
      co_return done;
    }
  }
  co_return co_await exchange_hello(attempt, options.address);
}

}  // namespace

asio::awaitable<Result<Connected>> connect(asio::any_io_executor executor, ConnectOptions options) {
  auto attempt = std::make_shared<Attempt>(executor);
  attempt->timer.expires_after(options.timeout);
  attempt->timer.async_wait([attempt](Error cancelled) {
    if (!cancelled) {
      attempt->timed_out = true;
      attempt->resolver.cancel();
      attempt->stream.close();
    }
  });
  Result<std::vector<Endpoint>> endpoints = co_await resolve(attempt, options.address);
  if (!endpoints) {
    attempt->timer.cancel();
    co_return endpoints.error();
  }
  Result<wire::Hello> hello = co_await establish(attempt, options, *std::move(endpoints));
  attempt->timer.cancel();
  if (!hello) {
    co_return hello.error();
  }
  if (attempt->timed_out) {
    co_return failed(options.address, "timed out");
  }
  co_return Connected{std::move(attempt->stream), *hello};
}

}  // namespace edged::net
