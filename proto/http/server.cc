// SPDX-License-Identifier: Apache-2.0
// See server.h. One coroutine accepts, one serves each connection.
#include "proto/http/server.h"

#include <unistd.h>

#include <algorithm>
#include <boost/asio.hpp>
#include <map>
#include <memory>
#include <set>
#include <string_view>

#include "proto/base/check.h"
#include "proto/base/log.h"
#include "proto/http/connection.h"
#include "proto/http/host_port.h"
#include "proto/http/request.h"
#include "proto/http/router.h"
#include "proto/net/condition.h"
#include "proto/net/unix_acceptor.h"

namespace edged::http {
namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
namespace {

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
// Accepting goes on after this pause when descriptors or memory run out.
constexpr std::chrono::milliseconds kAcceptPause{100};
constexpr std::size_t kHealthShare = 4;
// What is read and dropped of a body that no buffered handler takes.
constexpr std::size_t kDiscardBytesMax = 4 << 20;
constexpr std::size_t kPieceBytes = 64 * 1024;
constexpr std::string_view kUnix = "unix:";

// Of TCP and of unix sockets alike.
using Acceptor = asio::basic_socket_acceptor<asio::generic::stream_protocol>;

}  // namespace

class Server::Impl : public std::enable_shared_from_this<Server::Impl> {
 public:
  Impl(asio::any_io_executor executor, ServerOptions options)
      : executor_(std::move(executor)), acceptor_(executor_), emptied_(executor_) {
    service_.options = std::move(options);
    service_.find_route = [this](const RequestHead& head) { return find_route(head); };
    health_max_ = std::min(service_.options.health_connections_max,
                           service_.options.connections_max / kHealthShare);
    ordinary_max_ = service_.options.connections_max - health_max_;
  }

  struct RawRoute {
    ExchangeHandler handler;
    RawOptions bounds;
  };
  std::map<std::string, RawRoute> raw_routes;
  Router router;
  std::set<std::string> health_paths, linked_paths;

  Status listen();
  std::string address() const { return address_; }
  asio::awaitable<void> drain(std::chrono::milliseconds timeout);
  void stop();

 private:
  // A connection, counted for as long as its coroutine lives.
  class Registration {
   public:
    Registration(std::shared_ptr<Impl> server, ByteStream::Socket socket, bool health_only)
        : server_(std::move(server)),
          connection_(make_connection(ByteStream::make(std::move(socket), server_->tls_context()),
                                      server_->service_,
                                      health_only)) {
      server_->connections_.emplace(connection_.get(), health_only);
    }
    ~Registration() { server_->forget(*connection_); }
    Connection& connection() { return *connection_; }
    Registration(const Registration&) = delete;
    Registration& operator=(const Registration&) = delete;

   private:
    std::shared_ptr<Impl> server_;
    std::unique_ptr<Connection> connection_;
  };

  static asio::awaitable<void> accept_loop(std::shared_ptr<Impl> self);
  static asio::awaitable<void> serve(std::shared_ptr<Registration> registration);
  std::shared_ptr<net::TlsContext> tls_context() const;
  Result<Route> find_route(const RequestHead& head);
  asio::awaitable<void> answer_whole(Exchange& exchange);
  asio::awaitable<Response> answer(Request request);
  Status listen_unix(const std::string& path);
  Status listen_tcp();
  void close_acceptor();
  bool make_room(bool health_only);
  void forget(Connection& connection);
  void close_connections(bool only_idle);

