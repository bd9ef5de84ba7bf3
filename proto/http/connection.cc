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
constexpr std::size_t kReadBytes = 4096;
constexpr std::size_t kBufferBytesMax = 64 * 1024;

using Parser = bhttp::request_parser<bhttp::string_body>;
using Message = bhttp::response<bhttp::string_body>;

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
  explicit StreamConnection(const Service& service, Args&&... args)
      : service_(service), stream_(std::forward<Args>(args)...) {}

  asio::awaitable<void> serve() override {
    bool more = !service_.draining && co_await shake_hands();
    for (bool first = true; more; first = false) {
      more = co_await serve_one(first);
    }
    close();
  }
  bool idle() const override { return idle_; }
  void close() override { lowest().close(); }

 private:
  beast::tcp_stream& lowest() { return beast::get_lowest_layer(stream_); }
  asio::awaitable<bool> shake_hands();
  asio::awaitable<error_code> wait_for_request(bool first);
  asio::awaitable<error_code> read_request(Parser& parser);
  asio::awaitable<bool> serve_one(bool first);
  asio::awaitable<bool> send(Message message);
  asio::awaitable<void> send_end();
  asio::awaitable<void> refuse(unsigned version, Response response);

  const Service& service_;
  Stream stream_;
  beast::flat_buffer buffer_{kBufferBytesMax};
  bool idle_ = false;  // waits for a request's first byte
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
  error = co_await read_request(parser);
  if (error && !is_malformed(error)) co_return false;  // closed by the client or by the deadline
  const unsigned version = error ? 11 : parser.get().version();
  if (error) {
    co_await refuse(version, refusal_for(error));
    co_return false;
  }
  Request request;
  std::optional<Response> refused = to_request(parser.get(), request);
  if (refused) {
    co_await refuse(version, std::move(*refused));
    co_return false;
  }
  const bool head = parser.get().method() == bhttp::verb::head;
  const bool keep_alive = parser.keep_alive();
  request.body = std::move(parser.get().body());
  lowest().expires_never();
  Response response = co_await service_.answer(std::move(request));
  const bool more = co_await send(
      to_message(std::move(response), version, keep_alive && !service_.draining, head));
  co_return more;
}

template <typename Stream>
asio::awaitable<error_code> StreamConnection<Stream>::wait_for_request(bool first) {
  if (buffer_.size() > 0) co_return error_code();  // pipelined
  idle_ = true;
  lowest().expires_after(first ? service_.options.header_timeout : service_.options.idle_timeout);
  auto [error, bytes] = co_await stream_.async_read_some(buffer_.prepare(kReadBytes), kToken);
  idle_ = false;
  buffer_.commit(bytes);
  co_return error;
}

template <typename Stream>
asio::awaitable<error_code> StreamConnection<Stream>::read_request(Parser& parser) {
  lowest().expires_after(service_.options.header_timeout);
  auto [header_error, header_bytes] =
      co_await bhttp::async_read_header(stream_, buffer_, parser, kToken);
  if (header_error || parser.is_done()) co_return header_error;
  const auto start = std::chrono::steady_clock::now();
  if (beast::iequals(parser.get()[bhttp::field::expect], "100-continue")) {
    static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    lowest().expires_after(service_.options.transfer_grace);
    auto [error, sent] = co_await asio::async_write(stream_, asio::buffer(kContinue), kToken);
    if (error) co_return error;
  }
  std::size_t received = 0;
  while (!parser.is_done()) {
    lowest().expires_at(start + transfer_time(service_.options, received));
    auto [error, bytes] = co_await bhttp::async_read_some(stream_, buffer_, parser, kToken);
    if (error) co_return error;
    received += bytes;
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
                                            const Service& service) {
  if (tls) {
    return std::make_unique<StreamConnection<Tls>>(service, std::move(socket), *tls);
  }
  return std::make_unique<StreamConnection<Plain>>(service, std::move(socket));
}

}  // namespace edged::http
