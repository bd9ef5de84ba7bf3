// SPDX-License-Identifier: Apache-2.0
// A server with some routes on a thread of its own, and a client that sends and reads raw bytes
// over a loopback socket. Every read has a deadline, so a server that hangs fails its test.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <boost/asio.hpp>
#include <chrono>
#include <functional>
#include <future>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "proto/http/health.h"
#include "proto/http/server.h"

namespace edged::http {

namespace asio = boost::asio;
using asio::ip::tcp;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::AssertionFailure;
using testing::AssertionResult;
using testing::AssertionSuccess;

inline constexpr milliseconds kPatience{60'000};

class RawClient {
 public:
  // `before_connecting` is called once the client has its descriptor.
  explicit RawClient(
      const std::string& address, const std::function<void()>& before_connecting = [] {})
      : socket_(context_) {
    if (address.starts_with("unix:")) {
      asio::local::stream_protocol::socket socket(context_);
      socket.connect({address.substr(5)});
      socket_ = std::move(socket);
      return;
    }
    tcp::socket socket(context_, tcp::v4());
    before_connecting();
    const std::size_t colon = address.rfind(':');
    socket.connect({asio::ip::make_address(address.substr(0, colon)),
                    static_cast<std::uint16_t>(std::stoi(address.substr(colon + 1)))});
    socket_ = std::move(socket);
  }

  void send(const std::string& bytes) {
    boost::system::error_code ignored;  // a server that closed is seen by the reads
    asio::write(socket_, asio::buffer(bytes), ignored);
  }

  // One response: header and as many body bytes as it announces. Nothing if the connection ends
  // first.
  std::optional<std::string> response(bool head = false) {
    std::size_t end = std::string::npos;
    while ((end = unread_.find("\r\n\r\n")) == std::string::npos) {
      if (!read_more()) return std::nullopt;
    }
    std::size_t length = end + 4;
    const std::size_t field = unread_.find("Content-Length: ");
    if (!head && field < end) length += std::stoul(unread_.substr(field + 16));
    while (unread_.size() < length) {
      if (!read_more()) return std::nullopt;
    }
    std::string result = unread_.substr(0, length);
    unread_.erase(0, length);
    return result;
  }

  bool readable(milliseconds timeout) {
    pollfd descriptor{socket_.native_handle(), POLLIN, 0};
    return ::poll(&descriptor, 1, static_cast<int>(timeout.count())) > 0;
  }

  // What comes up to and with the next `mark`, or until the connection ends.
  std::string until(const std::string& mark) {
    std::size_t at = std::string::npos;
    while ((at = unread_.find(mark)) == std::string::npos) {
      if (!read_more()) return std::exchange(unread_, {});
    }
    std::string result = unread_.substr(0, at + mark.size());
    unread_.erase(0, result.size());
    return result;
  }

  // What comes until the connection ends.
  std::string rest() {
    while (read_more()) {
    }
    return std::move(unread_);
  }

  // True if the server ends the connection, with no bytes left, in time.
  bool closed() {
    while (read_more()) {
    }
    return ended_ && unread_.empty();
  }

 private:
  bool read_more() {
    if (!readable(kPatience)) return false;
    char bytes[4096];
    boost::system::error_code error;
    const std::size_t count = socket_.read_some(asio::buffer(bytes), error);
    if (error) ended_ = true;
    unread_.append(bytes, count);
    return !error;
  }

  asio::io_context context_;
  asio::generic::stream_protocol::socket socket_;
  std::string unread_;
  bool ended_ = false;
};

inline AssertionResult has_status(const std::optional<std::string>& response, int status) {
  if (!response) return AssertionFailure() << "no response";
  const std::string start = "HTTP/1.1 " + std::to_string(status) + " ";
  if (response->rfind(start, 0) == 0) return AssertionSuccess();
  return AssertionFailure() << *response;
}

inline std::string body_of(const std::optional<std::string>& response) {
  return response ? response->substr(response->find("\r\n\r\n") + 4) : "(no response)";
}

class ServerTest : public testing::Test {
 protected:
  ServerTest() {
    options.address = "127.0.0.1:0";
    options.hosts = {"here"};
  }
  ~ServerTest() override {
    if (!thread.joinable()) return;
    asio::post(context, [this] { server.reset(); });
    work.reset();
    release();
    thread.join();
  }

  void start() {
    server.emplace(context.get_executor(), options);
    server->route("GET", "/hello", [this](Request request) { return echo(std::move(request)); });
    server->route("POST", "/echo", [this](Request request) { return echo(std::move(request)); });
    server->route("GET", "/below/", [this](Request request) { return echo(std::move(request)); });
    server->route("GET", "/below/deep/", [](Request) -> asio::awaitable<Response> {
      Response response;
      response.body = "deep";
      co_return response;
    });
    server->route("GET", "/slow", [this](Request request) { return wait_for_gate(request); });
    server->route("GET", "/throws", [](Request) -> asio::awaitable<Response> {
      throw std::runtime_error("on purpose");
      co_return Response();
    });
    add_health_routes(*server, metrics, [this] { return ready; });
    if (add_routes) add_routes(*server);
    const Status listening = server->listen();
    ASSERT_TRUE(listening.ok()) << listening.message();
    address = server->address();
    thread = std::thread([this] { context.run(); });
  }

  asio::awaitable<Response> echo(Request request) {
    Response response;
    response.body = request.method + " " + request.path;
    for (const auto& [name, value] : request.query) response.body += " " + name + "=" + value;
    response.body += " [" + request.body + "]";
    co_return response;
  }

  asio::awaitable<Response> wait_for_gate(Request) {
    slow_started.set_value();
    boost::system::error_code ignored;
    co_await gate.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    Response response;
    response.body = "late";
    co_return response;
  }
  void release() {
    asio::post(context, [this] { gate.cancel(); });
  }

  std::future<steady_clock::duration> drain(milliseconds timeout) {
    return std::async(std::launch::async, [this, timeout] {
      const auto start = steady_clock::now();
      asio::co_spawn(context, server->drain(timeout), asio::use_future).get();
      return steady_clock::now() - start;
    });
  }

  std::optional<std::string> ask(const std::string& bytes) {
    RawClient client(address);
    client.send(bytes);
    return client.response();
  }

  std::function<void(Server&)> add_routes;
  ServerOptions options;
  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
  asio::steady_timer gate{context, std::chrono::hours(1)};
  std::promise<void> slow_started;
  std::optional<Server> server;
  MetricsRegistry metrics;
  Status ready;
  std::string address;
  std::thread thread;
};

inline const std::string kHost = "Host: here\r\n";

}  // namespace edged::http
