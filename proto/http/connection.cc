// SPDX-License-Identifier: Apache-2.0
// See connection.h.
#include "proto/http/connection.h"

#include <exception>
#include <optional>
#include <utility>

#include "proto/base/log.h"
#include "proto/base/printable.h"
#include "proto/http/head_scan.h"
#include "proto/http/input_buffer.h"
#include "proto/http/own_host.h"
#include "proto/http/request_parser.h"
#include "proto/http/server_exchange.h"

namespace edged::http {
namespace asio = boost::asio;
namespace {

// A refused client may still be sending: what it sends is read and dropped this long, so that its
// kernel does not throw the answer away (RFC 9112 section 9.6).
constexpr std::chrono::milliseconds kLinger{1000};
constexpr std::size_t kLingerBytesMax = 4 << 20;
constexpr std::size_t kReadBytes = 8192;

using Clock = std::chrono::steady_clock;

class HttpConnection final : public Connection {
 public:
  HttpConnection(std::unique_ptr<ByteStream> stream, const Service& service, bool health_only)
      : service_(service), health_only_(health_only), stream_(std::move(stream)) {}

  asio::awaitable<void> serve() override {
    bool more = !service_.draining;
    if (more) more = co_await shake_hands();
    for (bool first = true; more; first = false) {
      more = co_await serve_one(first);
    }
    close();
  }
  bool idle() const override { return idle_; }
  Phase phase() const override { return phase_; }
  Clock::time_point since() const override { return since_; }
  void close() override { stream_->close(); }

 private:
  void enter(Phase phase) {
    phase_ = phase;
    since_ = Clock::now();
  }
  asio::awaitable<bool> shake_hands();
  asio::awaitable<bool> wait_for_request(bool first);
  asio::awaitable<bool> read_head(RequestParser& parser,
                                  RequestParser::Head& head,
                                  std::optional<Response>& refused);
  std::optional<Response> choose_route(const RequestParser& parser,
                                       const RequestParser::Head& head,
                                       Route& route) const;
  asio::awaitable<bool> serve_one(bool first);
  asio::awaitable<void> run_handler(const Route& route, ServerExchange& exchange);
  asio::awaitable<void> finish(bool linger);

  const Service& service_;
  const bool health_only_;
  const std::unique_ptr<ByteStream> stream_;
  InputBuffer input_;
  bool idle_ = false;  // waits for a request's first byte
  Phase phase_ = Phase::kUnfinished;
  Clock::time_point since_ = Clock::now();
};

asio::awaitable<bool> HttpConnection::shake_hands() {
  const bool done = co_await stream_->shake_hands(Clock::now() + service_.options.header_timeout);
  if (!done && service_.options.failed_handshakes != nullptr) {
    service_.options.failed_handshakes->add();
  }
  co_return done;
}

// True if the connection goes on.
asio::awaitable<bool> HttpConnection::serve_one(bool first) {
  const bool began = co_await wait_for_request(first);
  if (!began) co_return false;
  RequestParser parser;
  RequestParser::Head head;
  std::optional<Response> refused;
  const bool read = co_await read_head(parser, head, refused);
  if (!read) co_return false;  // closed by the client or by the deadline
  Route route;
  if (!refused) refused = choose_route(parser, head, route);
  if (!refused) enter(Phase::kBusy);
  const ServerExchange::Place place{service_.options, service_.draining, *stream_, input_, parser};
  ServerExchange exchange(place, std::move(head));
  if (refused || health_only_) exchange.close_afterwards();
  if (refused) {
    exchange.abandon_body();
    (void)co_await exchange.send(std::move(*refused));
  } else {
    exchange.set_bounds(route.bounds);
    co_await run_handler(route, exchange);
  }
  using Outcome = ServerExchange::Outcome;
  const Outcome outcome = exchange.outcome();
  // The answer may have promised to go on before the server began to drain.
  const bool goes_on = outcome == Outcome::kGoesOn && !service_.draining;
  if (outcome == Outcome::kEndsUnread) {
    co_await finish(true);
  } else if (!goes_on && outcome != Outcome::kBroken) {
    co_await finish(false);
  }
  co_return goes_on;
}

asio::awaitable<void> HttpConnection::run_handler(const Route& route, ServerExchange& exchange) {
  try {
    co_await route.handler(exchange);
  } catch (const std::exception& error) {
    log::error("the handler of " + printable(exchange.head().target_path) +
               " failed: " + error.what());
  }
  if (!exchange.answer_begun()) (void)co_await exchange.send(refusal(500, "internal error"));
}

asio::awaitable<bool> HttpConnection::wait_for_request(bool first) {
  if (!first) enter(input_.empty() ? Phase::kIdle : Phase::kUnfinished);
  if (!input_.empty()) co_return true;  // pipelined
  idle_ = true;
  input_.release_memory();
  const auto limit = first ? service_.options.header_timeout : service_.options.idle_timeout;
  const InputBuffer::Room room = input_.prepare(kReadBytes);
  const std::size_t count = co_await stream_->read(room.at, room.size, Clock::now() + limit);
  idle_ = false;
  input_.commit(count);
  if (!first) enter(Phase::kUnfinished);
  co_return count > 0;
}

// False if the connection is over.
asio::awaitable<bool> HttpConnection::read_head(RequestParser& parser,
                                                RequestParser::Head& head,
                                                std::optional<Response>& refused) {
  const auto deadline = Clock::now() + service_.options.header_timeout;
  HeadScan scan;
  for (;;) {
    const std::string_view bytes = input_.view();
    const HeadScan::State state = scan.scan(bytes.substr(0, service_.options.header_bytes_max));
    if (state == HeadScan::State::kBad) {
      refused = refusal(400, scan.error());
      co_return true;
    }
    if (state == HeadScan::State::kDone) break;
    if (bytes.size() >= service_.options.header_bytes_max) {
      refused = refusal(431, "the header of the request is too large");
      co_return true;
    }
    const InputBuffer::Room room = input_.prepare(kReadBytes);
    const std::size_t count = co_await stream_->read(room.at, room.size, deadline);
    input_.commit(count);
    if (count == 0) co_return false;
  }
  refused = parser.parse_head(std::string(input_.view().substr(0, scan.size())), head);
  input_.consume(scan.size());
  co_return true;
}

std::optional<Response> HttpConnection::choose_route(const RequestParser& parser,
                                                     const RequestParser::Head& head,
                                                     Route& route) const {
  auto found = service_.find_route(head.request);
  if (!found) return refusal(400, found.error().message());
  route = std::move(*found);
  // RFC 9112 section 3.2: exactly one Host, none needed in HTTP/1.0.
  auto refused = refuse_host(head.request,
                             {.target_authority = head.target_authority,
                              .hosts_seen = head.hosts,
                              .needs_host = head.version >= 11,
                              .any_site = route.linked},
                             service_.options);
  if (!refused && health_only_ && !(route.health_page && parser.body_done())) {
    refused = refusal(503, "too many connections are in use; try again later");
  }
  return refused;
}

// The last answer has been sent.
asio::awaitable<void> HttpConnection::finish(bool linger) {
  co_await stream_->finish(Clock::now() + kLinger);
  if (!linger) co_return;
  enter(Phase::kUnfinished);  // it has had its answer: it may go first
  co_await stream_->drop_input(kLingerBytesMax, Clock::now() + kLinger);
}

}  // namespace

std::unique_ptr<Connection> make_connection(std::unique_ptr<ByteStream> stream,
                                            const Service& service,
                                            bool health_only) {
  return std::make_unique<HttpConnection>(std::move(stream), service, health_only);
}

}  // namespace edged::http
