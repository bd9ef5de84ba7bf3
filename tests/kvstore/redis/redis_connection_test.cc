// SPDX-License-Identifier: Apache-2.0
// Connections: pipelines, clients that misbehave, who is connected, TLS and unix sockets, the end.
#include <sys/un.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "kvstore/server/server.h"
#include "proto/net/tls.h"
#include "tests/kvstore/redis/redis_fixture.h"

namespace edged::redis {
namespace {

using test::bulk;
using test::RedisClient;

using RedisConnectionTest = RedisFixture;

TEST_F(RedisConnectionTest, AnswersAPipelineInItsOrder) {
  std::string bytes, expected;
  for (int i = 0; i < 2000; ++i) {
    const std::string key = "key" + std::to_string(i % 7), value = std::to_string(i);
    bytes += RedisClient::encode({"SET", key, value}) + RedisClient::encode({"GET", key}) +
             RedisClient::encode({"GET", "none"}) + RedisClient::encode({"APPEND", key, "x"}) +
             RedisClient::encode({"STRLEN", key}) + RedisClient::encode({"INCR", "count"});
    expected += "+OK\r\n" + bulk(value) + "$-1\r\n";
    const std::string size = ":" + std::to_string(value.size() + 1) + "\r\n";
    expected += size + size + ":" + std::to_string(i + 1) + "\r\n";
  }
  std::thread sender([&] { client_->send(bytes); });
  std::string got;
  for (int i = 0; i < 12'000; ++i) got += client_->reply();
  sender.join();
  EXPECT_EQ(got, expected);
}

TEST_F(RedisConnectionTest, ManyClientsCountTogether) {
  constexpr int kClients = 8, kRounds = 200;
  std::vector<std::thread> threads;
  std::atomic<int> failed{0};
  for (int i = 0; i < kClients; ++i) {
    threads.emplace_back([&] {
      RedisClient client(server_->address());
      for (int round = 0; round < kRounds; ++round) {
        if (client.ask("INCR n")[0] != ':') ++failed;
        if (client.ask("INCRBYFLOAT f 1")[0] != '$') ++failed;
        if (client.ask("APPEND s x")[0] != ':') ++failed;
      }
    });
  }
  for (std::thread& one : threads) one.join();
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(ask("GET n"), bulk(std::to_string(kClients * kRounds)));
  EXPECT_EQ(ask("GET f"), bulk(std::to_string(kClients * kRounds)));
  EXPECT_EQ(ask("STRLEN s"), ":" + std::to_string(kClients * kRounds) + "\r\n");
}

TEST_F(RedisConnectionTest, AClientThatDoesNotReadIsHeldBack) {
  ask("SET big " + std::string(100'000, 'v'));
  std::string bytes;
  for (int i = 0; i < 20'000; ++i) bytes += "GET big\r\n";
  std::thread sender([&] { client_->send(bytes); });
  auto other = connect();
  EXPECT_EQ(other->ask("PING"), "+PONG\r\n");  // nobody else waits
  for (int i = 0; i < 20'000; ++i) {
    ASSERT_EQ(client_->reply().size(), bulk(std::string(100'000, 'v')).size()) << i;
  }
  sender.join();
}

TEST_F(RedisConnectionTest, WhatIsNoProtocolEndsTheConnection) {
  client_->send("*1\r\nPING\r\n");
  EXPECT_EQ(client_->reply(), "-ERR Protocol error: expected '$', got 'P'\r\n");
  EXPECT_TRUE(client_->ended());
  client_ = connect();
  client_->send("*2\r\n$4\r\nECHO\r\n$99999999999\r\n");
  EXPECT_EQ(client_->reply(), "-ERR Protocol error: invalid bulk length\r\n");
  EXPECT_TRUE(client_->ended());
}

TEST_F(RedisConnectionTest, QuitAnswersWhatWasAskedBefore) {
  client_->send("SET k v\r\nGET k\r\nQUIT\r\nGET k\r\n");
  EXPECT_EQ(client_->reply(), "+OK\r\n");
  EXPECT_EQ(client_->reply(), bulk("v"));
  EXPECT_EQ(client_->reply(), "+OK\r\n");
  EXPECT_TRUE(client_->ended());
}

TEST_F(RedisConnectionTest, TheEndOfTheStreamAnswersWhatWasAskedBefore) {
  server::ServerOptions unused;
  test::RawClient raw(server_->address(), false);
  raw.send("SET k v\r\nGET k\r\n");
  raw.end_sending();
  EXPECT_EQ(raw.receive(100), "+OK\r\n" + bulk("v"));
}

TEST_F(RedisConnectionTest, ListsAndKillsClients) {
  auto other = connect();
  EXPECT_EQ(other->ask("CLIENT SETNAME worker"), "+OK\r\n");
  EXPECT_EQ(other->ask("CLIENT SETNAME"),
            "-ERR wrong number of arguments for 'client|setname' command\r\n");
  const std::string id = other->ask("CLIENT ID");
  const std::string list = ask("CLIENT LIST");
  EXPECT_NE(list.find("name=worker"), std::string::npos) << list;
  EXPECT_NE(list.find("cmd=client"), std::string::npos) << list;
  EXPECT_NE(ask("CLIENT INFO").find("id="), std::string::npos);
  EXPECT_EQ(ask("CLIENT SETINFO LIB-NAME tests"), "+OK\r\n");
  EXPECT_EQ(ask("CLIENT KILL ID " + id.substr(1, id.size() - 3)), ":1\r\n");
  EXPECT_TRUE(other->ended());
  EXPECT_EQ(ask("CLIENT KILL 1.2.3.4:5"), "-ERR No such client\r\n");
  EXPECT_EQ(ask("CLIENT NO-EVICT on"), "+OK\r\n");
}

TEST_F(RedisConnectionTest, RefusesMoreThanTheLimit) {
  RedisOptions options;
  options.limits.connections_max = 2;
  start(std::move(options));
  EXPECT_EQ(ask("PING"), "+PONG\r\n");
  auto second = connect();
  EXPECT_EQ(second->ask("PING"), "+PONG\r\n");
  auto third = connect();
  EXPECT_TRUE(third->ended());
}

TEST_F(RedisConnectionTest, CutsACommandThatNeverEnds) {
  RedisOptions options;
  options.limits.command_timeout = std::chrono::milliseconds(300);
  start(std::move(options));
  client_->send("*2\r\n$4\r\nECHO\r\n$10\r\nabc");
  EXPECT_TRUE(client_->ended());
}

TEST_F(RedisConnectionTest, ServesAUnixSocket) {
  RedisOptions options;
  options.address = "unix:" + dir_.path() + "/redis.sock";
  start(std::move(options));
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un peer{};
  peer.sun_family = AF_UNIX;
  const std::string path = dir_.path() + "/redis.sock";
  path.copy(peer.sun_path, sizeof peer.sun_path - 1);
  ASSERT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&peer), sizeof peer), 0);
  ASSERT_EQ(::send(fd, "PING\r\n", 6, MSG_NOSIGNAL), 6);
  char reply[7] = {};
  EXPECT_EQ(::recv(fd, reply, 7, MSG_WAITALL), 7);
  EXPECT_EQ(std::string(reply, 7), "+PONG\r\n");
  ::close(fd);
}

TEST_F(RedisConnectionTest, ATlsAddressNeedsACertificate) {
  server_->stop();
  RedisOptions options;
  options.address = "tls:127.0.0.1:0";
  RedisServer without(options, *operations_, *store_, clock_, *registry_);
  EXPECT_EQ(without.start().code(), Code::kInvalidArgument);
}

TEST_F(RedisConnectionTest, StopsWithClientsAndWritesUnderWay) {
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      RedisClient client(server_->address());
      while (!stop && !client.ask("APPEND s x").empty()) continue;
    });
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  server_->stop();
  stop = true;
  for (std::thread& one : threads) one.join();
}

}  // namespace
}  // namespace edged::redis
