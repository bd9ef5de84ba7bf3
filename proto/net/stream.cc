// SPDX-License-Identifier: Apache-2.0
// See stream.h.
#include "proto/net/stream.h"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>
#include <cerrno>
#include <optional>
#include <utility>

namespace edged::net {

namespace asio = boost::asio;
namespace ssl = boost::asio::ssl;

namespace {

// What the kernel takes at once; 0 after an error.
std::size_t send_plainly(int fd, std::string_view bytes) {
  const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  return sent > 0 ? static_cast<std::size_t>(sent) : 0;
}

}  // namespace

// The engine lives as long as its operations: a handler may destroy the stream.
class Stream::TlsLayer final : public Layer {
 public:
  TlsLayer(Socket socket,
           std::shared_ptr<TlsContext> context,
           ssl::stream_base::handshake_type side)
      : context_(std::move(context)),
        engine_(std::make_shared<ssl::stream<Socket>>(std::move(socket), *context_)),
        side_(side) {}

  ssl::stream<Socket>& engine() { return *engine_; }
  bool is_tls() const override { return true; }
  Socket& socket() override { return engine_->next_layer(); }
  void drop_some(asio::mutable_buffer into, Handler handler) override {
    socket().async_read_some(into, std::move(handler));
  }
  void close() override {
    Error ignored;
    socket().close(ignored);
  }

  void handshake(std::function<void(Error)> handler) override {
    engine_->async_handshake(
        side_, [engine = engine_, handler = std::move(handler)](Error error) { handler(error); });
  }

  std::string handshake_error(Error error) const override {
    const long verified = SSL_get_verify_result(engine_->native_handle());
    if (side_ == ssl::stream_base::client && verified != X509_V_OK) {
      return std::string("the certificate is refused: ") + X509_verify_cert_error_string(verified);
    }
    return error == ssl::error::stream_truncated || error == asio::error::eof
               ? "the connection was closed"
               : error.message();
  }

  void read_some(asio::mutable_buffer into, Handler handler) override {
    engine_->async_read_some(
        into, [engine = engine_, handler = std::move(handler)](Error error, std::size_t count) {
          handler(error == ssl::error::stream_truncated ? Error(asio::error::eof) : error, count);
        });
  }

  void write_some(asio::const_buffer from, Handler handler) override {
    engine_->async_write_some(
        from, [engine = engine_, handler = std::move(handler)](Error error, std::size_t count) {
          handler(error, count);
        });
  }

  // The answer to the message is waited for only as long as the socket is open.
  void send_end() override {
    engine_->async_shutdown([engine = engine_](Error) {});
  }

 private:
  std::shared_ptr<TlsContext> context_;
  std::shared_ptr<ssl::stream<Socket>> engine_;
  ssl::stream_base::handshake_type side_;
};

// A socket that Asio has given up. One read and one write may wait for the poller.
class Stream::PolledLayer final : public Layer, private Poller::Watcher {
 public:
  // Null if the kernel has no room; then the socket is as it was.
  static std::unique_ptr<PolledLayer> make(Socket& socket, Poller& poller) {
    std::unique_ptr<PolledLayer> layer(new PolledLayer(socket.native_handle(), poller));
    if (!poller.add(layer->fd_, *layer)) {
      layer->fd_ = -1;
      return nullptr;
    }
    socket.release();
    layer->closed_socket_.emplace(std::move(socket));
    return layer;
  }
  ~PolledLayer() { close(); }

  bool is_tls() const override { return false; }
  Socket& socket() override { return *closed_socket_; }
  int native_handle() override { return fd_; }
  std::string handshake_error(Error error) const override { return error.message(); }
  void handshake(std::function<void(Error)> handler) override { handler(Error()); }

  void read_some(asio::mutable_buffer into, Handler handler) override {
    into_ = into;
    on_read_ = std::move(handler);
    if (readable_) poller_.later(*this);
  }

  void drop_some(asio::mutable_buffer into, Handler handler) override {
    read_some(into, std::move(handler));
  }

  void write_some(asio::const_buffer from, Handler handler) override {
    from_ = from;
    on_written_ = std::move(handler);
    poller_.watch_writing(fd_, *this, true);
  }

  std::size_t send_now(std::string_view bytes) override { return send_plainly(fd_, bytes); }

  void send_end() override { ::shutdown(fd_, SHUT_WR); }

  void close() override {
    if (fd_ < 0) return;
    poller_.remove(fd_, *this);
    ::close(std::exchange(fd_, -1));
    on_read_ = nullptr;
    on_written_ = nullptr;
  }

 private:
  PolledLayer(int fd, Poller& poller) : fd_(fd), poller_(poller) {}

