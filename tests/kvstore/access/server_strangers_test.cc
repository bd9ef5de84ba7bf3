// SPDX-License-Identifier: Apache-2.0
// What peers without a token can take of a node that wants one, and tokens that change while
// something is running.
#include <gtest/gtest.h>

#include <thread>

#include "kvstore/server/strangers.h"
#include "proto/net/blocking_client.h"
#include "tests/kvstore/server_fixture.h"

namespace edged::server {
namespace {

using access::Scope;
using std::chrono::milliseconds;
using test::RawClient;
using wire::Opcode;
using wire::Request;

TEST(StrangersTest, TheAddressWithTheMostLosesItsOldest) {
  Strangers strangers(4);
  std::string ended;
  const auto named = [&ended](char name) { return [&ended, name] { ended += name; }; };
  strangers.add("one", named('a'));
  const std::uint64_t known = strangers.add("two", named('b'));
  strangers.add("two", named('c'));
  strangers.add("two", named('d'));
  EXPECT_EQ(ended, "");
  strangers.remove(known);
  strangers.remove(known);
  strangers.add("two", named('e'));
  EXPECT_EQ(ended, "");
  strangers.add("three", named('f'));
  EXPECT_EQ(ended, "c");
  EXPECT_TRUE(strangers.end_one());
  EXPECT_EQ(ended, "cd");
  while (strangers.end_one()) {
  }
  EXPECT_EQ(ended.size(), 5u);
}

class ServerStrangersTest : public ServerFixture {
 protected:
  void SetUp() override {
    ServerFixture::SetUp();
    secret_ = token("app", {Scope::kRead, Scope::kWrite, Scope::kList}).secret;
    restart({});
  }

  access::NewToken token(const std::string& name, access::Scopes scopes) {
    access::Grant grant;
    grant.name = name;
    grant.scopes = scopes;
    return *access_->create(grant);
  }
  static Code auth(RawClient& client, const std::string& secret) {
    Request request = make(Opcode::kAuth, 900, "");
    request.fields.credential = secret;
    return client.call(request).status();
  }
  std::unique_ptr<RawClient> known_client() {
    auto client = std::make_unique<RawClient>(address_);
    EXPECT_EQ(auth(*client, secret_), Code::kOk);
    return client;
  }
  static Code ping(RawClient& client) { return client.call(make(Opcode::kPing, 901, "")).status(); }

  // No test depends on how fast the machine is to show a token.
  void restart(Limits limits) {
    limits.auth_timeout = std::chrono::minutes(10);
    unix_path_ = dir_.path() + "/kv.sock";
    start(limits);
  }

