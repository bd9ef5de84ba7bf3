// SPDX-License-Identifier: Apache-2.0
// Tokens over the Redis protocol: they are shown as passwords, and what they lack is NOPERM.
#include "tests/kvstore/redis/redis_fixture.h"

namespace edged::redis {
namespace {

using access::Scope;
using test::bulk;

const std::string kNoAuth = "-NOAUTH Authentication required.\r\n";

using RedisRightsTest = RedisFixture;

TEST_F(RedisRightsTest, WithoutTokensEverybodyMayDoEverything) {
  EXPECT_EQ(ask("SET k v"), "+OK\r\n");
  EXPECT_TRUE(ask("AUTH secret").starts_with("-ERR AUTH <password> called without any password"));
  EXPECT_EQ(ask("AUTH default secret"), "+OK\r\n");
}

TEST_F(RedisRightsTest, WantsATokenWhereThereAreSome) {
  const std::string secret = make_token({Scope::kRead, Scope::kWrite});
  client_ = connect();
  EXPECT_EQ(ask("GET k"), kNoAuth);
  EXPECT_EQ(ask("PING"), kNoAuth);
  EXPECT_TRUE(ask("HELLO 3").starts_with("-NOAUTH HELLO must be called"));
  EXPECT_EQ(ask("AUTH default wrong"),
            "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
  EXPECT_EQ(ask("AUTH " + secret), "+OK\r\n");
  EXPECT_EQ(ask("SET k v"), "+OK\r\n");
  EXPECT_EQ(ask("GET k"), bulk("v"));
  auto other = connect();
  EXPECT_TRUE(other->ask("HELLO 3 AUTH somebody " + secret).starts_with("%7\r\n"));
  EXPECT_EQ(other->ask("GET k"), bulk("v"));
}

TEST_F(RedisRightsTest, EndsAConnectionThatGuesses) {
  make_token({Scope::kRead});
  client_ = connect();
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(ask("AUTH guess").starts_with("-WRONGPASS"));
  EXPECT_TRUE(client_->ended());
}

TEST_F(RedisRightsTest, StrangersMaySendLittle) {
  make_token({Scope::kRead});
  client_ = connect();
  client_->send("*2\r\n$4\r\nAUTH\r\n$20000\r\n");
  EXPECT_EQ(client_->reply(), "-ERR Protocol error: unauthenticated bulk length\r\n");
  EXPECT_TRUE(client_->ended());
}

TEST_F(RedisRightsTest, SaysWhatATokenLacks) {
  ask("SET app:k v");
  ask("SET k v");
  const std::string reader = make_token({Scope::kRead}, {}, "app:");
  client_ = connect();
  EXPECT_EQ(ask("AUTH " + reader), "+OK\r\n");
  EXPECT_EQ(ask("GET app:k"), bulk("v"));
  for (const char* line : {"GET k",
                           "SET app:k v",
                           "DEL app:k",
                           "APPEND app:k v",
                           "INCR app:n",
                           "FLUSHDB",
                           "KEYS *",
                           "SCAN 0",
                           "DBSIZE",
                           "MGET app:k k"}) {
    EXPECT_TRUE(ask(line).starts_with("-NOPERM ")) << line << " " << ask(line);
  }
  EXPECT_EQ(ask("SELECT 5"), "+OK\r\n");
  EXPECT_TRUE(ask("SET app:k v").starts_with("-NOPERM "));  // it may make no namespace
}

TEST_F(RedisRightsTest, ATokenThatIsRevokedStopsWorking) {
  make_token({Scope::kAdmin});
  const std::string secret = make_token({Scope::kRead, Scope::kWrite});
  client_ = connect();
  EXPECT_EQ(ask("AUTH " + secret), "+OK\r\n");
  EXPECT_EQ(ask("SET k v"), "+OK\r\n");
  ASSERT_TRUE(access_->revoke(last_id_));
  EXPECT_EQ(ask("GET k"), kNoAuth);
  EXPECT_EQ(ask("SET k v"), kNoAuth);
}

TEST_F(RedisRightsTest, CountsItsRequestsByFace) {
  ask("SET k v");
  ask("GET k");
  ask("GET none");
  const std::string text = registry_->render();
  EXPECT_NE(text.find("face=\"redis\",opcode=\"get\",class=\"answered\"} 2"), std::string::npos)
      << text;
}

}  // namespace
}  // namespace edged::redis