  // A handler may destroy this object: nothing of it is used after the first.
  void on_ready(std::uint32_t events) override {
    ended_ = ended_ || (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    readable_ = readable_ || ended_ || (events & EPOLLIN) != 0;
    Handler on_read, on_written;
    std::size_t read = 0, written = 0;
    Error read_error, write_error;
    if (on_read_ && readable_ && receive(read, read_error)) on_read.swap(on_read_);
    if (on_written_ && send(written, write_error)) {
      on_written.swap(on_written_);
      poller_.watch_writing(fd_, *this, false);
    }
    if (on_read) on_read(read_error, read);
    if (on_written) on_written(write_error, written);
  }

  // False: nothing is there.
  bool receive(std::size_t& count, Error& error) {
    const ssize_t received = ::recv(fd_, into_.data(), into_.size(), MSG_DONTWAIT);
    if (received < 0) return failed(error, readable_);
    count = static_cast<std::size_t>(received);
    if (received == 0 && into_.size() > 0) error = asio::error::eof;
    // A buffer that was not filled has emptied the socket, but the end behind it is told only once.
    readable_ = ended_ || count == into_.size();
    return true;
  }

  // False: there is no room.
  bool send(std::size_t& count, Error& error) {
    bool ignored = false;
    const ssize_t sent = ::send(fd_, from_.data(), from_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0) return failed(error, ignored);
    count = static_cast<std::size_t>(sent);
    return true;
  }

  // `ready` becomes false if it would block, and so does the answer. An interrupted call is as one
  // that would block: the next event repeats it, so it must not get lost.
  bool failed(Error& error, bool& ready) {
    if (errno == EINTR) {
      poller_.later(*this);
      return false;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      ready = false;
      return false;
    }
    error = Error(errno, boost::system::system_category());
    return true;
  }

  int fd_;  // -1: closed
  Poller& poller_;
  std::optional<Socket> closed_socket_;  // for its executor
  asio::mutable_buffer into_;
  asio::const_buffer from_;
  Handler on_read_, on_written_;  // null: nobody waits
  bool readable_ = false;         // something was told that has not been read
  bool ended_ = false;            // the peer sends no more, or the connection is broken
};

void Stream::use_poller(Poller& poller) {
  layer_ = PolledLayer::make(socket_, poller);
}

void Stream::use_server_tls(std::shared_ptr<TlsContext> context) {
  layer_ =
      std::make_unique<TlsLayer>(std::move(socket_), std::move(context), ssl::stream_base::server);
}

Status Stream::use_client_tls(std::shared_ptr<TlsContext> context, const std::string& host) {
  auto layer =
      std::make_unique<TlsLayer>(std::move(socket_), std::move(context), ssl::stream_base::client);
  SSL* native = layer->engine().native_handle();
  Error not_an_address;
  asio::ip::make_address(host, not_an_address);
  X509_VERIFY_PARAM* checks = SSL_get0_param(native);
  // A name is also sent, for a server with several certificates.
  const bool set = not_an_address ? SSL_set1_host(native, host.c_str()) == 1 &&
                                        SSL_set_tlsext_host_name(native, host.c_str()) == 1
                                  : X509_VERIFY_PARAM_set1_ip_asc(checks, host.c_str()) == 1;
  layer_ = std::move(layer);
  if (!set) {
    return {Code::kInvalidArgument, "\"" + host + "\" is neither a host name nor an IP address"};
  }
  return {};
}

std::string Stream::handshake_error(Error error) const {
  return layer_ ? layer_->handshake_error(error) : error.message();
}

void Stream::read_some(asio::mutable_buffer into, Handler handler) {
  if (layer_) {
    layer_->read_some(into, std::move(handler));
  } else {
    socket_.async_read_some(into, std::move(handler));
  }
}

std::size_t Stream::send_now(std::string_view bytes) {
  if (bytes.empty()) return 0;
  return layer_ ? layer_->send_now(bytes) : send_plainly(socket_.native_handle(), bytes);
}

void Stream::send_end() {
  if (layer_) {
    layer_->send_end();
  } else {
    Error ignored;
    socket_.shutdown(asio::socket_base::shutdown_send, ignored);
  }
}

void Stream::drop_some(asio::mutable_buffer into, Handler handler) {
  if (layer_) {
    layer_->drop_some(into, std::move(handler));
  } else {
    socket_.async_read_some(into, std::move(handler));
  }
}

void Stream::end_input() {
  ::shutdown(native_handle(), SHUT_RD);
}

void Stream::close() {
  if (layer_) {
    layer_->close();
  } else {
    Error ignored;
    socket_.close(ignored);
  }
}

}  // namespace edged::net
