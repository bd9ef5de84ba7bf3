// SPDX-License-Identifier: Apache-2.0
// Streamed routes against peers that are slow, gone or hostile: bounded memory, bounded waiting, no
// request hidden in another one.
#include <unistd.h>

#include <filesystem>

#include "proto/http/head_scan.h"
#include "tests/proto/http/server_fixture.h"

namespace edged::http {
namespace {

using asio::awaitable;
constexpr std::uint64_t kMegabyte = 1 << 20;

class ExchangeLimitsTest : public ServerTest {
 protected:
  ExchangeLimitsTest() {
    add_routes = [this](Server& to) {
      to.route_raw(
          "/raw/", [this](Exchange& exchange) { return swallow(exchange); }, {64 * kMegabyte, 0});
      to.route_raw("/flood", [this](Exchange& exchange) { return flood(exchange); }, {});
    };
  }

  // Answers how many bytes came; reports how the body ended.
  awaitable<void> swallow(Exchange& exchange) {
    std::uint64_t bytes = 0;
    Result<std::string> piece = std::string();
    do {
      piece = co_await exchange.read_body(1 << 20);
      if (piece) bytes += piece->size();
    } while (piece && !piece->empty());
    if (!piece) {
      const Result<std::string> again = co_await exchange.read_body(1);
      ended.set_value(again.code());
    }
    Response response;
    response.body = std::to_string(bytes) + (exchange.own_peer() ? " own" : "");
    (void)co_await exchange.send(std::move(response));
  }

  // Writes until the client gives up; reports how many bytes the server took.
  awaitable<void> flood(Exchange& exchange) {
    ResponseHead head;
    Status done = co_await exchange.begin(std::move(head), std::nullopt);
    const std::string piece(64 * 1024, 'x');
    std::uint64_t bytes = 0;
    while (done.ok()) {
      done = co_await exchange.write(piece);
      if (done.ok()) bytes += piece.size();
    }
    flooded.set_value({bytes, done.code()});
  }