  std::string secret_;
};

TEST_F(ServerStrangersTest, APingDoesNotMoveTheDeadlineForAuth) {
  Limits limits;
  limits.auth_timeout = milliseconds(200);
  start(limits);
  RawClient stranger(address_);
  const Request request = make(Opcode::kPing, 1, "");
  while (stranger.send(request) && stranger.reply().header.id == 1) {
    std::this_thread::sleep_for(milliseconds(10));
  }
  EXPECT_TRUE(stranger.ended());
}

TEST_F(ServerStrangersTest, ALargeFrameBeforeAuthIsCut) {
  RawClient stranger(address_);
  Request put = make(Opcode::kPut, 1, "k", "");
  const std::string value(900 * 1024, 'x');
  put.value = value;
  std::string frame;
  wire::append_request(put, frame);
  ASSERT_TRUE(stranger.send(std::string_view(frame).substr(0, wire::kHeaderBytes + 10)));
  EXPECT_TRUE(stranger.ended());

  RawClient client(address_);  // AUTH and the frame in one burst
  Request in = make(Opcode::kAuth, 1, "");
  in.fields.credential = secret_;
  std::string burst;
  wire::append_request(in, burst);
  ASSERT_TRUE(client.send(burst + frame));
  EXPECT_EQ(client.reply().status(), Code::kOk);
  EXPECT_EQ(client.reply().status(), Code::kOk);
}

TEST_F(ServerStrangersTest, UnreadAnswersOfAStrangerStopItsReading) {
  RawClient stranger(address_);
  const std::string text(wire::kPingBytesMax, 'x');
  std::string burst;
  for (std::uint32_t id = 0; id < 4096; ++id) {
    wire::append_request(make(Opcode::kPing, id, "", text), burst);
  }
  std::thread sending([&] { stranger.send(burst); });
  auto known = known_client();
  EXPECT_EQ(known->call(make(Opcode::kPut, 1, "k", std::string(900 * 1024, 'x'))).status(),
            Code::kOk);
  for (std::uint32_t id = 0; id < 4096; ++id) ASSERT_EQ(stranger.reply().header.id, id);
  sending.join();
}

TEST_F(ServerStrangersTest, StrangersDoNotTakeAllConnections) {
  Limits limits;
  limits.connections_max = 32;
  restart(limits);
  auto known = known_client();
  std::vector<std::unique_ptr<RawClient>> strangers;
  for (int i = 0; i < 100; ++i) {
    strangers.push_back(std::make_unique<RawClient>(address_, false));
  }
  EXPECT_EQ(ping(*known), Code::kOk);
  auto late = known_client();
  EXPECT_EQ(ping(*late), Code::kOk);
  EXPECT_TRUE(strangers.front()->ended()) << "the oldest goes first";
}

TEST_F(ServerStrangersTest, TheNodesOwnUserFindsRoomWhenAllConnectionsAreUsed) {
  Limits limits;
  limits.connections_max = 16;  // of which 2 are kept
  restart(limits);
  std::vector<std::unique_ptr<RawClient>> all;
  for (int i = 0; i < 14; ++i) all.push_back(known_client());
  RawClient refused(address_, false);
  EXPECT_TRUE(refused.ended());
  net::ClientOptions options;
  options.address = "unix:" + server_->unix_path();
  net::BlockingClient own(options);
  EXPECT_TRUE(own.ping().ok());
}

TEST_F(ServerStrangersTest, ARunningWatchIsJudgedByTheTokenOfNow) {
  const std::string weaker = token("weak", {Scope::kWrite}).secret;
  auto client = known_client();
  ASSERT_EQ(client->call(make(Opcode::kWatch, 7, "")).status(), Code::kOk);
  EXPECT_EQ(auth(*client, weaker), Code::kOk);
  const RawClient::Reply push = client->reply();
  EXPECT_EQ(push.header.kind, wire::Kind::kPush);
  EXPECT_EQ(push.header.id, 7u);
  EXPECT_EQ(push.status(), Code::kDenied);
  EXPECT_EQ(client->call(make(Opcode::kPut, 8, "k", "v")).header.id, 8u) << "and nothing is pushed";
}

TEST_F(ServerStrangersTest, ARunningGetEndsWithItsToken) {
  const access::NewToken reader = token("reader", {Scope::kRead});
  {
    net::ClientOptions options;
    options.address = address_;
    options.credential = secret_;
    options.call_timeout = std::chrono::minutes(10);  // 20 MiB take their time under a sanitizer
    net::BlockingClient writer(options);
    net::PutItem item;
    item.key = "large";
    item.value = std::string(20 << 20, 'x');
    ASSERT_TRUE(writer.put(std::string(32, 'a'), item));
  }
  RawClient client(address_);
  ASSERT_EQ(auth(client, reader.secret), Code::kOk);
  ASSERT_TRUE(client.send(make(Opcode::kGet, 1, "large")));
  std::size_t bytes = 0;
  RawClient::Reply reply = client.reply();
  ASSERT_TRUE(access_->revoke(reader.token.grant.id));
  while (reply.status() == Code::kOk && reply.more()) {
    bytes += reply.value().size();
    reply = client.reply();
  }
  EXPECT_EQ(reply.header.id, 1u);
  EXPECT_EQ(reply.status(), Code::kUnauthenticated);
  EXPECT_FALSE(reply.more());
  EXPECT_LT(bytes, 20u << 20);
}

TEST_F(ServerStrangersTest, AnUploadEndsWithItsToken) {
  const access::NewToken writer = token("writer", {Scope::kWrite});
  RawClient client(address_);
  ASSERT_EQ(auth(client, writer.secret), Code::kOk);
  Request put = make(Opcode::kPut, 1, "large", "x");
  put.flags = wire::kFlagMore;
  ASSERT_TRUE(client.send(put));
  ASSERT_EQ(ping(client), Code::kOk);
  ASSERT_TRUE(access_->revoke(writer.token.grant.id));
  put.key = {};
  ASSERT_TRUE(client.send(put));
  put.flags = 0;
  ASSERT_TRUE(client.send(put));
  EXPECT_EQ(client.reply().status(), Code::kUnauthenticated);
  EXPECT_EQ(ping(client), Code::kOk) << "it has been answered once";
}

}  // namespace
}  // namespace edged::server
