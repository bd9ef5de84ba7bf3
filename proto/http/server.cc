// SPDX-License-Identifier: Apache-2.0
// The only file that sees Beast. One coroutine accepts, one serves each connection.
// beast::tcp_stream's deadline covers every step but the handler's.
#include "proto/http/server.h"

#include <algorithm>
#include <boost/asio.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <list>
#include <optional>
#include <set>

#include "proto/base/log.h"
#include "proto/http/host_port.h"
#include "proto/http/request.h"
#include "proto/http/router.h"

namespace edged::http {
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace bhttp = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;
namespace {

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
// Accepting goes on after this pause when descriptors or memory run out.
constexpr std::chrono::milliseconds kAcceptPause{100};
// A refused client may still be sending: what it sends is read and dropped this long, so that its
// kernel does not throw the answer away (RFC 9112 section 9.6).
constexpr std::chrono::milliseconds kLinger{1000};
constexpr std::size_t kLingerBytesMax = 4 << 20;
constexpr std::size_t kReadBytes = 4096;
constexpr std::size_t kBufferBytesMax = 64 * 1024;

using Parser = bhttp::request_parser<bhttp::string_body>;
using Message = bhttp::response<bhttp::string_body>;

Response refusal(int status, std::string_view why) {
  return {status, "application/json", "{\"error\":\"" + std::string(why) + "\"}\n", {}};
}

Response refusal_for(const error_code& error) {
  if (error == bhttp::error::header_limit || error == bhttp::error::buffer_overflow) {
    return refusal(431, "the header is too large");
  }
  if (error == bhttp::error::body_limit) return refusal(413, "the body is too large");
  return refusal(400, "the request is malformed");
}

bool is_malformed(const error_code& error) {
  return error.category() == bhttp::make_error_code(bhttp::error::bad_method).category() &&
         error != bhttp::error::end_of_stream && error != bhttp::error::partial_message;
}

// The parsed message as handlers see it, or the refusal to send instead.
std::optional<Response> to_request(const Parser::value_type& message, Request& request) {
  auto target = parse_target({message.target().data(), message.target().size()});
  if (!target) return refusal(400, target.error().message());
  request.method = std::string(message.method_string());
  request.path = std::move(target->path);
  request.query = std::move(target->query);
  std::size_t hosts = 0;
  for (const auto& field : message) {
    std::string name(field.name_string());
    std::transform(name.begin(), name.end(), name.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    hosts += name == "host";
    std::string value(field.value());
    const auto [at, is_new] = request.headers.emplace(std::move(name), value);
    if (!is_new) at->second += ", " + value;
  }
  // RFC 9112 section 3.2: exactly one Host, none allowed in HTTP/1.0.
  if (hosts > 1 || (hosts == 0 && message.version() >= 11)) {
    return refusal(400, "the request needs one Host header");
  }
  if (message.version() != 10 && message.version() != 11) {
    return refusal(505, "only HTTP/1.0 and HTTP/1.1 are spoken");
  }
  // Any other coding would leave the body's end unknown.
  const auto coding = request.headers.find("transfer-encoding");
  if (coding != request.headers.end() && !equal_ignoring_case(coding->second, "chunked")) {
    return refusal(501, "the only transfer coding known is chunked");
  }
  const auto host = request.headers.find("host");
  if (from_foreign_site(request, host == request.headers.end() ? "" : host->second)) {
    return refusal(403, "requests from other sites are refused");
  }
  return std::nullopt;
}

Message to_message(Response response, unsigned version, bool keep_alive, bool head) {
  Message message;
  message.version(version == 10 ? 10 : 11);
  message.result(static_cast<unsigned>(response.status));
  message.set(bhttp::field::content_type, response.content_type);
  message.set(bhttp::field::cache_control, "no-store");
  message.set("X-Content-Type-Options", "nosniff");
  for (const auto& [name, value] : response.headers) message.set(name, value);
  message.keep_alive(keep_alive);
  const bool bodiless = response.status == 204 || response.status == 304;
  if (!bodiless) message.content_length(response.body.size());
  if (!bodiless && !head) message.body() = std::move(response.body);
  return message;
}

}  // namespace

class Server::Impl : public std::enable_shared_from_this<Server::Impl> {
 public:
  Impl(asio::any_io_executor executor, ServerOptions options)
      : executor_(std::move(executor)), options_(std::move(options)), acceptor_(executor_) {}

  Router router;

  Status listen();
  std::string address() const { return address_; }
  asio::awaitable<void> drain(std::chrono::milliseconds timeout);
  void stop();

 private:
  struct Connection {
    explicit Connection(tcp::socket socket) : stream(std::move(socket)) {}
    beast::tcp_stream stream;
    beast::flat_buffer buffer{kBufferBytesMax};
    bool idle = false;  // waits for a request's first byte
  };
  // Keeps a connection counted for as long as its coroutine lives.
  class Registration {
   public:
    Registration(std::shared_ptr<Impl> server, Connection& connection)
        : server_(std::move(server)), connection_(connection) {
      server_->connections_.insert(&connection_);
    }
    ~Registration() { server_->forget(connection_); }
    Registration(const Registration&) = delete;
    Registration& operator=(const Registration&) = delete;