  std::promise<Code> ended;
  std::promise<std::pair<std::uint64_t, Code>> flooded;
};

TEST_F(ExchangeLimitsTest, TakesAValueOf25Megabytes) {
  start();
  RawClient client(address);
  client.send("PUT /raw/x HTTP/1.1\r\n" + kHost + "Content-Length: 26214400\r\n\r\n");
  const std::string piece(kMegabyte, 'x');
  for (int i = 0; i < 25; ++i) client.send(piece);
  EXPECT_EQ(body_of(client.response()), "26214400");
}

TEST_F(ExchangeLimitsTest, ASlowReaderSlowsTheHandlerAndIsThenCutOff) {
  options.transfer_grace = milliseconds(300);
  options.transfer_rate_min = 1 << 30;
  start();
  RawClient client(address);
  client.send("GET /flood HTTP/1.1\r\n" + kHost + "\r\n");
  const auto [bytes, code] = flooded.get_future().get();
  EXPECT_EQ(code, Code::kUnavailable);
  EXPECT_LT(bytes, 64 * kMegabyte);  // what the kernel's buffers hold
}

TEST_F(ExchangeLimitsTest, ABodyThatStopsHalfWayIsReported) {
  options.transfer_grace = milliseconds(200);
  start();
  RawClient client(address);
  client.send("PUT /raw/x HTTP/1.1\r\n" + kHost + "Content-Length: 100\r\n\r\nabc");
  EXPECT_EQ(ended.get_future().get(), Code::kUnavailable);
  EXPECT_TRUE(client.closed());
}

TEST_F(ExchangeLimitsTest, ABrokenChunkIsReportedAndClosesTheConnection) {
  const std::string cases[] = {"zz\r\nabc\r\n",
                               "3\nabc\n0\n\n",
                               "3\r\nabcX0\r\n\r\n",
                               "3 \r\nabc\r\n0\r\n\r\n",
                               "-3\r\nabc\r\n",
                               "0x3\r\nabc\r\n",
                               "fffffffffffffffff\r\nabc\r\n",
                               "3;" + std::string(9000, 'a')};
  start();
  for (const std::string& frames : cases) {
    ended = {};
    RawClient client(address);
    client.send("PUT /raw/x HTTP/1.1\r\n" + kHost + "Transfer-Encoding: chunked\r\n\r\n" + frames +
                "GET /hello HTTP/1.1\r\n" + kHost + "\r\n");
    const std::string answer = client.rest();
    EXPECT_EQ(ended.get_future().get(), Code::kInvalidArgument) << frames;
    EXPECT_NE(answer.find("Connection: close\r\n"), std::string::npos) << frames;
    EXPECT_EQ(answer.find("GET /hello"), std::string::npos) << frames;
  }
}

// What one server takes for a body, another could take for a request.
TEST_F(ExchangeLimitsTest, RefusesWhatServersReadDifferently) {
  const std::string hidden = "GET /hello HTTP/1.1\r\n" + kHost + "\r\n";
  const std::string start_line = "PUT /raw/x HTTP/1.1\r\n" + kHost;
  const std::string cases[] = {
      start_line + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      start_line + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
      start_line + "Content-Length: 0\r\nContent-Length: 5\r\n\r\n",
      start_line + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nabcde",
      start_line + "Content-Length: 5, 5\r\n\r\nabcde",
      start_line + "Content-Length: +5\r\n\r\nabcde",
      start_line + "Content-Length: 0x5\r\n\r\nabcde",
      start_line + "Content-Length: 99999999999999999999\r\n\r\nabcde",
      start_line + "Content-Length:\r\n\r\n",
      start_line + "Content-Length : 5\r\n\r\nabcde",
      start_line + "Content-Length: 5\n\r\nabcde",
      start_line + "Content-Length: 5\r\n 6\r\n\r\nabcde",
      start_line + "X-A: b\r\n\tTransfer-Encoding: chunked\r\n\r\n",
      start_line + "X-A: b\rTransfer-Encoding: chunked\r\n\r\n",
      start_line + std::string("X-A: b\0c\r\n\r\n", 11),
      start_line + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      start_line + ": b\r\n\r\n",
      "PUT /raw/x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "PUT /raw/x\r\n" + kHost + "\r\n",
      "PUT  /raw/x HTTP/1.1\r\n" + kHost + "\r\n",
      " PUT /raw/x HTTP/1.1\r\n" + kHost + "\r\n",
      "\r\nPUT /raw/x HTTP/1.1\r\n" + kHost + "\r\n",
      "\n\nPUT /raw/x HTTP/1.1\n" + kHost + "\n",
  };
  start();
  for (const std::string& request : cases) {
    RawClient client(address);
    client.send(request + hidden);
    const std::string answer = client.rest();
    EXPECT_EQ(answer.substr(8, 5), " 400 ") << request << answer;
    EXPECT_EQ(answer.find("GET /hello"), std::string::npos) << request;
  }
  for (const char* coding :
       {"gzip", "chunked, gzip", "gzip, chunked", "identity", "xchunked", ""}) {
    RawClient client(address);
    client.send(start_line + "Transfer-Encoding: " + coding + "\r\n\r\n0\r\n\r\n" + hidden);
    const std::string answer = client.rest();
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 501 ")) << coding << answer;
    EXPECT_EQ(answer.find("GET /hello"), std::string::npos) << coding;
  }
}

TEST_F(ExchangeLimitsTest, ListensOnAUnixSocket) {
  const std::string path = testing::TempDir() + "/edged_http_" + std::to_string(::getpid());
  options.address = "unix:" + path;
  start();
  EXPECT_EQ(address, options.address);
  EXPECT_EQ(std::filesystem::status(path).permissions(), std::filesystem::perms(0660));
  EXPECT_EQ(body_of(ask("PUT /raw/x HTTP/1.1\r\n" + kHost + "Content-Length: 2\r\n\r\nab")),
            "2 own");
  Server second(context.get_executor(), options);
  EXPECT_EQ(second.listen().code(), Code::kUnavailable);
  drain(kPatience).get();
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(HeadScanTest, FindsTheEndHoweverTheBytesAreSplit) {
  const std::string head = "GET / HTTP/1.1\r\nA: b\r\n\r\n";
  const std::string bytes = head + "body";
  for (std::size_t split = 0; split < head.size(); ++split) {
    HeadScan scan;
    EXPECT_EQ(scan.scan(bytes.substr(0, split)), HeadScan::State::kMore) << split;
    EXPECT_EQ(scan.scan(bytes), HeadScan::State::kDone) << split;
    EXPECT_EQ(scan.size(), head.size()) << split;
  }
}

}  // namespace
}  // namespace edged::http
