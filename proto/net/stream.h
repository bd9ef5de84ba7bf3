// SPDX-License-Identifier: Apache-2.0
// A connected socket, plain or with TLS above it, behind the few operations that server and client
// use. The plain one costs nothing beyond the socket's own. One reading and one writing operation
// may be under way at a time; the executor's thread only. It meets Asio's AsyncReadStream and
// AsyncWriteStream, so that async_read and async_write work on it.
//
// A TLS peer that closes without saying so reads as the end of the stream: frames carry their
// lengths, so nothing can be cut off unnoticed.
#pragma once

#include <boost/asio/async_result.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "proto/net/poller.h"
#include "proto/net/tls.h"

namespace edged::net {

using Socket = boost::asio::generic::stream_protocol::socket;

class Stream {
 public:
  using Error = boost::system::error_code;
  using executor_type = Socket::executor_type;
  using Handler = std::function<void(Error, std::size_t)>;

  explicit Stream(Socket socket) : socket_(std::move(socket)) {}

  // Put TLS above the socket, with nothing under way; the handshake is the next operation. The
  // client demands a certificate of `host`, a name or an address. Errors: kInvalidArgument (it can
  // be neither).
  void use_server_tls(std::shared_ptr<TlsContext> context);
  Status use_client_tls(std::shared_ptr<TlsContext> context, const std::string& host);
  bool is_tls() const { return layer_ != nullptr && layer_->is_tls(); }

  // Let `poller` say when a plain socket can be read and written, in place of Asio; it must outlive
  // the stream. Nothing may be under way. After close() no handler is called. The socket stays
  // Asio's if the kernel has no room.
  void use_poller(Poller& poller);
  bool is_polled() const { return layer_ != nullptr && !layer_->is_tls(); }

  // Only with TLS.
  template <typename Token>
  auto async_handshake(Token&& token) {
    return boost::asio::async_initiate<Token, void(Error)>(
        [this](auto handler) {
          using Move = decltype(handler);
          auto kept = std::make_shared<Move>(std::move(handler));
          layer_->handshake([kept](Error error) { (*kept)(error); });
        },
        token);
  }

  // In words, with what is wrong with the peer's certificate if that is why it failed.
  std::string handshake_error(Error error) const;

  template <typename Buffers, typename Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    return boost::asio::async_initiate<Token, void(Error, std::size_t)>(
        [this](auto handler, const Buffers& into) {
          if (!layer_) {
            socket_.async_read_some(into, std::move(handler));
          } else {
            layer_->read_some(first_of<boost::asio::mutable_buffer>(into),
                              shared(std::move(handler)));
          }
        },
        token,
        buffers);
  }

  template <typename Buffers, typename Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    return boost::asio::async_initiate<Token, void(Error, std::size_t)>(
        [this](auto handler, const Buffers& from) {
          if (!layer_) {
            socket_.async_write_some(from, std::move(handler));
          } else {
            layer_->write_some(first_of<boost::asio::const_buffer>(from),
                               shared(std::move(handler)));
          }
        },
        token,
        buffers);
  }

  // As async_read_some, without a token: for a handler that can be copied.
  void read_some(boost::asio::mutable_buffer into, Handler handler);

  // Sends what the kernel takes at once, and says how much that was: 0 with TLS, with nothing to
  // send, and after an error, which the next operation reports. Nothing may be being written.
  std::size_t send_now(std::string_view bytes);

  // Tells the peer that nothing more comes; nothing may be being written. What the peer still sends
  // is then to be read by drop_some().
  void send_end();
  // Reads what is of no interest any more, as it comes from the kernel.
  void drop_some(boost::asio::mutable_buffer into, Handler handler);
  // What the kernel holds can still be read; behind it the stream ends.
  void end_input();
  void close();

  executor_type get_executor() { return socket().get_executor(); }
  // Not open while a poller is used.
  Socket& socket() { return layer_ ? layer_->socket() : socket_; }
  int native_handle() { return layer_ ? layer_->native_handle() : socket_.native_handle(); }

 private:
  struct Layer {
    virtual ~Layer() = default;
    virtual bool is_tls() const = 0;
    virtual Socket& socket() = 0;
    virtual int native_handle() { return socket().native_handle(); }
    virtual std::size_t send_now(std::string_view /*bytes*/) { return 0; }
    virtual void drop_some(boost::asio::mutable_buffer into, Handler handler) = 0;
    virtual void close() = 0;
    virtual std::string handshake_error(Error error) const = 0;
    virtual void handshake(std::function<void(Error)> handler) = 0;
    virtual void read_some(boost::asio::mutable_buffer into, Handler handler) = 0;
    virtual void write_some(boost::asio::const_buffer from, Handler handler) = 0;
    virtual void send_end() = 0;
  };
  class TlsLayer;
  class PolledLayer;

  template <typename Buffer, typename Buffers>
  static Buffer first_of(const Buffers& buffers) {
    const auto end = boost::asio::buffer_sequence_end(buffers);
    for (auto at = boost::asio::buffer_sequence_begin(buffers); at != end; ++at) {
      if (Buffer(*at).size() > 0) {
        return *at;
      }
    }
    return {};
  }
  // Handlers of coroutines cannot be copied; a std::function must.
  template <typename Move>
  static Handler shared(Move handler) {
    auto kept = std::make_shared<Move>(std::move(handler));
    return [kept](Error error, std::size_t count) { (*kept)(error, count); };
  }

  Socket socket_;                 // moved into the layer, if there is one
  std::unique_ptr<Layer> layer_;  // null: plain
};

}  // namespace edged::net
