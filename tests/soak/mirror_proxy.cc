// SPDX-License-Identifier: Apache-2.0
// See mirror_proxy.h.
#include "tests/soak/mirror_proxy.h"

#include <array>
#include <atomic>
#include <boost/asio.hpp>
#include <boost/asio/as_tuple.hpp>
#include <cstdint>
#include <limits>
#include <thread>

namespace edged::soak {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using std::chrono::milliseconds;
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr milliseconds kPoll{5};
constexpr std::size_t kPieceBytes = 64 * 1024;

std::int64_t steady_ms() {
  return std::chrono::duration_cast<milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

struct Pair {
  Pair(asio::io_context& io, std::uint64_t ordinal) : client(io), server(io), number(ordinal) {}
  void close() {
    boost::system::error_code ignored;
    client.close(ignored);
    server.close(ignored);
  }
  tcp::socket client, server;
  const std::uint64_t number;
};

}  // namespace

class MirrorProxy::Impl {
 public:
  explicit Impl(int target_port)
      : target_(asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(target_port)),
        acceptor_(io_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)),
        port_(acceptor_.local_endpoint().port()) {
    asio::co_spawn(io_, accept(), asio::detached);
    thread_ = std::thread([this] { io_.run(); });
  }
  ~Impl() {
    io_.stop();
    thread_.join();
  }

  int port() const { return port_; }

  void stall(milliseconds time, bool only_present) {
    stalled_number_.store(only_present ? connections_.load() : kEveryConnection);
    stalled_until_.store(steady_ms() + time.count());
  }
  void delay(milliseconds time) { delay_.store(time.count()); }
  void cut() { cut_number_.store(connections_.load()); }

 private:
  static constexpr std::uint64_t kEveryConnection = std::numeric_limits<std::uint64_t>::max();

  asio::awaitable<void> accept() {
    for (;;) {
      auto pair = std::make_shared<Pair>(io_, connections_.load() + 1);
      const auto [error] = co_await acceptor_.async_accept(pair->client, kAwait);
      if (error) co_return;
      connections_.fetch_add(1);
      asio::co_spawn(io_, serve(std::move(pair)), asio::detached);
    }
  }

  asio::awaitable<void> serve(std::shared_ptr<Pair> pair) {
    const bool open = co_await pass(*pair);
    if (!open) co_return pair->close();
    const auto [error] = co_await pair->server.async_connect(target_, kAwait);
    if (error) co_return pair->close();
    boost::system::error_code ignored;
    pair->client.set_option(tcp::no_delay(true), ignored);
    pair->server.set_option(tcp::no_delay(true), ignored);
    asio::co_spawn(io_, watch(pair), asio::detached);
    asio::co_spawn(io_, pump(pair, true), asio::detached);
    co_await pump(pair, false);
  }

  // Waits while the pair is stalled. False: it was cut.
  asio::awaitable<bool> pass(const Pair& pair) {
    asio::steady_timer timer(io_);
    while (pair.number <= stalled_number_.load() && steady_ms() < stalled_until_.load() &&
           pair.number > cut_number_.load()) {
      timer.expires_after(kPoll);
      co_await timer.async_wait(kAwait);
    }
    co_return pair.number > cut_number_.load();
  }

  asio::awaitable<void> watch(std::shared_ptr<Pair> pair) {
    asio::steady_timer timer(io_);
    while (pair->client.is_open() && pair->number > cut_number_.load()) {
      timer.expires_after(kPoll);
      co_await timer.async_wait(kAwait);
    }
    pair->close();
  }

  asio::awaitable<void> pump(std::shared_ptr<Pair> pair, bool to_server) {
    tcp::socket& from = to_server ? pair->client : pair->server;
    tcp::socket& to = to_server ? pair->server : pair->client;
    std::array<char, kPieceBytes> piece;
    asio::steady_timer timer(io_);
    for (;;) {
      const auto [error, count] = co_await from.async_read_some(asio::buffer(piece), kAwait);
      const bool open = co_await pass(*pair);
      if (error || !open) break;
      if (delay_.load() > 0) {
        timer.expires_after(milliseconds(delay_.load()));
        co_await timer.async_wait(kAwait);
      }
      const auto [failed, written] =
          co_await asio::async_write(to, asio::buffer(piece.data(), count), kAwait);
      if (failed || written != count) break;
    }
    pair->close();
  }

  asio::io_context io_{1};
  const tcp::endpoint target_;
  tcp::acceptor acceptor_;
  const int port_;
  std::atomic<std::uint64_t> connections_{0};
  std::atomic<std::uint64_t> stalled_number_{0}, cut_number_{0};
  std::atomic<std::int64_t> stalled_until_{0}, delay_{0};
  std::thread thread_;
};

MirrorProxy::MirrorProxy(int target_port) : impl_(std::make_unique<Impl>(target_port)) {}
MirrorProxy::~MirrorProxy() = default;
int MirrorProxy::port() const {
  return impl_->port();
}
void MirrorProxy::stall(milliseconds time, bool only_present) {
  impl_->stall(time, only_present);
}
void MirrorProxy::delay(milliseconds time) {
  impl_->delay(time);
}
void MirrorProxy::cut() {
  impl_->cut();
}

}  // namespace edged::soak
