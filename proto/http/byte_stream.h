// SPDX-License-Identifier: Apache-2.0
// The bytes of one connection, over TCP or a unix socket, plain or with TLS, each step with a
// deadline. A peer that is gone and one that is too slow look the same: the connection is over. One
// read and one write at a time; the socket's executor only.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "proto/net/tls.h"

namespace edged::http {

class ByteStream {
 public:
  using Socket = boost::asio::generic::stream_protocol::socket;
  using Time = std::chrono::steady_clock::time_point;

  // `tls` null: plain.
  static std::unique_ptr<ByteStream> make(Socket socket, std::shared_ptr<net::TlsContext> tls);
  virtual ~ByteStream() = default;

  // False if TLS was to be spoken and the handshake failed.
  virtual boost::asio::awaitable<bool> shake_hands(Time deadline) = 0;
  // Reads at least one byte and at most `size` to `at`; 0 at the end.
  virtual boost::asio::awaitable<std::size_t> read(char* at, std::size_t size, Time deadline) = 0;
  // Writes the pieces one behind the other, all or not. At most kPiecesMax.
  static constexpr std::size_t kPiecesMax = 4;
  virtual boost::asio::awaitable<bool> write(std::span<const std::string_view> pieces,
                                             Time deadline) = 0;
  // Tells the peer that nothing more comes.
  virtual boost::asio::awaitable<void> finish(Time deadline) = 0;
  // Reads and drops what the peer still sends, at most `bytes_max`: else its kernel would throw the
  // last answer away (RFC 9112 section 9.6).
  virtual boost::asio::awaitable<void> drop_input(std::size_t bytes_max, Time deadline) = 0;
  // Ends whatever waits.
  virtual void close() = 0;
  virtual int native_handle() = 0;
};

}  // namespace edged::http
