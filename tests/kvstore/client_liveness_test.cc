// SPDX-License-Identifier: Apache-2.0
// What clients do about a node that is gone without a word: a proxy between them swallows all that
// either side sends, as a path does whose other end lost its power.
#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <memory>
#include <optional>
#include <set>
#include <thread>

#include "proto/net/blocking_client.h"
#include "proto/net/client.h"
#include "proto/net/spawn.h"
#include "tests/kvstore/server_fixture.h"

namespace edged::net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using std::chrono::milliseconds;

// Connections that were made before swallow() stay silent for ever; later ones work.
class SwallowingProxy {
 public:
  explicit SwallowingProxy(const std::string& target)
      : acceptor_(io_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)),
        target_(asio::ip::address_v4::loopback(),
                static_cast<std::uint16_t>(std::stoi(target.substr(target.rfind(':') + 1)))) {
    spawn(io_, accept());
    thread_ = std::thread([this] { io_.run(); });
  }
  ~SwallowingProxy() {
    io_.stop();
    thread_.join();
  }

  std::string address() const {
    return "127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port());
  }

  void swallow() {
    asio::post(io_, asio::use_future([this] {
                 for (const std::shared_ptr<bool>& silent : connections_) *silent = true;
               }))
        .get();
  }

 private:
  asio::awaitable<void> accept() {
    while (true) {
      tcp::socket client = co_await acceptor_.async_accept(asio::use_awaitable);
      tcp::socket server(io_);
      co_await server.async_connect(target_, asio::use_awaitable);
      const auto a = std::make_shared<tcp::socket>(std::move(client));
      const auto b = std::make_shared<tcp::socket>(std::move(server));
      const auto silent = std::make_shared<bool>(false);
      connections_.insert(silent);
      spawn(io_, forward(a, b, silent));
      spawn(io_, forward(b, a, silent));
    }
  }

  static asio::awaitable<void> forward(std::shared_ptr<tcp::socket> from,
                                       std::shared_ptr<tcp::socket> to,
                                       std::shared_ptr<bool> silent) {
    std::array<char, 4096> block{};
    while (true) {
      const auto [error, count] =
          co_await from->async_read_some(asio::buffer(block), asio::as_tuple(asio::use_awaitable));
      if (error && *silent) co_return;  // the other side does not hear of it
      if (error) break;
      if (*silent) continue;
      const auto [failed, sent] = co_await asio::async_write(
          *to, asio::buffer(block.data(), count), asio::as_tuple(asio::use_awaitable));
      if (failed) break;
    }
    boost::system::error_code ignored;
    to->close(ignored);
  }

  asio::io_context io_{1};
  tcp::acceptor acceptor_;
  const tcp::endpoint target_;
  std::set<std::shared_ptr<bool>> connections_;
  std::thread thread_;
};

class ClientLivenessTest : public server::ServerFixture {
 protected:
  void SetUp() override {
    ServerFixture::SetUp();
    proxy_.emplace(address_);
  }
  void TearDown() override {
    proxy_.reset();
    ServerFixture::TearDown();
  }

  // Long enough for a machine that is busy elsewhere: a node that works is not taken for a dead
  // one.
  ClientOptions options(milliseconds silence_max = std::chrono::seconds(3)) const {
    ClientOptions options;
    options.address = proxy_->address();
    options.connect_timeout = std::chrono::seconds(30);
    options.call_timeout = std::chrono::minutes(10);  // it is not what ends the calls
    options.silence_max = silence_max;
    return options;
  }

  std::optional<SwallowingProxy> proxy_;
  asio::io_context io_{1};
};

TEST_F(ClientLivenessTest, AWatchEndsAndTheNextOneIsMadeOnANewConnection) {
  Client client(io_.get_executor(), options());
  const std::string ns = "default";
  auto watch = run_until_done(io_, client.watch(ns, "", std::nullopt));
  ASSERT_TRUE(watch) << watch.error().message();
  proxy_->swallow();
  const auto changes = run_until_done(io_, (*watch)->next(std::chrono::minutes(10)));
  EXPECT_EQ(changes.code(), Code::kUnavailable);
  watch->reset();
  watch = run_until_done(io_, client.watch(ns, "", std::nullopt));
  ASSERT_TRUE(watch) << watch.error().message();
  ASSERT_TRUE(run_until_done(io_, client.put(ns, {.key = "k"})));
  EXPECT_EQ(run_until_done(io_, (*watch)->next(std::chrono::minutes(10)))->size(), 1U);
}

TEST_F(ClientLivenessTest, CallsUnderWayEnd) {
  Client client(io_.get_executor(), options());
  const std::string ns = "default";
  ASSERT_TRUE(run_until_done(io_, client.ping()).ok());
  ASSERT_TRUE(run_until_done(io_, client.put(ns, {.key = "k", .value = "v"})));
  proxy_->swallow();
  std::optional<Code> written;
  spawn(io_, client.put(ns, {.key = "k"}), [&written](Result<std::uint64_t> result) {
    written = result.code();
  });
  // Reads are repeated on a new connection, which works.
  EXPECT_EQ(run_until_done(io_, client.get(ns, "k")).code(), Code::kOk);
  EXPECT_EQ(written, Code::kUnknownOutcome);
}

TEST_F(ClientLivenessTest, ABlockingClientNoticesToo) {
  BlockingClient client(options());
  const std::string ns = "default";
  auto watch = client.watch(ns, "", std::nullopt);
  ASSERT_TRUE(watch) << watch.error().message();
  proxy_->swallow();
  EXPECT_EQ(client.next(**watch, std::chrono::minutes(10)).code(), Code::kUnavailable);
  EXPECT_EQ(client.put(ns, {.key = "k"}).code(), Code::kOk);  // on a new connection
  proxy_->swallow();
  EXPECT_EQ(client.put(ns, {.key = "k"}).code(), Code::kUnknownOutcome);
  EXPECT_EQ(client.get(ns, "k").code(), Code::kOk);
}

// The node answers the PINGs, and an event loop that stands still is no silence of the peer.
TEST_F(ClientLivenessTest, AQuietNodeIsKept) {
  const milliseconds silence_max(4000);
  BlockingClient client(options(silence_max));
  const std::string ns = "default";
  auto watch = client.watch(ns, "", std::nullopt);
  ASSERT_TRUE(watch) << watch.error().message();
  const auto quiet = client.next(**watch, silence_max + silence_max / 2);
  ASSERT_TRUE(quiet) << quiet.error().message();
  EXPECT_TRUE(quiet->empty());
  for (int i = 0; i < 8; ++i) {
    std::this_thread::sleep_for(silence_max / 4 + milliseconds(1));
    EXPECT_TRUE(client.next(**watch, milliseconds(0)));
  }
}

}  // namespace
}  // namespace edged::net