   private:
    std::shared_ptr<Impl> server_;
    Connection& connection_;
  };

  static asio::awaitable<void> accept_loop(std::shared_ptr<Impl> self);
  static asio::awaitable<void> serve(std::shared_ptr<Impl> self, tcp::socket socket);
  asio::awaitable<error_code> wait_for_request(Connection& connection, bool first);
  asio::awaitable<error_code> read_request(Connection& connection, Parser& parser);
  asio::awaitable<bool> serve_one(Connection& connection, bool first);
  asio::awaitable<Response> answer(Request request);
  asio::awaitable<bool> send(Connection& connection, Message message);
  asio::awaitable<void> refuse(Connection& connection, unsigned version, Response response);
  void forget(Connection& connection);
  void close_connections(bool only_idle);
  std::chrono::milliseconds transfer_time(std::size_t bytes) const {
    return options_.transfer_grace +
           std::chrono::milliseconds(bytes * 1000 /
                                     std::max<std::size_t>(1, options_.transfer_rate_min));
  }

  asio::any_io_executor executor_;
  ServerOptions options_;
  tcp::acceptor acceptor_;
  std::string address_;
  std::set<Connection*> connections_;
  std::list<asio::steady_timer*> drains_;  // each ends when the last connection does
  bool draining_ = false;
};

Status Server::Impl::listen() {
  auto parts = split_host_port(options_.address);
  if (!parts) return parts.error();
  const auto failed = [this](const error_code& error) {
    error_code ignored;
    acceptor_.close(ignored);
    return Status(Code::kUnavailable,
                  "could not listen on " + options_.address + ": " + error.message());
  };
  error_code error;
  tcp::resolver resolver(executor_);
  const auto found =
      resolver.resolve(parts->host, std::to_string(parts->port), tcp::resolver::passive, error);
  if (error || found.empty()) return failed(error ? error : asio::error::host_not_found);
  const tcp::endpoint endpoint = *found.begin();
  acceptor_.open(endpoint.protocol(), error);
  if (error) return failed(error);
  acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
  if (error) return failed(error);
  acceptor_.bind(endpoint, error);
  if (error) return failed(error);
  acceptor_.listen(tcp::acceptor::max_listen_connections, error);
  if (error) return failed(error);
  const tcp::endpoint local = acceptor_.local_endpoint(error);
  if (error) return failed(error);
  const std::string host = local.address().to_string();
  address_ =
      (local.address().is_v6() ? "[" + host + "]" : host) + ":" + std::to_string(local.port());
  asio::co_spawn(executor_, accept_loop(shared_from_this()), asio::detached);
  return {};
}

asio::awaitable<void> Server::Impl::accept_loop(std::shared_ptr<Impl> self) {
  bool reported = false;
  while (self->acceptor_.is_open()) {
    auto [error, socket] = co_await self->acceptor_.async_accept(kToken);
    if (!self->acceptor_.is_open() || error == asio::error::operation_aborted) break;
    if (error) {
      // Out of descriptors or memory: the connection stays queued in the kernel until some are
      // free.
      if (!reported) log::warn("could not accept an http connection: " + error.message());
      reported = true;
      asio::steady_timer pause(self->executor_, kAcceptPause);
      co_await pause.async_wait(kToken);
      continue;
    }
    reported = false;
    if (self->connections_.size() >= self->options_.connections_max) continue;  // closes the socket
    asio::co_spawn(self->executor_, serve(self, std::move(socket)), asio::detached);
  }
}

asio::awaitable<void> Server::Impl::serve(std::shared_ptr<Impl> self, tcp::socket socket) {
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  Connection connection(std::move(socket));
  const Registration registration(self, connection);
  bool more = !self->draining_;
  for (bool first = true; more; first = false) {
    more = co_await self->serve_one(connection, first);
  }
  connection.stream.close();
}

// True if the connection goes on.
asio::awaitable<bool> Server::Impl::serve_one(Connection& connection, bool first) {
  error_code error = co_await wait_for_request(connection, first);
  if (error) co_return false;
  Parser parser;
  parser.header_limit(static_cast<std::uint32_t>(options_.header_bytes_max));
  parser.body_limit(options_.body_bytes_max);
  error = co_await read_request(connection, parser);
  if (error && !is_malformed(error)) co_return false;  // closed by the client or by the deadline
  const unsigned version = error ? 11 : parser.get().version();
  if (error) {
    co_await refuse(connection, version, refusal_for(error));
    co_return false;
  }
  Request request;
  std::optional<Response> refused = to_request(parser.get(), request);
  if (refused) {
    co_await refuse(connection, version, std::move(*refused));
    co_return false;
  }
  const bool head = parser.get().method() == bhttp::verb::head;
  const bool keep_alive = parser.keep_alive();
  request.body = std::move(parser.get().body());
  connection.stream.expires_never();
  Response response = co_await answer(std::move(request));
  const bool more = co_await send(
      connection, to_message(std::move(response), version, keep_alive && !draining_, head));
  co_return more;
}

asio::awaitable<error_code> Server::Impl::wait_for_request(Connection& connection, bool first) {
  if (connection.buffer.size() > 0) co_return error_code();  // pipelined
  connection.idle = true;
  connection.stream.expires_after(first ? options_.header_timeout : options_.idle_timeout);
  auto [error, bytes] =
      co_await connection.stream.async_read_some(connection.buffer.prepare(kReadBytes), kToken);
  connection.idle = false;
  connection.buffer.commit(bytes);
  co_return error;
}

asio::awaitable<error_code> Server::Impl::read_request(Connection& connection, Parser& parser) {
  connection.stream.expires_after(options_.header_timeout);
  auto [header_error, header_bytes] =
      co_await bhttp::async_read_header(connection.stream, connection.buffer, parser, kToken);
  if (header_error || parser.is_done()) co_return header_error;
  const auto start = std::chrono::steady_clock::now();
  if (beast::iequals(parser.get()[bhttp::field::expect], "100-continue")) {
    static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    connection.stream.expires_after(options_.transfer_grace);
    auto [error, sent] =
        co_await asio::async_write(connection.stream, asio::buffer(kContinue), kToken);
    if (error) co_return error;
  }
  std::size_t received = 0;
  while (!parser.is_done()) {
    connection.stream.expires_at(start + transfer_time(received));
    auto [error, bytes] =
        co_await bhttp::async_read_some(connection.stream, connection.buffer, parser, kToken);
    if (error) co_return error;
    received += bytes;
  }
  co_return error_code();
}

asio::awaitable<Response> Server::Impl::answer(Request request) {
  const Router::Match match = router.find(request.method, request.path);
  if (match.handler == nullptr && match.allow.empty()) co_return refusal(404, "no such path");
  if (match.handler == nullptr) {
    Response response = refusal(405, "the path does not know this method");
    response.headers.emplace_back("Allow", match.allow);
    co_return response;
  }
  const std::string path = request.path;
  try {
    Response response = co_await (*match.handler)(std::move(request));
    co_return response;
  } catch (const std::exception& error) {
    log::error("the handler of " + path + " failed: " + error.what());
  }
  co_return refusal(500, "internal error");
}

// True if the connection may carry another request.
asio::awaitable<bool> Server::Impl::send(Connection& connection, Message message) {
  connection.stream.expires_after(transfer_time(message.body().size()));
  auto [error, bytes] = co_await bhttp::async_write(connection.stream, message, kToken);
  if (error) co_return false;
  if (message.keep_alive()) co_return true;
  error_code ignored;
  connection.stream.socket().shutdown(tcp::socket::shutdown_send, ignored);
  co_return false;
}

asio::awaitable<void> Server::Impl::refuse(Connection& connection,
                                           unsigned version,
                                           Response response) {
  co_await send(connection, to_message(std::move(response), version, false, false));
  connection.stream.expires_after(kLinger);
  for (std::size_t dropped = 0; dropped < kLingerBytesMax;) {
    connection.buffer.clear();
    auto [error, bytes] =
        co_await connection.stream.async_read_some(connection.buffer.prepare(kReadBytes), kToken);
    if (error) break;
    dropped += bytes;
  }
}

void Server::Impl::forget(Connection& connection) {
  connections_.erase(&connection);
  if (!connections_.empty()) return;
  for (asio::steady_timer* drain : drains_) drain->cancel();
}

void Server::Impl::close_connections(bool only_idle) {
  for (Connection* connection : connections_) {
    if (connection->idle || !only_idle) connection->stream.close();
  }
}

asio::awaitable<void> Server::Impl::drain(std::chrono::milliseconds timeout) {
  draining_ = true;
  error_code ignored;
  acceptor_.close(ignored);
  close_connections(true);
  if (!connections_.empty()) {
    asio::steady_timer timer(executor_, timeout);
    const auto at = drains_.insert(drains_.end(), &timer);
    co_await timer.async_wait(kToken);
    drains_.erase(at);
  }
  close_connections(false);
}

void Server::Impl::stop() {
  draining_ = true;
  error_code ignored;
  acceptor_.close(ignored);
  close_connections(false);
}

Server::Server(asio::any_io_executor executor, ServerOptions options)
    : impl_(std::make_shared<Impl>(std::move(executor), std::move(options))) {}

Server::~Server() {
  impl_->stop();
}

void Server::route(std::string method, std::string path, Handler handler) {
  impl_->router.add(std::move(method), std::move(path), std::move(handler));
}

Status Server::listen() {
  return impl_->listen();
}

std::string Server::address() const {
  return impl_->address();
}

asio::awaitable<void> Server::drain(std::chrono::milliseconds timeout) {
  const std::shared_ptr<Impl> impl = impl_;
  co_await impl->drain(timeout);
}

}  // namespace edged::http
