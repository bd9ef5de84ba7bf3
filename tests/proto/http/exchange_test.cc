// SPDX-License-Identifier: Apache-2.0
// Streamed routes: what a handler of route_raw sees of a request, and what its answers look like.
#include "proto/http/exchange.h"

#include "tests/proto/http/server_fixture.h"

namespace edged::http {
namespace {

using asio::awaitable;

// "METHOD path?query [body]", or the error that the body ended with.
awaitable<void> describe(Exchange& exchange) {
  const RequestHead& head = exchange.head();
  Response response;
  response.body = head.method + " " + head.target_path + "?" + head.query + " [";
  for (;;) {
    Result<std::string> piece = co_await exchange.read_body(3);
    if (!piece) {
      response.status = piece.code() == Code::kTooLarge ? 413 : 400;
      response.reason = "Body is bad";
      response.body = piece.error().message();
      break;
    }
    if (piece->size() > 3) response.status = 500;
    if (piece->empty()) break;
    response.body.append(*piece);
  }
  if (response.status == 200) response.body.append("]");
  const auto note = head.headers.find("x-note");
  if (note != head.headers.end()) response.headers.emplace_back("X-Note", note->second);
  (void)co_await exchange.send(std::move(response));
}

// Answers without a look at the body.
awaitable<void> refuse(Exchange& exchange) {
  Response response = refusal(403, "no");
  response.reason = "Not \xc3\xa9 today";
  (void)co_await exchange.send(std::move(response));
}

// Pieces "0", "1", ... of an answer; ?chunked, or ?bytes=N announces N bytes.
awaitable<void> count(Exchange& exchange) {
  const std::string query = exchange.head().query;
  std::optional<std::uint64_t> bytes;
  if (query.starts_with("bytes=")) bytes = std::stoull(query.substr(6));
  ResponseHead head;
  head.content_type = "text/x";
  head.headers.emplace_back("X-Bad", std::string("a\r\nX-Injected: b"));
  if (query == "none") head.status = 204;
  Status done = co_await exchange.begin(std::move(head), bytes);
  if (query == "twice") {
    ResponseHead again;
    done = co_await exchange.begin(std::move(again), bytes);
    co_return;
  }
  for (int i = 0; i < 4 && done.ok() && query != "none"; ++i) {
    const std::string piece = std::to_string(i);
    done = co_await exchange.write(piece);
  }
  if (done.ok()) done = co_await exchange.end();
}

class ExchangeTest : public ServerTest {
 protected:
  ExchangeTest() {
    add_routes = [](Server& to) {
      to.route_raw("/raw/", describe, {.body_bytes_max = 20, .discard_bytes_max = 1000});
      to.route_raw("/raw/refuse", refuse, {.body_bytes_max = 20, .discard_bytes_max = 1000});
      to.route_raw("/raw/count", count, {});
      to.route_raw("/raw/nothing", [](Exchange&) -> awaitable<void> { co_return; }, {});
    };
  }
  static std::string put(const std::string& path, const std::string& body) {
    return "PUT " + path + " HTTP/1.1\r\n" + kHost +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  static std::string chunked(const std::string& path, const std::string& frames) {
    return "PUT " + path + " HTTP/1.1\r\n" + kHost + "Transfer-Encoding: chunked\r\n\r\n" + frames;
  }
  static std::string get(const std::string& target, const std::string& headers = "") {
    return "GET " + target + " HTTP/1.1\r\n" + kHost + headers + "\r\n";
  }
};

TEST_F(ExchangeTest, SeesTheTargetAsItCame) {
  start();
  for (const char* target : {"/raw/a%2Fb/..//.%00%zz?x=%41+%&&",
                             "/raw/[]|^!$&'()*,;=:@+~{}<>\"`\\?[]|^",
                             "/raw/\xc3\xa9?\xff",
                             "/raw/%"}) {
    std::string seen = std::string("GET ") + target;
    if (seen.find('?') == std::string::npos) seen += '?';
    EXPECT_EQ(body_of(ask(get(target))), seen + " []");
    EXPECT_EQ(body_of(ask(get(std::string("http://here") + target))), seen + " []");
  }
  EXPECT_TRUE(has_status(ask(get("/raw/a#b")), 400));
  EXPECT_TRUE(has_status(ask(get("/raw/a\x7f")), 400));
  EXPECT_TRUE(has_status(ask(get("/raw/a b")), 400));
}

TEST_F(ExchangeTest, TakesAnyMethod) {
  start();
  for (const std::string method : {"PURGE", "get", "M-SEARCH", "DELETE", "OPTIONS", "TRACE"}) {
    EXPECT_EQ(body_of(ask(method + " /raw/x HTTP/1.1\r\n" + kHost + "\r\n")),
              method + " /raw/x? []");
  }
}

TEST_F(ExchangeTest, KeepsTheBytesOfHeaderValues) {
  start();
  for (const std::string& value : {std::string("{\"a\":\"\xe2\x80\xa8\"}"),
                                   std::string("a\x7f\x7f b"),
                                   std::string("\x7f"),
                                   std::string("\xff\xfe\x7f\x80"),
                                   std::string("a\tb")}) {
    const auto response = ask(get("/raw/x", "X-Note: " + value + "\r\n"));
    ASSERT_TRUE(has_status(response, 200)) << value;
    EXPECT_NE(response->find("X-Note: " + value + "\r\n"), std::string::npos) << *response;
  }
  std::string all("\x7f");
  for (int byte = 0x80; byte <= 0xff; ++byte) all.push_back(static_cast<char>(byte));
  EXPECT_TRUE(has_status(ask(get("/raw/x", "X-Note: " + all + "\r\n")), 400));
}

TEST_F(ExchangeTest, StreamsABodyInPieces) {
  start();
  RawClient client(address);
  client.send(put("/raw/a", "0123456789") +
              chunked("/raw/b", "3;x=y\r\nabc\r\n4\r\ndefg\r\n0\r\nT: u\r\n\r\n") +
              put("/raw/c", ""));
  EXPECT_EQ(body_of(client.response()), "PUT /raw/a? [0123456789]");
  EXPECT_EQ(body_of(client.response()), "PUT /raw/b? [abcdefg]");
  EXPECT_EQ(body_of(client.response()), "PUT /raw/c? []");
}

TEST_F(ExchangeTest, RefusesABodyAboveTheRoutesLimitAndGoesOn) {
  start();
  RawClient client(address);
  const std::string body(21, 'x');
  client.send(put("/raw/a", body) + chunked("/raw/b", "15\r\n" + body + "\r\n0\r\n\r\n") +
              put("/raw/c", "ok"));
  for (int i = 0; i < 2; ++i) {
    const auto response = client.response();
    ASSERT_TRUE(has_status(response, 413));
    EXPECT_TRUE(response->starts_with("HTTP/1.1 413 Body is bad\r\n"));
    EXPECT_EQ(body_of(response), "the body has more than 20 bytes");
  }
  EXPECT_EQ(body_of(client.response()), "PUT /raw/c? [ok]");
}

TEST_F(ExchangeTest, ReadsTheBodyBeforeARefusalLeaves) {
  start();
  RawClient client(address);
  client.send("PUT /raw/refuse HTTP/1.1\r\n" + kHost + "Content-Length: 1000\r\n\r\n" +
              std::string(999, 'x'));
  EXPECT_FALSE(client.readable(milliseconds(50)));
  client.send("x" + put("/raw/c", "ok"));
  const auto response = client.response();
  ASSERT_TRUE(has_status(response, 403));
  EXPECT_TRUE(response->starts_with("HTTP/1.1 403 Not ?? today\r\n")) << *response;
  EXPECT_EQ(body_of(client.response()), "PUT /raw/c? [ok]");
}

TEST_F(ExchangeTest, ClosesWhenMoreThanTheCapIsLeft) {
  start();
  for (const std::string& request :
       {put("/raw/refuse", std::string(1001, 'x')),
        chunked("/raw/refuse", "30d40\r\n" + std::string(200'000, 'x') + "\r\n0\r\n\r\n")}) {
    RawClient client(address);
    client.send(request);
    const auto response = client.response();
    ASSERT_TRUE(has_status(response, 403));
    EXPECT_NE(response->find("Connection: close\r\n"), std::string::npos);
    EXPECT_TRUE(client.closed());
  }
}

TEST_F(ExchangeTest, AsksForABodyOnlyIfTheHandlerWantsIt) {
  start();
  const auto begin = [](const std::string& path) {
    return "PUT " + path + " HTTP/1.1\r\n" + kHost +
           "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n";
  };
  RawClient wanted(address);
  wanted.send(begin("/raw/a"));
  EXPECT_TRUE(has_status(wanted.response(), 100));
  wanted.send("ab");
  EXPECT_EQ(body_of(wanted.response()), "PUT /raw/a? [ab]");
  RawClient unwanted(address);
  unwanted.send(begin("/raw/refuse"));
  EXPECT_TRUE(has_status(unwanted.response(), 403));
  EXPECT_TRUE(unwanted.closed());
}

TEST_F(ExchangeTest, StreamsAnAnswer) {
  start();
  RawClient client(address);
  client.send(get("/raw/count?bytes=4") + get("/raw/count?chunked", "Connection: close\r\n"));
  const auto response = client.response();
  ASSERT_TRUE(has_status(response, 200));
  EXPECT_EQ(body_of(response), "0123");
  EXPECT_NE(response->find("X-Bad: a  X-Injected: b\r\n"), std::string::npos) << *response;
  const std::string rest = client.rest();
  EXPECT_NE(rest.find("\r\nTransfer-Encoding: chunked\r\n"), std::string::npos);
  EXPECT_TRUE(rest.ends_with("\r\n\r\n1\r\n0\r\n1\r\n1\r\n1\r\n2\r\n1\r\n3\r\n0\r\n\r\n")) << rest;
}

TEST_F(ExchangeTest, AnAnswerOfUnknownLengthEndsAnHttp10Connection) {
  start();
  RawClient client(address);
  client.send("GET /raw/count HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  const std::string answer = client.rest();
  EXPECT_TRUE(answer.starts_with("HTTP/1.0 200 OK\r\n")) << answer;
  EXPECT_TRUE(answer.ends_with("\r\n\r\n0123")) << answer;
}

TEST_F(ExchangeTest, HeadAnd204HaveNoBody) {
  start();
  RawClient client(address);
  client.send("HEAD /raw/count?bytes=4 HTTP/1.1\r\n" + kHost + "\r\nHEAD /raw/count HTTP/1.1\r\n" +
              kHost + "\r\n" + get("/raw/count?none") + get("/raw/x"));
  EXPECT_NE(client.response(true)->find("Content-Length: 4\r\n"), std::string::npos);
  EXPECT_NE(client.response(true)->find("Transfer-Encoding: chunked\r\n"), std::string::npos);
  const auto none = client.response(true);
  EXPECT_TRUE(has_status(none, 204));
  EXPECT_EQ(none->find("Content-Length"), std::string::npos);
  EXPECT_EQ(none->find("Transfer-Encoding"), std::string::npos);
  EXPECT_EQ(body_of(client.response()), "GET /raw/x? []");
}

TEST_F(ExchangeTest, AnAnswerThatIsNotWhatItAnnouncedIsCutOff) {
  start();
  for (const std::string query : {"bytes=3", "bytes=5", "twice"}) {
    RawClient client(address);
    client.send(get("/raw/count?" + query) + get("/raw/x"));
    EXPECT_EQ(client.rest().find("/raw/x"), std::string::npos) << query;
  }
}

TEST_F(ExchangeTest, AHandlerWithoutAnAnswerIsAnswered500) {
  start();
  RawClient client(address);
  client.send(put("/raw/nothing", "abc") + get("/raw/x"));
  EXPECT_TRUE(has_status(client.response(), 500));
  EXPECT_EQ(body_of(client.response()), "GET /raw/x? []");
}

TEST_F(ExchangeTest, KeepsWebPagesOut) {
  start();
  EXPECT_TRUE(has_status(ask("GET /raw/x HTTP/1.1\r\nHost: evil.example\r\n\r\n"), 403));
  EXPECT_TRUE(has_status(ask(get("/raw/x", "Origin: http://evil.example\r\n")), 403));
  EXPECT_TRUE(has_status(ask(get("/raw/x", "Sec-Fetch-Site: cross-site\r\n")), 403));
}

TEST_F(ExchangeTest, AbsoluteTargetsNeedNoHost) {
  start();
  EXPECT_EQ(body_of(ask("GET http://here:1/raw/x?y HTTP/1.1\r\n\r\n")), "GET /raw/x?y []");
  EXPECT_TRUE(has_status(ask("GET http://evil.example/raw/x HTTP/1.1\r\n\r\n"), 403));
}

}  // namespace
}  // namespace edged::http
