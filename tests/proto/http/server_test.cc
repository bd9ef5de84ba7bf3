// SPDX-License-Identifier: Apache-2.0
// HTTP as a client sees it: what is understood, answered and refused.
#include "tests/proto/http/server_fixture.h"

namespace edged::http {
namespace {

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