  asio::any_io_executor executor_;
  Service service_;
  Acceptor acceptor_;
  std::string address_;
  std::string remove_path_;                  // of a unix socket; empty: none
  std::map<Connection*, bool> connections_;  // whether it is health-only
  std::set<Connection*> leaving_;            // of them, those closed to make room
  std::size_t ordinary_max_ = 0, health_max_ = 0;
  net::AsyncCondition emptied_;  // notified when the last connection ends
};

Status Server::Impl::listen() {
  const std::string& address = service_.options.address;
  const Status open =
      address.starts_with(kUnix) ? listen_unix(address.substr(kUnix.size())) : listen_tcp();
  if (open.ok()) asio::co_spawn(executor_, accept_loop(shared_from_this()), asio::detached);
  return open;
}

Status Server::Impl::listen_unix(const std::string& path) {
  auto acceptor = net::open_unix_acceptor(executor_, path, tcp::acceptor::max_listen_connections);
  if (!acceptor) return acceptor.error();
  const auto protocol = acceptor->local_endpoint().protocol();
  acceptor_.assign(protocol, acceptor->release());
  address_ = service_.options.address;
  remove_path_ = path;
  return {};
}

Status Server::Impl::listen_tcp() {
  const net::Address configured = net::split_transport(service_.options.address);
  if (configured.tls && !service_.options.tls) {
    return {
        Code::kInvalidArgument,
        "could not listen on " + service_.options.address + ": TLS needs a certificate and a key"};
  }
  auto parts = split_host_port(configured.host_port);
  if (!parts) return parts.error();
  const auto failed = [this](const error_code& error) {
    error_code ignored;
    acceptor_.close(ignored);
    return Status(Code::kUnavailable,
                  "could not listen on " + service_.options.address + ": " + error.message());
  };
  error_code error;
  tcp::resolver resolver(executor_);
  const auto found =
      resolver.resolve(parts->host, std::to_string(parts->port), tcp::resolver::passive, error);
  if (error || found.empty()) return failed(error ? error : asio::error::host_not_found);
  const tcp::endpoint endpoint = *found.begin();
  tcp::acceptor acceptor(executor_);
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(tcp::acceptor::max_listen_connections, error);
  if (error) return failed(error);
  const tcp::endpoint local = acceptor.local_endpoint(error);
  if (error) return failed(error);
  acceptor_.assign(local.protocol(), acceptor.release());
  const std::string host = local.address().to_string();
  address_ = (configured.tls ? "tls:" : "") + (local.address().is_v6() ? "[" + host + "]" : host) +
             ":" + std::to_string(local.port());
  return {};
}

void Server::Impl::close_acceptor() {
  if (!acceptor_.is_open()) return;
  error_code ignored;
  acceptor_.close(ignored);
  if (!remove_path_.empty()) ::unlink(remove_path_.c_str());
}

asio::awaitable<void> Server::Impl::accept_loop(std::shared_ptr<Impl> self) {
  bool reported = false;
  while (self->acceptor_.is_open()) {
    auto [error, socket] = co_await self->acceptor_.async_accept(kToken);
    if (!self->acceptor_.is_open() || error == asio::error::operation_aborted) break;
    if (error) {
      // Out of descriptors or memory: the connection stays queued in the kernel until some are
      // free.
      if (!reported)
        log::warn("could not accept an HTTP connection: " + error.message() +
                  "; the server tries again every 100 ms");
      reported = true;
      asio::steady_timer pause(self->executor_, kAcceptPause);
      co_await pause.async_wait(kToken);
      continue;
    }
    reported = false;
    const bool health_only = !self->make_room(false);
    if (health_only && !self->make_room(true)) continue;  // closes the socket
    error_code ignored;
    if (self->remove_path_.empty()) socket.set_option(tcp::no_delay(true), ignored);
    // Counted at once: more may be accepted before the coroutine runs.
    auto registration = std::make_shared<Registration>(self, std::move(socket), health_only);
    asio::co_spawn(self->executor_, serve(std::move(registration)), asio::detached);
  }
}

asio::awaitable<void> Server::Impl::serve(std::shared_ptr<Registration> registration) {
  co_await registration->connection().serve();
}

// Null: the address is plain.
std::shared_ptr<net::TlsContext> Server::Impl::tls_context() const {
  const bool tls = net::split_transport(service_.options.address).tls;
  return tls ? service_.options.tls->context() : nullptr;
}

Result<Route> Server::Impl::find_route(const RequestHead& head) {
  const RawRoute* raw = nullptr;
  for (const auto& [prefix, route] : raw_routes) {  // of two that match, the longer comes later
    if (head.target_path.starts_with(prefix)) raw = &route;
  }
  if (raw != nullptr) return Route{raw->handler, raw->bounds};
  std::string target = head.target_path;
  target.append("?").append(head.query);
  const auto decoded = parse_target(target);
  if (!decoded) return decoded.error();
  Route route;
  route.handler = [this](Exchange& exchange) { return answer_whole(exchange); };
  route.bounds = {service_.options.body_bytes_max, kDiscardBytesMax};
  route.health_page = health_paths.contains(decoded->path);
  route.linked = linked_paths.contains(decoded->path);
  return route;
}

// The way of whole requests and answers through an exchange.
asio::awaitable<void> Server::Impl::answer_whole(Exchange& exchange) {
  const RequestHead& head = exchange.head();
  Request request;
  std::string target = head.target_path;
  target.append("?").append(head.query);
  auto decoded = parse_target(target);
  KV_CHECK(decoded.has_value());  // find_route() has seen it
  request.method = head.method;
  request.path = std::move(decoded->path);
  request.query = std::move(decoded->query);
  request.headers = head.headers;
  for (;;) {
    Result<std::string> piece = co_await exchange.read_body(kPieceBytes);
    if (!piece) {
      const bool large = piece.code() == Code::kTooLarge;
      Response refused =
          large ? refusal(413, "the body is too large") : refusal(400, piece.error().message());
      (void)co_await exchange.send(std::move(refused));
      co_return;
    }
    if (piece->empty()) break;
    request.body.append(*piece);
  }
  Response response = co_await answer(std::move(request));
  (void)co_await exchange.send(std::move(response));
}

asio::awaitable<Response> Server::Impl::answer(Request request) {
  const Router::Match match = router.find(request.method, request.path);
  if (match.handler == nullptr && match.allow.empty()) co_return refusal(404, "no such path");
  if (match.handler == nullptr) {
    Response response = refusal(405, "the path does not support this method");
    response.headers.emplace_back("Allow", match.allow);
    co_return response;
  }
  Response response = co_await (*match.handler)(std::move(request));
  co_return response;
}

// False if all connections of the kind are in use and none of them can go: each is at a request.
bool Server::Impl::make_room(bool health_only) {
  if (!health_only && connections_.size() < ordinary_max_) return true;
  std::size_t used = 0;
  Connection* oldest = nullptr;
  for (const auto& [connection, kind] : connections_) {
    if (kind != health_only || leaving_.contains(connection)) continue;
    ++used;
    if (connection->phase() == Connection::Phase::kBusy) continue;
    if (oldest == nullptr || std::pair(connection->phase(), connection->since()) <
                                 std::pair(oldest->phase(), oldest->since())) {
      oldest = connection;
    }
  }
  if (used < (health_only ? health_max_ : ordinary_max_)) return true;
  if (oldest == nullptr) return false;
  leaving_.insert(oldest);
  oldest->close();
  return true;
}

void Server::Impl::forget(Connection& connection) {
  connections_.erase(&connection);
  leaving_.erase(&connection);
  if (connections_.empty()) emptied_.notify_all();
}

void Server::Impl::close_connections(bool only_idle) {
  for (const auto& [connection, health_only] : connections_) {
    if (connection->idle() || !only_idle) connection->close();
  }
}

asio::awaitable<void> Server::Impl::drain(std::chrono::milliseconds timeout) {
  service_.draining = true;
  close_acceptor();
  close_connections(true);
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  (void)co_await emptied_.wait_until(deadline, [this] { return connections_.empty(); });
  close_connections(false);
}

void Server::Impl::stop() {
  service_.draining = true;
  close_acceptor();
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

void Server::route_raw(std::string path_prefix, ExchangeHandler handler, RawOptions bounds) {
  impl_->raw_routes[std::move(path_prefix)] = {std::move(handler), bounds};
}

void Server::add_health_path(std::string path) {
  impl_->health_paths.insert(std::move(path));
}

void Server::add_linked_path(std::string path) {
  impl_->linked_paths.insert(std::move(path));
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
