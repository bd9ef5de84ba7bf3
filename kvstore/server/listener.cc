// SPDX-License-Identifier: Apache-2.0
// See listener.h.
#include "kvstore/server/listener.h"

#include <unistd.h>

#include <boost/asio.hpp>
#include <chrono>
#include <optional>
#include <utility>

#include "proto/base/log.h"
#include "proto/net/unix_acceptor.h"

namespace edged::server {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using Unix = asio::local::stream_protocol;
using Error = boost::system::error_code;

constexpr std::chrono::milliseconds kAcceptPause{100};
constexpr std::chrono::minutes kSayPeriod{1};
constexpr int kBacklog = 1024;

void prepare_socket(tcp::socket& socket) {
  Error ignored;
  socket.set_option(tcp::no_delay(true), ignored);
}
void prepare_socket(Unix::socket&) {}

// State that pending handlers share, so that the Listener itself may go first.
template <typename Protocol>
struct AcceptLoop : std::enable_shared_from_this<AcceptLoop<Protocol>> {
  AcceptLoop(asio::io_context& io, typename Protocol::acceptor open)
      : acceptor(std::move(open)), pause(io) {}

  void accept() {
    asio::io_context& reactor = next_reactor();
    acceptor.async_accept(
        reactor,
        [self = this->shared_from_this(), &reactor](Error error, typename Protocol::socket socket) {
          if (!self->acceptor.is_open()) {
            return;
          }
          if (!error) {
            prepare_socket(socket);
            self->on_accepted(reactor, Listener::Socket(std::move(socket)));
            self->accept();
          } else if (error == asio::error::connection_aborted) {
            self->accept();
          } else {
            self->wait_and_accept(error);
          }
        });
  }

  void wait_and_accept(Error error) {
    const auto now = std::chrono::steady_clock::now();
    if (!said || now - *said >= kSayPeriod) {
      said = now;
      log::warn("could not accept a connection: " + error.message() +
                "; trying again every 100 ms (logged at most once a minute)");
    }
    pause.expires_after(kAcceptPause);
    pause.async_wait([self = this->shared_from_this()](Error cancelled) {
      if (!cancelled && self->acceptor.is_open()) {
        self->accept();
      }
    });
  }

  typename Protocol::acceptor acceptor;
  asio::steady_timer pause;
  std::optional<std::chrono::steady_clock::time_point> said;
  Listener::NextReactor next_reactor;
  Listener::OnAccepted on_accepted;
};

template <typename Protocol>
class AcceptingListener final : public Listener {
 public:
  AcceptingListener(asio::io_context& io,
                    typename Protocol::acceptor acceptor,
                    std::string address,
                    std::string remove_path)
      : loop_(std::make_shared<AcceptLoop<Protocol>>(io, std::move(acceptor))),
        address_(std::move(address)),
        remove_path_(std::move(remove_path)) {}
  ~AcceptingListener() override { close(); }

  void start(NextReactor next_reactor, OnAccepted on_accepted) override {
    loop_->next_reactor = std::move(next_reactor);
    loop_->on_accepted = std::move(on_accepted);
    loop_->accept();
  }

  void close() override {
    if (!loop_->acceptor.is_open()) {
      return;
    }
    Error ignored;
    loop_->acceptor.close(ignored);
    loop_->pause.cancel();
    if (!remove_path_.empty()) {
      ::unlink(remove_path_.c_str());
    }
  }

  std::string address() const override { return address_; }

 private:
  std::shared_ptr<AcceptLoop<Protocol>> loop_;
  std::string address_;
  std::string remove_path_;
};

std::string endpoint_text(const tcp::endpoint& endpoint) {
  const std::string host = endpoint.address().to_string();
  return (endpoint.address().is_v6() ? "[" + host + "]" : host) + ":" +
         std::to_string(endpoint.port());
}

Status cannot_listen(const std::string& address, const std::string& why) {
  return {Code::kUnavailable, "could not listen on \"" + address + "\": " + why};
}

Result<tcp::endpoint> parse_endpoint(const std::string& address) {
  const Status invalid(Code::kInvalidArgument,
                       "could not listen on \"" + address +
                           "\": it is not a numeric host and a port, as 127.0.0.1:4780");
  const std::size_t colon = address.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == address.size()) {
    return invalid;
  }
  std::string host = address.substr(0, colon);
  if (host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  const std::string digits = address.substr(colon + 1);
  if (digits.size() > 5 || digits.find_first_not_of("0123456789") != std::string::npos) {
    return invalid;
  }
  const unsigned long port = std::stoul(digits);
  Error error;
  const asio::ip::address ip = asio::ip::make_address(host, error);
  if (error || port > 65535) {
    return invalid;
  }
  return tcp::endpoint(ip, static_cast<unsigned short>(port));
}

}  // namespace

Result<std::unique_ptr<Listener>> listen_tcp(asio::io_context& io, const std::string& address) {
  Result<tcp::endpoint> endpoint = parse_endpoint(address);
  if (!endpoint) {
    return endpoint.error();
  }
  tcp::acceptor acceptor(io);
  Error error;
  acceptor.open(endpoint->protocol(), error);
  if (!error) {
    acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  }
  if (!error) {
    acceptor.bind(*endpoint, error);
  }
  if (!error) {
    acceptor.listen(kBacklog, error);
  }
  if (error == asio::error::address_in_use) {
    return cannot_listen(address, "port in use by another process");
  }
  if (error) {
    return cannot_listen(address, error.message());
  }
  const std::string bound = endpoint_text(acceptor.local_endpoint(error));
  return std::unique_ptr<Listener>(
      std::make_unique<AcceptingListener<tcp>>(io, std::move(acceptor), bound, ""));
}

Result<std::unique_ptr<Listener>> listen_unix(asio::io_context& io, const std::string& path) {
  auto acceptor = net::open_unix_acceptor(io.get_executor(), path, kBacklog);
  if (!acceptor) return acceptor.error();
  return std::unique_ptr<Listener>(
      std::make_unique<AcceptingListener<Unix>>(io, std::move(*acceptor), path, path));
}

}  // namespace edged::server
