// SPDX-License-Identifier: Apache-2.0
// The server's face as bytes: clients that misbehave on purpose. After each of them another client
// must be served as if nothing had happened.
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <random>

#include "tests/kvstore/node_fixture.h"

namespace edged::server {
namespace {

using namespace std::chrono_literals;
using test::RawClient;
using wire::Opcode;
using wire::Request;

class ProtocolTest : public MemoryNodeFixture {
 protected:
  void SetUp() override {
    MemoryNodeFixture::SetUp();
    Limits limits;
    // Long enough for a client that a busy machine holds up.
    limits.hello_timeout = limits.frame_timeout = limits.write_timeout = 1s;
    limits.idle_timeout = 2s;
    limits.connections_max = 20;
    start(limits);
  }
  void TearDown() override {
    RawClient other(address_);
    ASSERT_TRUE(other.send(ping(77)));
    EXPECT_EQ(other.reply().header.id, 77u) << "another client must not suffer";
    MemoryNodeFixture::TearDown();
  }

  static Request ping(std::uint32_t id) {
    Request request;
    request.id = id;
    return request;
  }
};

TEST_F(ProtocolTest, EndsAConnectionWithAWrongHello) {
  RawClient client(address_, false);
  client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(client.ended());
}

TEST_F(ProtocolTest, AnswersAVersionItDoesNotSpeakWithZero) {
  RawClient client(address_, false);
  std::string hello;
  wire::append_hello({.version_min = 7, .version_max = 9}, hello);
  client.send(hello);
  const std::string answer = client.receive(wire::kHelloBytes);
  ASSERT_EQ(answer.size(), wire::kHelloBytes);
  EXPECT_EQ(answer[4], '\0');
  EXPECT_TRUE(client.ended());
}

TEST_F(ProtocolTest, AnswersGarbageOnceAndEnds) {
  RawClient client(address_);
  client.send(std::string(64, 'x'));
  EXPECT_EQ(client.reply().status(), Code::kBadFrame);
  EXPECT_TRUE(client.ended());
}

TEST_F(ProtocolTest, DoesNotAnswerGarbageWithTheIdOfTheRequestBeforeIt) {
  RawClient client(address_);
  std::string stream;
  wire::append_request(ping(5), stream);
  client.send(stream + std::string(64, 'x'));
  EXPECT_EQ(client.reply().header.id, 5u);
  const RawClient::Reply refused = client.reply();
  EXPECT_EQ(refused.status(), Code::kBadFrame);
  EXPECT_EQ(refused.header.id, 0u);
  EXPECT_TRUE(client.ended());
}

TEST_F(ProtocolTest, RefusesAHugeLength) {
  RawClient client(address_);
  std::string frame;
  wire::append_request(ping(5), frame);
  frame.replace(8, 4, "\xff\xff\xff\xff");
  client.send(frame);
  const RawClient::Reply reply = client.reply();
  EXPECT_EQ(reply.status(), Code::kBadFrame);
  EXPECT_EQ(reply.header.id, 5u);
  EXPECT_TRUE(client.ended());
}

TEST_F(ProtocolTest, AnswersATooLargeBodyAndGoesOn) {
  RawClient client(address_);
  const std::string value(5 << 20, 'x');
  ASSERT_TRUE(client.send(make(Opcode::kPut, 5, "a", value)));
  ASSERT_TRUE(client.send(ping(6)));
  const RawClient::Reply reply = client.reply();
  EXPECT_EQ(reply.header.id, 5u);
  EXPECT_EQ(reply.status(), Code::kTooLarge);
  EXPECT_EQ(client.reply().header.id, 6u);
}

TEST_F(ProtocolTest, AnswersWhatItDoesNotImplement) {
  RawClient client(address_);
  for (int opcode = 0; opcode < 256; ++opcode) {
    const auto asked = static_cast<Opcode>(opcode);
    const bool only_pushed_or_item = asked == Opcode::kGoAway || asked == Opcode::kCheckPresent ||
                                     asked == Opcode::kCheckAbsent ||
                                     asked == Opcode::kCheckVersion;
    if (only_pushed_or_item || wire::opcode_name(asked) == "unknown") {
      client.send(make(asked, static_cast<std::uint32_t>(opcode), "a", ""));
      const RawClient::Reply reply = client.reply();
      EXPECT_EQ(reply.status(), Code::kUnsupported) << opcode;
      EXPECT_EQ(reply.header.opcode, opcode);
    }
  }
  Request fragment = ping(1000);
  fragment.flags = wire::kFlagMore;
  client.send(fragment);
  EXPECT_EQ(client.reply().status(), Code::kUnsupported);
}

TEST_F(ProtocolTest, AnswersInvalidRequestsAndGoesOn) {
  RawClient client(address_);
  Request put = make(Opcode::kPut, 1, "a", "1");
  put.fields.if_version = 3;
  const Request cases[] = {
      put,
      make(Opcode::kGet, 2, "", ""),
      make(Opcode::kPutIfVersion, 3, "a", "1"),
      make(Opcode::kMultiGet, 4, "", ""),
      make(Opcode::kDelete, 5, "a", "a value"),
  };
  for (const Request& request : cases) {
    client.send(request);
    const RawClient::Reply reply = client.reply();
    EXPECT_EQ(reply.header.id, request.id);
    EXPECT_EQ(reply.status(), Code::kInvalidArgument) << request.id;
  }
  client.send(make(Opcode::kMultiPut, 6, "", "not items"));
  EXPECT_EQ(client.reply().status(), Code::kBadFrame);
  Request elsewhere = make(Opcode::kGet, 7, "a", "");
  elsewhere.ns = 99;
  client.send(elsewhere);
  EXPECT_EQ(client.reply().status(), Code::kNamespaceNotFound);
}

TEST_F(ProtocolTest, CutsSilentAndSlowClients) {
  RawClient silent(address_, false);
  RawClient half(address_);
  half.send("\xb7\x22");
  RawClient idle(address_);
  EXPECT_TRUE(silent.ended());
  EXPECT_TRUE(half.ended());
  EXPECT_TRUE(idle.ended());
}

TEST_F(ProtocolTest, CutsAClientThatNeverReads) {
  RawClient client(address_);
  ASSERT_TRUE(client.send(make(Opcode::kPut, 1, "a", std::string(1 << 20, 'x'))));
  ASSERT_EQ(client.reply().status(), Code::kOk);
  std::string gets;
  for (std::uint32_t i = 0; i < 1000; ++i) {
    wire::append_request(make(Opcode::kGet, i, "a", ""), gets);
  }
  bool open = true;
  const auto before = std::chrono::steady_clock::now();
  while (open && std::chrono::steady_clock::now() - before < 8s) {
    open = client.send(gets);
  }
  EXPECT_FALSE(open) << "a gigabyte of answers must not pile up";
}

TEST_F(ProtocolTest, AnswersAThousandPipelinedRequestsInOrderPerKey) {
  RawClient client(address_);
  std::string stream;
  for (std::uint32_t i = 0; i < 500; ++i) {
    wire::append_request(make(Opcode::kPut, 2 * i, "a", std::to_string(i)), stream);
    wire::append_request(make(Opcode::kGet, 2 * i + 1, "a", ""), stream);
  }
  ASSERT_TRUE(client.send(stream));
  client.end_sending();
  for (std::uint32_t i = 0; i < 1000; ++i) {
    const RawClient::Reply reply = client.reply();
    ASSERT_EQ(reply.status(), Code::kOk) << i;
    if (reply.header.id % 2 == 1) {
      ASSERT_EQ(reply.body, std::to_string(reply.header.id / 2));
    }
  }
  EXPECT_TRUE(client.ended());
}

// The others wait on the connection, and beyond 1024 in the kernel.
TEST_F(ProtocolTest, GivesTheStoreABoundedNumberOfItsWrites) {
  RawClient client(address_);
  store_.hold_writes();
  std::string stream;
  for (std::uint32_t i = 0; i < 3000; ++i) {
    wire::append_request(make(Opcode::kPut, i, "a", "1"), stream);
  }
  ASSERT_TRUE(client.send(stream));
  const auto before = std::chrono::steady_clock::now();
  while (store_.waiting_writes() < 128 && std::chrono::steady_clock::now() - before < 60s) {
    std::this_thread::sleep_for(1ms);
  }
  std::this_thread::sleep_for(50ms);
  EXPECT_EQ(store_.waiting_writes(), 128u);
  store_.release_writes();
  for (std::uint32_t i = 0; i < 3000; ++i) {
    ASSERT_EQ(client.reply().status(), Code::kOk) << i;
  }
}

TEST_F(ProtocolTest, ClosesConnectionsAboveItsCap) {
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 20 - 20 / 8; ++i) {  // an eighth is kept for own peers on the unix socket
    clients.push_back(std::make_unique<RawClient>(address_));
  }
  RawClient late(address_, false);
  EXPECT_TRUE(late.ended());
  clients.clear();
  std::this_thread::sleep_for(100ms);
}

TEST_F(ProtocolTest, SurvivesRandomDamage) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 200; ++round) {
    RawClient client(address_);
    const std::string value(40, 'v');  // the request refers to it
    Request request = make(static_cast<Opcode>(random() % 64), 1, "key", value);
    request.fields.ttl_ms = 1000;
    std::string frame;
    wire::append_request(request, frame);
    for (int i = 0; i < 4; ++i) {
      frame[1 + random() % (frame.size() - 1)] = static_cast<char>(random());
    }
    client.send(frame);
    client.end_sending();
    client.receive(1 << 20);
  }
}

}  // namespace
}  // namespace edged::server
