// SPDX-License-Identifier: Apache-2.0
// See byte_stream.h. The deadlines are beast::basic_stream's.
#include "proto/http/byte_stream.h"

#include <array>
#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/stream_traits.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <type_traits>
#include <utility>

#include "proto/base/check.h"

namespace edged::http {
namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::system::error_code;
namespace {

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kDropBytes = 8192;

using Plain = beast::basic_stream<asio::generic::stream_protocol>;
using Tls = beast::ssl_stream<Plain>;

template <typename Stream>
class SocketStream final : public ByteStream {
 public:
  template <typename... Args>
  explicit SocketStream(std::shared_ptr<net::TlsContext> tls, Args&&... args)
      : tls_(std::move(tls)), stream_(std::forward<Args>(args)...) {}

  asio::awaitable<bool> shake_hands(Time deadline) override {
    if constexpr (std::is_same_v<Stream, Tls>) {
      lowest().expires_at(deadline);
      auto [error] = co_await stream_.async_handshake(asio::ssl::stream_base::server, kToken);
      if (error) co_return false;
    }
    co_return true;
  }

  asio::awaitable<std::size_t> read(char* at, std::size_t size, Time deadline) override {
    lowest().expires_at(deadline);
    auto [error, bytes] = co_await stream_.async_read_some(asio::buffer(at, size), kToken);
    co_return error ? 0 : bytes;
  }

  asio::awaitable<bool> write(std::span<const std::string_view> pieces, Time deadline) override {
    KV_CHECK(pieces.size() <= kPiecesMax);
    std::array<asio::const_buffer, kPiecesMax> buffers;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      buffers[i] = asio::buffer(pieces[i].data(), pieces[i].size());
    }
    lowest().expires_at(deadline);
    auto [error, bytes] = co_await asio::async_write(stream_, buffers, kToken);
    co_return !error;
  }

  asio::awaitable<void> finish(Time deadline) override {
    if constexpr (std::is_same_v<Stream, Tls>) {
      // The peer's own end is not waited for long: the answer has been sent.
      lowest().expires_at(deadline);
      auto [ignored] = co_await stream_.async_shutdown(kToken);
      (void)ignored;
    }
    error_code ignored;
    lowest().socket().shutdown(asio::socket_base::shutdown_send, ignored);
    co_return;
  }

  asio::awaitable<void> drop_input(std::size_t bytes_max, Time deadline) override {
    lowest().expires_at(deadline);
    std::array<char, kDropBytes> rest;
    for (std::size_t dropped = 0; dropped < bytes_max;) {
      auto [error, bytes] = co_await lowest().async_read_some(asio::buffer(rest), kToken);
      if (error) break;
      dropped += bytes;
    }
  }

  void close() override { lowest().close(); }
  int native_handle() override { return lowest().socket().native_handle(); }

 private:
  Plain& lowest() { return beast::get_lowest_layer(stream_); }

  const std::shared_ptr<net::TlsContext> tls_;  // outlives the stream
  Stream stream_;
};

}  // namespace

std::unique_ptr<ByteStream> ByteStream::make(Socket socket, std::shared_ptr<net::TlsContext> tls) {
  if (!tls) return std::make_unique<SocketStream<Plain>>(nullptr, std::move(socket));
  net::TlsContext& context = *tls;
  return std::make_unique<SocketStream<Tls>>(std::move(tls), std::move(socket), context);
}

}  // namespace edged::http
