// SPDX-License-Identifier: Apache-2.0
// The HTTP client against a server that answers, stalls, cuts and lies, over real loopback sockets.
#include "worker/http/http_client.h"

#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <functional>
#include <optional>
#include <vector>

#include "proto/base/hex.h"
#include "tests/support/run_awaitable.h"
#include "tests/support/scripted_http_server.h"
#include "tests/support/silent_dns.h"

namespace edged::http {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::ScriptedAnswer;
using test::ScriptedHttpServer;
using test::ScriptedRequest;
using Fault = ScriptedAnswer::Fault;

// co_spawn wants results that can be empty; a Result cannot.
asio::awaitable<void> perform_then(HttpClient& client,
                                   HttpRequest request,
                                   std::function<void(Result<HttpAnswer>)> then) {
  Result<HttpAnswer> answer = co_await client.perform(std::move(request));
  then(std::move(answer));
}

class HttpClientTest : public ::testing::Test {
 protected:
  Result<HttpAnswer> get(const std::string& url, milliseconds timeout = seconds(10)) {
    HttpRequest request;
    request.url = url;
    request.timeout = timeout;
    return test::run_awaitable(io_, client_->perform(std::move(request)));
  }

  asio::io_context io_{1};
  std::optional<HttpClient> client_{std::in_place, io_.get_executor(), HttpClientOptions{}};
};

TEST_F(HttpClientTest, SendsMethodHeadersAndBody) {
  ScriptedRequest seen;
  ScriptedHttpServer server([&seen](const ScriptedRequest& request) {
    seen = request;
    return ScriptedAnswer{201, "done", {{"Content-Type", "text/plain"}}};
  });
  HttpRequest request;
  request.method = "POST";
  request.url = server.url() + "/a/b?c=d";
  request.headers = {{"X-One", "1"}};
  request.body = std::string("nul\0byte", 8);
  const auto answer = test::run_awaitable(io_, client_->perform(std::move(request)));
  ASSERT_TRUE(answer) << answer.error().to_string();
  EXPECT_EQ(answer->status, 201);
  EXPECT_EQ(answer->body, "done");
  EXPECT_EQ(answer->content_type, "text/plain");
  EXPECT_EQ(seen.method, "POST");
  EXPECT_EQ(seen.target, "/a/b?c=d");
  EXPECT_EQ(seen.header("X-One"), "1");
  EXPECT_EQ(seen.body, std::string("nul\0byte", 8));
}

TEST_F(HttpClientTest, KeepsOneConnectionForRequestsInTurn) {
  ScriptedHttpServer server([](const ScriptedRequest& request) {
    return ScriptedAnswer{200, std::to_string(request.number), {}, {}, request.number % 2 == 1};
  });
  for (int i = 0; i < 20; ++i) {
    const auto answer = get(server.url());
    ASSERT_TRUE(answer) << answer.error().to_string();
    EXPECT_EQ(answer->body, std::to_string(i));
  }
  EXPECT_EQ(server.connections(), 1u);
  EXPECT_EQ(client_->connections_opened(), 1u);
}

TEST_F(HttpClientTest, OpensAgainWhatTheServerClosedInBetween) {
  ScriptedHttpServer server([](const ScriptedRequest& request) {
    return ScriptedAnswer{
        200, "x", {}, {}, false, request.number == 1 ? Fault::kClose : Fault::kNone};
  });
  ASSERT_TRUE(get(server.url()));
  const auto answer = get(server.url());
  ASSERT_TRUE(answer) << answer.error().to_string();
  EXPECT_EQ(server.connections(), 2u);
}

TEST_F(HttpClientTest, DecompressesGzip) {
  const auto packed = from_hex("1f8b0800000000000203cb48cdc9c9d75148afca2c00004a9bb15c0b000000");
  ASSERT_TRUE(packed);
  ScriptedHttpServer server([&packed](const ScriptedRequest& request) {
    EXPECT_EQ(request.header("Accept-Encoding"), "gzip");
    return ScriptedAnswer{200, *packed, {{"Content-Encoding", "gzip"}}};
  });
  const auto answer = get(server.url());
  ASSERT_TRUE(answer) << answer.error().to_string();
  EXPECT_EQ(answer->body, "hello, gzip");
}

TEST_F(HttpClientTest, ClassesFailures) {
  ScriptedHttpServer server([](const ScriptedRequest& request) {
    ScriptedAnswer answer{200, std::string(100, 'x')};
    if (request.target == "/cut") answer.fault = Fault::kCut;
    if (request.target == "/cut-chunked")
      answer = {200, "0123456789012", {}, {}, true, Fault::kCut};
    if (request.target == "/close") answer.fault = Fault::kClose;
    if (request.target == "/garbage") answer.fault = Fault::kGarbage;
    if (request.target == "/silent") answer.fault = Fault::kNeverAnswer;
    if (request.target == "/bad-gzip") answer.headers = {{"Content-Encoding", "gzip"}};
    if (request.target == "/loop") answer = {302, "", {{"Location", "/loop"}}};
    if (request.target == "/file") answer = {302, "", {{"Location", "file:///etc/passwd"}}};
    return answer;
  });
  const struct {
    const char* target;
    Code code;
  } cases[] = {{"/cut", Code::kUnavailable},
               {"/cut-chunked", Code::kUnavailable},
               {"/close", Code::kUnavailable},
               {"/garbage", Code::kCorruption},
               {"/silent", Code::kDeadlineExceeded},
               {"/bad-gzip", Code::kCorruption},
               {"/loop", Code::kCorruption}};
  for (const auto& c : cases) {
    const bool silent = c.code == Code::kDeadlineExceeded;
    const auto answer = get(server.url() + c.target, milliseconds(silent ? 500 : 60'000));
    ASSERT_FALSE(answer) << c.target;
    EXPECT_EQ(answer.code(), c.code) << c.target << ": " << answer.error().to_string();
    EXPECT_EQ(client_->in_flight(), 0u);
  }
  EXPECT_FALSE(get(server.url() + "/file"));
}

TEST_F(HttpClientTest, RefusesUnusableRequestsWithoutSending) {
  for (const char* url : {"",
                          "file:///etc/passwd",
                          "ftp://127.0.0.1/",
                          "http://",
                          "http://a b/",
                          "http://127.0.0.1\r\nX: y/"}) {
    const auto answer = get(url);
    ASSERT_FALSE(answer) << url;
    EXPECT_EQ(answer.code(), Code::kInvalidArgument) << url << answer.error().to_string();
  }
  HttpRequest request;
  request.url = "http://127.0.0.1:9/";
  request.headers = {{"X", "a\r\nInjected: b"}};
  const auto answer = test::run_awaitable(io_, client_->perform(std::move(request)));
  EXPECT_EQ(answer.code(), Code::kInvalidArgument);
}

TEST_F(HttpClientTest, RefusedConnectionIsUnavailableAndHidesThePassword) {
  std::string url;
  {
    ScriptedHttpServer gone([](const ScriptedRequest&) { return ScriptedAnswer{}; });
    url = gone.url();
  }
  url.insert(7, "user:secret@");
  const auto answer = get(url + "/path?token=secret");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.code(), Code::kUnavailable);
  EXPECT_EQ(answer.error().message().find("secret"), std::string::npos) << answer.error().message();
}

TEST_F(HttpClientTest, BoundsTheBody) {
  ScriptedHttpServer server([](const ScriptedRequest& request) {
    return ScriptedAnswer{200, std::string((1 << 20) + (request.target == "/over" ? 1 : 0), 'x')};
  });
  const auto fits = get(server.url() + "/fits");
  ASSERT_TRUE(fits) << fits.error().to_string();
  EXPECT_EQ(fits->body.size(), std::size_t{1} << 20);
  const auto over = get(server.url() + "/over");
  ASSERT_FALSE(over);
  EXPECT_EQ(over.code(), Code::kTooLarge);
}

TEST_F(HttpClientTest, RunsFiveHundredAtOnce) {
  ScriptedHttpServer server([](const ScriptedRequest& request) {
    ScriptedAnswer answer{200, request.target};
    answer.held_until_in_flight = 500;
    return answer;
  });
  for (int round = 0; round < 2; ++round) {
    int right = 0;
    for (int i = 0; i < 500; ++i) {
      HttpRequest request;
      request.url = server.url() + "/" + std::to_string(i);
      asio::co_spawn(io_,
                     perform_then(*client_,
                                  std::move(request),
                                  [&right, i](Result<HttpAnswer> answer) {
                                    right +=
                                        answer && answer->body == "/" + std::to_string(i) ? 1 : 0;
                                  }),
                     asio::detached);
    }
    io_.restart();
    while (right < 500 && io_.run_one_for(seconds(20)) > 0) {
    }
    EXPECT_EQ(right, 500);
  }
  EXPECT_EQ(server.in_flight_max(), 500u);
  EXPECT_LE(server.connections(), 500u) << "the second round must use the first one's connections";
}

TEST_F(HttpClientTest, CancelledRequestIsDropped) {
  // NOLINTNEXTLINE(google-build-using-namespace): the operators' only way in
  using namespace asio::experimental::awaitable_operators;
  ScriptedHttpServer server([](const ScriptedRequest&) {
    return ScriptedAnswer{200, "late", {}, {}, false, Fault::kNeverAnswer};
  });
  asio::steady_timer timer(io_, milliseconds(100));
  HttpRequest request;
  request.url = server.url();
  bool done = false;
  const auto race = [&]() -> asio::awaitable<void> {
    co_await (client_->perform(std::move(request)) || timer.async_wait(asio::use_awaitable));
    done = true;
  };
  asio::co_spawn(io_, race, asio::detached);
  while (!done && io_.run_one_for(seconds(30)) > 0) {
  }
  EXPECT_TRUE(done);
  EXPECT_EQ(client_->in_flight(), 0u);
}

TEST_F(HttpClientTest, DestroyedClientEndsItsRequests) {
  ScriptedHttpServer server([](const ScriptedRequest&) {
    return ScriptedAnswer{200, "late", {}, {}, false, Fault::kNeverAnswer};
  });
  std::vector<Code> codes;
  for (int i = 0; i < 10; ++i) {
    HttpRequest request;
    request.url = server.url();
    asio::co_spawn(
        io_,
        perform_then(*client_,
                     std::move(request),
                     [&codes](Result<HttpAnswer> answer) { codes.push_back(answer.code()); }),
        asio::detached);
  }
  while (server.requests() < 10 && io_.run_one_for(seconds(30)) > 0) {
  }
  client_.reset();
  io_.run_for(seconds(30));
  EXPECT_EQ(codes, std::vector<Code>(10, Code::kUnavailable));
}

TEST_F(HttpClientTest, FramesMayOutliveTheClient) {
  ScriptedHttpServer server([](const ScriptedRequest&) {
    return ScriptedAnswer{200, "late", {}, {}, false, Fault::kNeverAnswer};
  });
  auto io = std::make_unique<asio::io_context>(1);
  {
    HttpClient client(io->get_executor(), HttpClientOptions{});
    HttpRequest request;
    request.url = server.url();
    asio::co_spawn(
        *io, perform_then(client, std::move(request), [](Result<HttpAnswer>) {}), asio::detached);
    io->run_for(milliseconds(100));
    EXPECT_EQ(client.in_flight(), 1u);
  }
  io.reset();  // destroys the suspended coroutine; the sanitizers judge
}

// The thread that libcurl asks the DNS in cannot be interrupted; nothing may wait for it.
TEST_F(HttpClientTest, ADnsThatIsSilentHoldsNothingUp) {
  const test::SilentDns dns;
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(get("http://api.silent/", milliseconds(200)).code(), Code::kDeadlineExceeded);
  std::optional<Result<HttpAnswer>> cancelled;
  asio::cancellation_signal signal;
  HttpRequest request;
  request.url = "http://other.silent/";
  asio::co_spawn(
      io_,
      perform_then(
          *client_, request, [&](Result<HttpAnswer> answer) { cancelled = std::move(answer); }),
      asio::bind_cancellation_slot(signal.slot(), asio::detached));
  io_.restart();
  while (dns.asked() < 2) io_.run_one();
  signal.emit(asio::cancellation_type::terminal);
  io_.poll();
  std::optional<Result<HttpAnswer>> dropped;
  asio::co_spawn(
      io_,
      perform_then(
          *client_, request, [&](Result<HttpAnswer> answer) { dropped = std::move(answer); }),
      asio::detached);
  io_.restart();
  while (dns.asked() < 3) io_.poll();
  client_.reset();
  io_.run();
  ASSERT_TRUE(dropped);
  EXPECT_EQ(dropped->code(), Code::kUnavailable);
  EXPECT_EQ(dns.waiting(), 3) << "their threads are still there";
  EXPECT_LT(std::chrono::steady_clock::now() - begin, test::SilentDns::kPatience / 2);
}

TEST(PrintableUrlTest, HidesCredentialsAndQuery) {
  EXPECT_EQ(printable_url("http://u:p@h:1/x?y=z#f"), "http://h:1/x");
  EXPECT_EQ(printable_url("http://h/x@y"), "http://h/x@y");
  EXPECT_EQ(printable_url("https://a@b@h"), "https://h");
  EXPECT_EQ(printable_url("no url"), "no url");
}

}  // namespace
}  // namespace edged::http
