// SPDX-License-Identifier: Apache-2.0
// The HTTP server as a client sees it: raw bytes over loopback sockets, against a server on a
// thread of its own. Every read of a client has a deadline, so a hanging server fails the test
// instead of it.
#include "proto/http/server.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <boost/asio.hpp>
#include <chrono>
#include <future>
#include <optional>
#include <string>
#include <thread>

#include "proto/http/health.h"

namespace edged::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::AssertionFailure;
using testing::AssertionResult;
using testing::AssertionSuccess;

constexpr milliseconds kPatience{10'000};

class RawClient {
 public:
  explicit RawClient(const std::string& address) : socket_(context_) {
    const std::size_t colon = address.rfind(':');
    socket_.connect({asio::ip::make_address(address.substr(0, colon)),
                     static_cast<std::uint16_t>(std::stoi(address.substr(colon + 1)))});
  }

  void send(const std::string& bytes) {
    boost::system::error_code ignored;  // a server that closed is seen by the reads
    asio::write(socket_, asio::buffer(bytes), ignored);
  }
  void end_sending() { socket_.shutdown(tcp::socket::shutdown_send); }

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

  // True if the server ends the connection, with no bytes left, in time.
  bool closed() {
    while (read_more()) {
    }
    return ended_ && unread_.empty();
  }

 private:
  bool read_more() {
    pollfd descriptor{socket_.native_handle(), POLLIN, 0};
    if (::poll(&descriptor, 1, static_cast<int>(kPatience.count())) <= 0) return false;
    char bytes[4096];
    boost::system::error_code error;
    const std::size_t count = socket_.read_some(asio::buffer(bytes), error);
    if (error) ended_ = true;
    unread_.append(bytes, count);
    return !error;
  }

  asio::io_context context_;
  tcp::socket socket_;
  std::string unread_;
  bool ended_ = false;
};

AssertionResult has_status(const std::optional<std::string>& response, int status) {
  if (!response) return AssertionFailure() << "no response";
  const std::string start = "HTTP/1.1 " + std::to_string(status) + " ";
  if (response->rfind(start, 0) == 0) return AssertionSuccess();
  return AssertionFailure() << *response;
}

std::string body_of(const std::optional<std::string>& response) {
  return response ? response->substr(response->find("\r\n\r\n") + 4) : "(no response)";
}

class ServerTest : public testing::Test {
 protected:
  ServerTest() { options.address = "127.0.0.1:0"; }
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

const std::string kHost = "Host: here\r\n";

TEST_F(ServerTest, AnswersOnOneConnectionAgainAndAgain) {
  start();
  RawClient client(address);
  for (int i = 0; i < 3; ++i) {
    client.send("GET /hello?a=1&b=x%20y+z&a=2 HTTP/1.1\r\n" + kHost + "\r\n");
    const auto response = client.response();
    ASSERT_TRUE(has_status(response, 200));
    EXPECT_EQ(body_of(response), "GET /hello a=2 b=x y z []");
  }
}

TEST_F(ServerTest, UnderstandsARequestSentByteByByte) {
  start();
  RawClient client(address);
  for (const char byte : "POST /echo HTTP/1.1\r\n" + kHost + "Content-Length: 5\r\n\r\nab\r\nc") {
    client.send(std::string(1, byte));
    std::this_thread::sleep_for(milliseconds(1));
  }
  EXPECT_EQ(body_of(client.response()), "POST /echo [ab\r\nc]");
}

TEST_F(ServerTest, ReadsAChunkedBody) {
  start();
  EXPECT_EQ(body_of(ask("POST /echo HTTP/1.1\r\n" + kHost +
                        "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")),
            "POST /echo [abcde]");
}

TEST_F(ServerTest, AnswersPipelinedRequestsInOrder) {
  start();
  RawClient client(address);
  client.send("POST /echo HTTP/1.1\r\n" + kHost + "Content-Length: 1\r\n\r\n1" +
              "POST /echo HTTP/1.1\r\n" + kHost + "Content-Length: 1\r\n\r\n2" +
              "GET /hello HTTP/1.1\r\n" + kHost + "Connection: close\r\n\r\n");
  EXPECT_EQ(body_of(client.response()), "POST /echo [1]");
  EXPECT_EQ(body_of(client.response()), "POST /echo [2]");
  EXPECT_EQ(body_of(client.response()), "GET /hello []");
  EXPECT_TRUE(client.closed());
}

TEST_F(ServerTest, AsksForABodyThatTheClientHoldsBack) {
  start();
  RawClient client(address);
  client.send("POST /echo HTTP/1.1\r\n" + kHost +
              "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  EXPECT_TRUE(has_status(client.response(), 100));
  client.send("abc");
  EXPECT_EQ(body_of(client.response()), "POST /echo [abc]");
}

TEST_F(ServerTest, HeadIsGetWithoutTheBody) {
  start();
  RawClient client(address);
  client.send("HEAD /hello HTTP/1.1\r\n" + kHost + "\r\nGET /hello HTTP/1.1\r\n" + kHost + "\r\n");
  const auto head = client.response(true);
  ASSERT_TRUE(has_status(head, 200));
  EXPECT_NE(head->find("Content-Length: 14\r\n"), std::string::npos) << *head;
  EXPECT_EQ(body_of(head), "");
  EXPECT_EQ(body_of(client.response()), "GET /hello []");
}

TEST_F(ServerTest, ClosesAfterHttp10) {
  start();
  RawClient client(address);
  client.send("GET /hello HTTP/1.0\r\n\r\n");
  EXPECT_EQ(body_of(client.response()), "GET /hello []");
  EXPECT_TRUE(client.closed());
}

TEST_F(ServerTest, RoutesByTheLongestPrefix) {
  start();
  EXPECT_EQ(body_of(ask("GET /below/x HTTP/1.1\r\n" + kHost + "\r\n")), "GET /below/x []");
  EXPECT_EQ(body_of(ask("GET /below/deep/x/y HTTP/1.1\r\n" + kHost + "\r\n")), "deep");
  EXPECT_TRUE(has_status(ask("GET /below HTTP/1.1\r\n" + kHost + "\r\n"), 404));
}

TEST_F(ServerTest, RefusesUnknownPathsAndMethods) {
  start();
  RawClient client(address);
  client.send("GET /nothing HTTP/1.1\r\n" + kHost + "\r\n");
  EXPECT_TRUE(has_status(client.response(), 404));
  client.send("DELETE /hello HTTP/1.1\r\n" + kHost + "\r\n");
  const auto response = client.response();
  ASSERT_TRUE(has_status(response, 405));
  EXPECT_NE(response->find("Allow: GET, HEAD\r\n"), std::string::npos) << *response;
}

TEST_F(ServerTest, RefusesMalformedRequestsAndCloses) {
  start();
  const std::string cases[] = {
      "rubbish\r\n\r\n",
      "GET /hello HTTP/1.1\r\n\r\n",                       // no Host
      "GET /hello HTTP/1.1\r\n" + kHost + kHost + "\r\n",  // two
      "GET /%zz HTTP/1.1\r\n" + kHost + "\r\n",            // bad escape
      "GET /a%00 HTTP/1.1\r\n" + kHost + "\r\n",           // NUL
      "GET hello HTTP/1.1\r\n" + kHost + "\r\n",           // no path
      "GET /hello HTTP/1.1\r\nbad header\r\n\r\n",
      "POST /echo HTTP/1.1\r\n" + kHost + "Content-Length: x\r\n\r\n",
      "POST /echo HTTP/1.1\r\n" + kHost + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
  };
  for (const std::string& bytes : cases) {
    RawClient client(address);
    client.send(bytes);
    EXPECT_TRUE(has_status(client.response(), 400)) << bytes;
    EXPECT_TRUE(client.closed()) << bytes;
  }
  EXPECT_TRUE(
      has_status(ask("POST /echo HTTP/1.1\r\n" + kHost + "Transfer-Encoding: gzip\r\n\r\n"), 501));
}

TEST_F(ServerTest, RefusesAHeaderAboveTheLimit) {
  start();
  const std::string start_line = "GET /hello HTTP/1.1\r\n" + kHost + "X-Long: ";
  EXPECT_TRUE(has_status(ask(start_line + std::string(7 * 1024, 'x') + "\r\n\r\n"), 200));
  EXPECT_TRUE(has_status(ask(start_line + std::string(9 * 1024, 'x') + "\r\n\r\n"), 431));
  EXPECT_TRUE(has_status(ask("GET /" + std::string(200'000, 'x')), 431));
}

TEST_F(ServerTest, RefusesABodyAboveTheLimit) {
  options.body_bytes_max = 1000;
  start();
  const auto post = [this](std::size_t size) {
    return ask("POST /echo HTTP/1.1\r\n" + kHost + "Content-Length: " + std::to_string(size) +
               "\r\n\r\n" + std::string(size, 'x'));
  };
  EXPECT_TRUE(has_status(post(1000), 200));
  EXPECT_TRUE(has_status(post(1001), 413));
  EXPECT_TRUE(has_status(post(1'000'000), 413));
  EXPECT_TRUE(has_status(
      ask("POST /echo HTTP/1.1\r\n" + kHost + "Transfer-Encoding: chunked\r\n\r\n3e9\r\n" +
          std::string(1001, 'x') + "\r\n0\r\n\r\n"),
      413));
}

TEST_F(ServerTest, RefusesRequestsFromOtherSites) {
  start();
  const auto with = [this](const std::string& header) {
    return ask("GET /hello HTTP/1.1\r\nHost: here:80\r\n" + header + "\r\n\r\n");
  };
  EXPECT_TRUE(has_status(with("Origin: http://elsewhere"), 403));
  EXPECT_TRUE(has_status(with("Origin: http://here:81"), 403));
  EXPECT_TRUE(has_status(with("Origin: null"), 403));
  EXPECT_TRUE(has_status(with("Sec-Fetch-Site: cross-site"), 403));
  EXPECT_TRUE(has_status(with("Sec-Fetch-Site: same-site"), 403));
  EXPECT_TRUE(has_status(with("Origin: http://HERE:80"), 200));
  EXPECT_TRUE(has_status(with("Sec-Fetch-Site: same-origin"), 200));
  EXPECT_TRUE(has_status(with("Sec-Fetch-Site: none"), 200));
}

TEST_F(ServerTest, AHandlerThatThrowsIsAnsweredAndTheConnectionGoesOn) {
  start();
  RawClient client(address);
  client.send("GET /throws HTTP/1.1\r\n" + kHost + "\r\nGET /hello HTTP/1.1\r\n" + kHost + "\r\n");
  EXPECT_TRUE(has_status(client.response(), 500));
  EXPECT_TRUE(has_status(client.response(), 200));
}

TEST_F(ServerTest, ALateHandlerDoesNotHoldUpOthers) {
  start();
  RawClient slow(address);
  slow.send("GET /slow HTTP/1.1\r\n" + kHost + "\r\n");
  slow_started.get_future().wait();
  EXPECT_TRUE(has_status(ask("GET /hello HTTP/1.1\r\n" + kHost + "\r\n"), 200));
  release();
  EXPECT_EQ(body_of(slow.response()), "late");
}

TEST_F(ServerTest, ClosesAConnectionWhoseHeaderNeverEnds) {
  options.header_timeout = milliseconds(200);
  start();
  RawClient silent(address);
  RawClient client(address);
  const auto begin = steady_clock::now();
  client.send("GET /hello HTTP/1.1\r\n");
  std::thread dripping([&client] {  // bytes keep coming, and do not move the deadline
    for (int i = 0; i < 20; ++i) {
      client.send("X-A: b\r\n");
      std::this_thread::sleep_for(milliseconds(50));
    }
  });
  EXPECT_TRUE(client.closed());
  const auto took = steady_clock::now() - begin;
  dripping.join();
  EXPECT_GE(took, milliseconds(150));
  EXPECT_LT(took, milliseconds(900));
  EXPECT_TRUE(silent.closed());
}

TEST_F(ServerTest, ClosesAConnectionWhoseBodyIsTooSlow) {
  options.transfer_grace = milliseconds(200);
  options.transfer_rate_min = 1000;
  start();
  RawClient client(address);
  client.send("POST /echo HTTP/1.1\r\n" + kHost + "Content-Length: 1000\r\n\r\nonly this");
  EXPECT_TRUE(client.closed());
}

TEST_F(ServerTest, ABodyAtTheSlowestRateIsTaken) {
  options.transfer_grace = milliseconds(200);
  options.transfer_rate_min = 100;  // 10 bytes buy 100 ms
  start();
  RawClient client(address);
  client.send("POST /echo HTTP/1.1\r\n" + kHost + "Content-Length: 200\r\n\r\n");
  for (int i = 0; i < 10; ++i) {
    client.send(std::string(20, 'x'));
    std::this_thread::sleep_for(milliseconds(50));
  }
  EXPECT_TRUE(has_status(client.response(), 200));
}

TEST_F(ServerTest, ClosesIdleConnections) {
  options.idle_timeout = milliseconds(200);
  start();
  RawClient client(address);
  client.send("GET /hello HTTP/1.1\r\n" + kHost + "\r\n");
  EXPECT_TRUE(has_status(client.response(), 200));
  EXPECT_TRUE(client.closed());
}

TEST_F(ServerTest, ClosesConnectionsAboveTheCapAtOnce) {
  options.connections_max = 2;
  start();
  const std::string get = "GET /hello HTTP/1.1\r\n" + kHost + "\r\n";
  std::optional<RawClient> first(address);
  first->send(get);
  EXPECT_TRUE(has_status(first->response(), 200));
  RawClient second(address);
  second.send(get);
  EXPECT_TRUE(has_status(second.response(), 200));
  RawClient third(address);
  EXPECT_TRUE(third.closed());
  first.reset();  // and a place that became free is used again
  std::optional<std::string> response;
  for (int i = 0; i < 100 && !response; ++i) {
    std::this_thread::sleep_for(milliseconds(20));
    response = ask(get);
  }
  EXPECT_TRUE(has_status(response, 200));
}

TEST_F(ServerTest, DrainLetsARequestEndAndClosesTheIdle) {
  start();
  RawClient idle(address);
  idle.send("GET /hello HTTP/1.1\r\n" + kHost + "\r\n");
  ASSERT_TRUE(has_status(idle.response(), 200));
  RawClient busy(address);
  busy.send("GET /slow HTTP/1.1\r\n" + kHost + "\r\n");
  slow_started.get_future().wait();
  auto drained = drain(kPatience);
  EXPECT_TRUE(idle.closed());
  EXPECT_EQ(drained.wait_for(milliseconds(50)), std::future_status::timeout);
  EXPECT_THROW(RawClient late(address), boost::system::system_error);
  release();
  const auto response = busy.response();
  ASSERT_TRUE(has_status(response, 200));
  EXPECT_NE(response->find("Connection: close\r\n"), std::string::npos) << *response;
  EXPECT_TRUE(busy.closed());
  EXPECT_LT(drained.get(), kPatience);
  EXPECT_LT(drain(kPatience).get(), milliseconds(1000));  // twice is safe
}

TEST_F(ServerTest, DrainGivesUpAfterItsTimeout) {
  start();
  RawClient busy(address);
  busy.send("GET /slow HTTP/1.1\r\n" + kHost + "\r\n");
  slow_started.get_future().wait();
  EXPECT_LT(drain(milliseconds(100)).get(), milliseconds(5000));
  EXPECT_TRUE(busy.closed());
}

TEST_F(ServerTest, SaysWhyItCannotListen) {
  start();
  ServerOptions taken;
  taken.address = address;
  Server second(context.get_executor(), taken);
  const Status status = second.listen();
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_EQ(status.message(), "could not listen on " + address + ": Address already in use");
  for (const std::string bad : {"", "4781", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:70000", ":1"}) {
    ServerOptions wrong;
    wrong.address = bad;
    EXPECT_EQ(Server(context.get_executor(), wrong).listen().code(), Code::kInvalidArgument) << bad;
  }
}

TEST_F(ServerTest, HealthRoutes) {
  metrics.counter("edged_test_total", "A test").add(3);
  start();
  const auto get = [this](const std::string& path) {
    return ask("GET " + path + " HTTP/1.1\r\n" + kHost + "\r\n");
  };
  EXPECT_EQ(body_of(get("/healthz")), "ok\n");
  EXPECT_TRUE(has_status(get("/readyz"), 200));
  const auto page = get("/metrics");
  EXPECT_NE(page->find("Content-Type: text/plain; version=0.0.4\r\n"), std::string::npos) << *page;
  EXPECT_NE(page->find("\nedged_test_total 3\n"), std::string::npos) << *page;
  std::promise<void> changed;
  asio::post(context, [&] {
    ready = Status(Code::kUnavailable, "the store is closing");
    changed.set_value();
  });
  changed.get_future().wait();
  const auto response = get("/readyz");
  EXPECT_TRUE(has_status(response, 503));
  EXPECT_EQ(body_of(response), "the store is closing\n");
}

}  // namespace
}  // namespace edged::http
