// SPDX-License-Identifier: Apache-2.0
// See stream.h.
#include "proto/net/stream.h"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>

namespace edged::net {

namespace asio = boost::asio;
namespace ssl = boost::asio::ssl;

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
  Socket& socket() override { return engine_->next_layer(); }

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

std::size_t Stream::send_now(std::string_view bytes) {
  if (layer_ || bytes.empty()) {
    return 0;
  }
  const ssize_t sent =
      ::send(socket_.native_handle(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  return sent > 0 ? static_cast<std::size_t>(sent) : 0;
}

void Stream::send_end() {
  if (layer_) {
    layer_->send_end();
  } else {
    Error ignored;
    socket_.shutdown(asio::socket_base::shutdown_send, ignored);
  }
}

void Stream::close() {
  Error ignored;
  socket().close(ignored);
}

}  // namespace edged::net
