// SPDX-License-Identifier: Apache-2.0
// Which client gets a connection when all are in use, and how large a request header may be.
#include "tests/proto/http/server_fixture.h"

namespace edged::http {
namespace {

const std::string kGet = "GET /hello HTTP/1.1\r\n" + kHost + "\r\n";
const std::string kHealth = "GET /healthz HTTP/1.1\r\n" + kHost + "\r\n";
// A request that is being worked on: its header is there, its body is not.
const std::string kUnfinishedBody =
    "POST /echo HTTP/1.1\r\n" + kHost + "Expect: 100-continue\r\nContent-Length: 1000\r\n\r\n";

class ServerPlacesTest : public ServerTest {
 protected:
  // Connections that have sent `bytes`, all of which the server has seen.
  void occupy(std::size_t count, const std::string& bytes) {
    for (std::size_t i = 0; i < count; ++i) {
      clients.push_back(std::make_unique<RawClient>(address));
      clients.back()->send(bytes);
    }
  }

  std::vector<std::unique_ptr<RawClient>> clients;
};

TEST_F(ServerPlacesTest, SlowHeadersKeepNobodyOut) {
  options.connections_max = 64;
  options.health_connections_max = 8;
  start();
  for (const char* slow : {"", "GET /he", "GET /hello HTTP/1.1\r\nX: y\r\n"}) {
    occupy(3 * options.connections_max, slow);
    EXPECT_TRUE(has_status(ask(kHealth), 200)) << slow;
    EXPECT_TRUE(has_status(ask(kGet), 200)) << slow;
  }
}

TEST_F(ServerPlacesTest, TheOldestUnfinishedHeaderGoesFirst) {
  options.connections_max = 3;
  options.health_connections_max = 0;
  start();
  RawClient oldest(address);
  oldest.send("GET /hello HTTP/1.1\r\n");
  RawClient younger(address);
  younger.send("GET /hello HTTP/1.1\r\n");
  RawClient kept(address);
  kept.send(kGet);
  ASSERT_TRUE(has_status(kept.response(), 200));
  oldest.send("X: y\r\n");  // bytes that come do not make it younger
  EXPECT_TRUE(has_status(ask(kGet), 200));
  EXPECT_TRUE(oldest.closed());
  younger.send(kHost + "\r\n");
  EXPECT_TRUE(has_status(younger.response(), 200));
  kept.send(kGet);
  EXPECT_TRUE(has_status(kept.response(), 200));
}

TEST_F(ServerPlacesTest, AnIdleConnectionGoesWhereAllHeadersAreFinished) {
  options.connections_max = 2;
  options.health_connections_max = 0;
  start();
  RawClient first(address), second(address);
  for (RawClient* client : {&first, &second}) {
    client->send(kGet);
    ASSERT_TRUE(has_status(client->response(), 200));
  }
  RawClient third(address);
  third.send(kGet);
  EXPECT_TRUE(has_status(third.response(), 200));
  EXPECT_TRUE(first.closed());
  second.send(kGet);
  EXPECT_TRUE(has_status(second.response(), 200));
}

TEST_F(ServerPlacesTest, HealthHasPlacesOfItsOwn) {
  options.connections_max = 8;
  options.health_connections_max = 2;
  options.transfer_grace = std::chrono::minutes(1);
  start();
  for (int i = 0; i < 6; ++i) {
    occupy(1, kUnfinishedBody);
    ASSERT_TRUE(has_status(clients.back()->response(), 100));  // its header is finished
  }
  EXPECT_TRUE(has_status(ask(kGet), 503));
  EXPECT_TRUE(
      has_status(ask("POST /healthz HTTP/1.1\r\n" + kHost + "Content-Length: 1\r\n\r\n"), 503));
  const auto ready_page = ask("GET /readyz HTTP/1.1\r\n" + kHost + "\r\n");
  EXPECT_TRUE(has_status(ready_page, 200));
  EXPECT_NE(ready_page->find("Connection: close\r\n"), std::string::npos) << *ready_page;
  occupy(20, "GET /healthz HTTP");  // nor do slow ones keep the health page's places
  EXPECT_TRUE(has_status(ask(kHealth), 200));
  clients.front().reset();  // and a place that becomes free is used again
  std::optional<std::string> response;
  for (int i = 0; i < 100 && !has_status(response, 200); ++i) {
    std::this_thread::sleep_for(milliseconds(20));
    response = ask(kGet);
  }
  EXPECT_TRUE(has_status(response, 200));
}

TEST_F(ServerPlacesTest, TheHeaderLimitHoldsForManyShortLines) {
  start();
  std::string lines;
  while (lines.size() < 9 * 1024) lines += "a: b\r\n";
  const std::string begin = "GET /hello HTTP/1.1\r\n" + kHost;
  EXPECT_TRUE(has_status(ask(begin + lines + "\r\n"), 431));
  RawClient slow(address);  // piece by piece, so that the parser takes each line by itself
  slow.send(begin);
  for (std::size_t at = 0; at < lines.size(); at += 600) slow.send(lines.substr(at, 600));
  EXPECT_TRUE(has_status(slow.response(), 431));
  EXPECT_TRUE(has_status(ask(begin + lines.substr(0, 6 * 1024) + "\r\n"), 200));
}

TEST_F(ServerPlacesTest, TheHeaderLimitHoldsBehindAChunkedBody) {
  start();
  const std::string begin =
      "POST /echo HTTP/1.1\r\n" + kHost + "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n";
  EXPECT_TRUE(has_status(ask(begin + "X: y\r\n\r\n"), 200));
  RawClient client(address);
  client.send(begin);
  std::string lines;
  while (lines.size() < 200 * 1024) lines += "a: b\r\n";
  client.send(lines);
  EXPECT_TRUE(has_status(client.response(), 400));
}

}  // namespace
}  // namespace edged::http
