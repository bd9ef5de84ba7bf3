// SPDX-License-Identifier: Apache-2.0
// See connection.h. The only file that sees Beast. beast::tcp_stream's deadline covers every step
// but the handler's.
#include "proto/http/connection.h"

#include <algorithm>
#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <optional>
#include <type_traits>

#include "proto/http/own_host.h"
#include "proto/http/request.h"

namespace edged::http {
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace bhttp = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;
namespace {

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
// A refused client may still be sending: what it sends is read and dropped this long, so that its
// kernel does not throw the answer away (RFC 9112 section 9.6).
constexpr std::chrono::milliseconds kLinger{1000};
constexpr std::size_t kLingerBytesMax = 4 << 20;
constexpr std::size_t kReadBytes = 8192;
constexpr std::size_t kBufferBytesMax = 64 * 1024;

using Parser = bhttp::request_parser<bhttp::string_body>;
using Message = bhttp::response<bhttp::string_body>;

Response refusal_for(const error_code& error) {
  if (error == bhttp::error::header_limit || error == bhttp::error::buffer_overflow) {
    return refusal(431, "the header of the request is too large");
  }
  if (error == bhttp::error::body_limit) return refusal(413, "the body is too large");
  return refusal(400, "the request is malformed");
}

bool is_malformed(const error_code& error) {
  return error.category() == bhttp::make_error_code(bhttp::error::bad_method).category() &&
         error != bhttp::error::end_of_stream && error != bhttp::error::partial_message;
}

// The parsed header as handlers see it, or the refusal to send instead.
std::optional<Response> to_request(const Parser::value_type& message,
                                   const Service& service,
                                   Request& request) {
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
  if (message.version() != 10 && message.version() != 11) {
    return refusal(505, "only HTTP/1.0 and HTTP/1.1 are supported");
  }
  // Any other coding would leave the body's end unknown.
  const auto coding = request.headers.find("transfer-encoding");
  if (coding != request.headers.end() && !equal_ignoring_case(coding->second, "chunked")) {
    return refusal(501, "the only supported transfer coding is chunked");
  }
  // RFC 9112 section 3.2: exactly one Host, none allowed in HTTP/1.0.
  return refuse_host(request,
                     target->authority,
                     hosts,
                     message.version() >= 11,
                     service.options.hosts,
                     service.is_linked(request.path));
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

std::chrono::milliseconds transfer_time(const ServerOptions& options, std::size_t bytes) {
  return options.transfer_grace +
         std::chrono::milliseconds(bytes * 1000 /
                                   std::max<std::size_t>(1, options.transfer_rate_min));
}

using Plain = beast::tcp_stream;
using Tls = beast::ssl_stream<beast::tcp_stream>;

template <typename Stream>
class StreamConnection final : public Connection {
 public:
  template <typename... Args>
  StreamConnection(const Service& service, bool health_only, Args&&... args)
      : service_(service), health_only_(health_only), stream_(std::forward<Args>(args)...) {}

  asio::awaitable<void> serve() override {
    bool more = !service_.draining && co_await shake_hands();
    for (bool first = true; more; first = false) {
      more = co_await serve_one(first);
    }
    close();
  }
  bool idle() const override { return idle_; }
  Phase phase() const override { return phase_; }
  std::chrono::steady_clock::time_point since() const override { return since_; }
  void close() override { lowest().close(); }

 private:
  beast::tcp_stream& lowest() { return beast::get_lowest_layer(stream_); }
  void enter(Phase phase) {
    phase_ = phase;
    since_ = std::chrono::steady_clock::now();
  }
  asio::awaitable<bool> shake_hands();
  asio::awaitable<error_code> wait_for_request(bool first);
  asio::awaitable<error_code> parse_some(Parser& parser, std::size_t& taken);
  asio::awaitable<error_code> read_header(Parser& parser);
  asio::awaitable<error_code> read_body(Parser& parser);
  asio::awaitable<bool> serve_one(bool first);
  asio::awaitable<bool> send(Message message);
  asio::awaitable<void> send_end();
  asio::awaitable<void> refuse(unsigned version, Response response);

  const Service& service_;
  const bool health_only_;
  Stream stream_;
  beast::flat_buffer buffer_{kBufferBytesMax};
  bool idle_ = false;  // waits for a request's first byte
  Phase phase_ = Phase::kUnfinished;
  std::chrono::steady_clock::time_point since_ = std::chrono::steady_clock::now();
};

template <typename Stream>
asio::awaitable<bool> StreamConnection<Stream>::shake_hands() {
  if constexpr (std::is_same_v<Stream, Tls>) {
    lowest().expires_after(service_.options.header_timeout);
    auto [error] = co_await stream_.async_handshake(asio::ssl::stream_base::server, kToken);
    if (error) {
      if (service_.options.failed_handshakes != nullptr) service_.options.failed_handshakes->add();
      co_return false;
    }
  }
  co_return true;
}

// True if the connection goes on.
template <typename Stream>
asio::awaitable<bool> StreamConnection<Stream>::serve_one(bool first) {
  error_code error = co_await wait_for_request(first);
  if (error) co_return false;
  Parser parser;
  parser.header_limit(static_cast<std::uint32_t>(service_.options.header_bytes_max));
  parser.body_limit(service_.options.body_bytes_max);
  Request request;
  std::optional<Response> refused;
  error = co_await read_header(parser);
  if (!error) {
    refused = to_request(parser.get(), service_, request);
    if (!refused && health_only_ && !(service_.is_health(request.path) && parser.is_done())) {
      refused = refusal(503, "too many connections are in use; try again later");
    }
  }
  if (!error && !refused) {
    enter(Phase::kBusy);
    error = co_await read_body(parser);
  }
  if (error && !is_malformed(error)) co_return false;  // closed by the client or by the deadline
  if (error) refused = refusal_for(error);
  const unsigned version = error ? 11 : parser.get().version();
  if (refused) {
    co_await refuse(version, std::move(*refused));
    co_return false;
  }
  const bool head = parser.get().method() == bhttp::verb::head;
  const bool keep_alive = parser.keep_alive() && !health_only_;
  request.body = std::move(parser.get().body());
  lowest().expires_never();
  Response response = co_await service_.answer(std::move(request));
  const bool more = co_await send(
      to_message(std::move(response), version, keep_alive && !service_.draining, head));
  co_return more;
}

template <typename Stream>
asio::awaitable<error_code> StreamConnection<Stream>::wait_for_request(bool first) {
  if (!first) enter(buffer_.size() > 0 ? Phase::kUnfinished : Phase::kIdle);
  if (buffer_.size() > 0) co_return error_code();  // pipelined
  idle_ = true;
  lowest().expires_after(first ? service_.options.header_timeout : service_.options.idle_timeout);
  auto [error, bytes] = co_await stream_.async_read_some(buffer_.prepare(kReadBytes), kToken);
  idle_ = false;
  buffer_.commit(bytes);
  if (!first) enter(Phase::kUnfinished);
  co_return error;
}

// Lets the parser take what has come, or reads more. Not bhttp::async_read_some: that reads on by
// itself while a header goes on, so that many short lines would pass the limit unseen.
template <typename Stream>
asio::awaitable<error_code> StreamConnection<Stream>::parse_some(Parser& parser,
                                                                 std::size_t& taken) {
  taken = 0;
  if (buffer_.size() > 0) {
    error_code error;
    taken = parser.put(buffer_.data(), error);
    buffer_.consume(taken);
    if (error && error != bhttp::error::need_more) co_return error;
    if (taken > 0) co_return error_code();
  }
  if (buffer_.size() >= kBufferBytesMax) {
    co_return bhttp::make_error_code(bhttp::error::buffer_overflow);
  }
  const std::size_t room = std::min(kReadBytes, kBufferBytesMax - buffer_.size());
  auto [error, bytes] = co_await stream_.async_read_some(buffer_.prepare(room), kToken);
  buffer_.commit(bytes);
  co_return error;
}

template <typename Stream>
asio::awaitable<error_code> StreamConnection<Stream>::read_header(Parser& parser) {
  lowest().expires_after(service_.options.header_timeout);
  std::size_t header = 0, taken = 0;
  while (!parser.is_header_done()) {
    const error_code error = co_await parse_some(parser, taken);
    if (error) co_return error;
    header += taken;
    const std::size_t unparsed = parser.is_header_done() ? 0 : buffer_.size();
    if (header + unparsed > service_.options.header_bytes_max) {
      co_return bhttp::make_error_code(bhttp::error::header_limit);
    }
  }
  co_return error_code();
}

template <typename Stream>
asio::awaitable<error_code> StreamConnection<Stream>::read_body(Parser& parser) {
  const auto start = std::chrono::steady_clock::now();
  if (!parser.is_done() && beast::iequals(parser.get()[bhttp::field::expect], "100-continue")) {
    static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    lowest().expires_after(service_.options.transfer_grace);
    auto [error, sent] = co_await asio::async_write(stream_, asio::buffer(kContinue), kToken);
    if (error) co_return error;
  }
  // Lines behind the last chunk are a header too, and no body limit holds for them.
  bool last_chunk = false;
  auto on_chunk = [&last_chunk](std::uint64_t size, beast::string_view, error_code&) {
    last_chunk = size == 0;
  };
  parser.on_chunk_header(on_chunk);
  std::size_t received = 0, trailer = 0, taken = 0;
  while (!parser.is_done()) {
    const bool in_trailer = last_chunk;
    lowest().expires_at(start + transfer_time(service_.options, received));
    const error_code error = co_await parse_some(parser, taken);
    if (error) co_return error;
    received += taken;
    trailer += in_trailer ? taken : 0;
    const std::size_t unparsed = in_trailer && !parser.is_done() ? buffer_.size() : 0;
    if (trailer + unparsed > service_.options.header_bytes_max) {
      co_return bhttp::make_error_code(bhttp::error::header_limit);
    }
  }
  co_return error_code();
}

// True if the connection may carry another request.
template <typename Stream>
asio::awaitable<bool> StreamConnection<Stream>::send(Message message) {
  lowest().expires_after(transfer_time(service_.options, message.body().size()));
  auto [error, bytes] = co_await bhttp::async_write(stream_, message, kToken);
  if (error) co_return false;
  if (message.keep_alive()) co_return true;
  co_await send_end();
  co_return false;
}

template <typename Stream>
asio::awaitable<void> StreamConnection<Stream>::send_end() {
  if constexpr (std::is_same_v<Stream, Tls>) {
    // The peer's own end is not waited for long: the answer has been sent.
    lowest().expires_after(kLinger);
    auto [ignored] = co_await stream_.async_shutdown(kToken);
    (void)ignored;
  }
  error_code ignored;
  lowest().socket().shutdown(tcp::socket::shutdown_send, ignored);
  co_return;
}

template <typename Stream>
asio::awaitable<void> StreamConnection<Stream>::refuse(unsigned version, Response response) {
  co_await send(to_message(std::move(response), version, false, false));
  enter(Phase::kUnfinished);  // it has had its answer: it may go first
  lowest().expires_after(kLinger);
  for (std::size_t dropped = 0; dropped < kLingerBytesMax;) {
    buffer_.clear();
    auto [error, bytes] = co_await lowest().async_read_some(buffer_.prepare(kReadBytes), kToken);
    if (error) break;
    dropped += bytes;
  }
}

}  // namespace

std::unique_ptr<Connection> make_connection(tcp::socket socket,
                                            std::shared_ptr<net::TlsContext> tls,
                                            const Service& service,
                                            bool health_only) {
  if (tls) {
    return std::make_unique<StreamConnection<Tls>>(service, health_only, std::move(socket), *tls);
  }
  return std::make_unique<StreamConnection<Plain>>(service, health_only, std::move(socket));
}

}  // namespace edged::http
