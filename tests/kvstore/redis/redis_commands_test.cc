// SPDX-License-Identifier: Apache-2.0
// Commands over the wire, with the bytes of Redis's replies.
#include <chrono>
#include <set>
#include <thread>

#include "tests/kvstore/redis/redis_fixture.h"

namespace edged::redis {
namespace {

using test::bulk;
const std::string kNil = "$-1\r\n", kOk = "+OK\r\n";

class RedisCommandsTest : public RedisFixture {
 protected:
  void expect(std::string_view line, std::string_view reply) {
    EXPECT_EQ(ask(line), reply) << line;
  }
};

TEST_F(RedisCommandsTest, SetsAndGets) {
  expect("GET key", kNil);
  expect("SET key value", kOk);
  expect("GET key", bulk("value"));
  expect("get key", bulk("value"));
  expect("EXISTS key key none", ":2\r\n");
  expect("TYPE key", "+string\r\n");
  expect("STRLEN key", ":5\r\n");
  expect("DEL key none", ":1\r\n");
  expect("GET key", kNil);
  EXPECT_EQ(client_->ask_words({"SET", "k\r\n", std::string(100'000, 'v')}), kOk);
  EXPECT_EQ(client_->ask_words({"GET", "k\r\n"}), bulk(std::string(100'000, 'v')));
}

TEST_F(RedisCommandsTest, SetsOnConditions) {
  expect("SET key 1 XX", kNil);
  expect("SET key 1 NX", kOk);
  expect("SET key 2 NX", kNil);
  expect("SET key 2 XX GET", bulk("1"));
  expect("SET key 3 IFEQ 1", kNil);
  expect("SET key 3 IFEQ 2", kOk);
  expect("SET key 4 IFEQ 9 GET", bulk("3"));
  expect("GET key", bulk("3"));
  expect("SETNX key 5", ":0\r\n");
  expect("SETNX other 5", ":1\r\n");
  expect("MSETNX a 1 other 2", ":0\r\n");
  expect("MSETNX a 1 a 2", ":1\r\n");
  expect("MGET a none other", "*3\r\n" + bulk("2") + kNil + bulk("5"));
  expect("DELIFEQ a 1", ":0\r\n");
  expect("DELIFEQ a 2", ":1\r\n");
  for (const char* bad : {"SET k v NX XX",
                          "SET k v EX",
                          "SET k v EX 1 PX 1",
                          "SET k v KEEPTTL EX 1",
                          "SET k v NX IFEQ 1",
                          "SET k v WHAT",
                          "GETEX key PERSIST EX 1"}) {
    expect(bad, "-ERR syntax error\r\n");
  }
}

TEST_F(RedisCommandsTest, KeepsTimes) {
  expect("SET key v EX 100", kOk);
  expect("TTL key", ":100\r\n");
  expect("SET key w KEEPTTL", kOk);
  expect("TTL key", ":100\r\n");
  expect("PERSIST key", ":1\r\n");
  expect("PERSIST key", ":0\r\n");
  expect("TTL key", ":-1\r\n");
  expect("TTL none", ":-2\r\n");
  expect("EXPIRE key 50 GT", ":0\r\n");
  expect("EXPIRE key 50 LT", ":1\r\n");
  expect("EXPIRE key 40 NX", ":0\r\n");
  expect("EXPIRE key 60 GT", ":1\r\n");
  expect("EXPIREAT key 5000000000", ":1\r\n");
  expect("EXPIRETIME key", ":5000000000\r\n");
  expect("PEXPIREAT key 5000000000123", ":1\r\n");
  expect("PEXPIRETIME key", ":5000000000123\r\n");
  expect("SETEX key 10 v", kOk);
  expect("GETEX key PERSIST", bulk("v"));
  expect("TTL key", ":-1\r\n");
  expect("EXPIRE key -1", ":1\r\n");
  expect("EXISTS key", ":0\r\n");
  expect("SET key v PX 30", kOk);
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  expect("GET key", kNil);
  expect("SET k v EX 0", "-ERR invalid expire time in 'set' command\r\n");
  expect("SETEX k -1 v", "-ERR invalid expire time in 'setex' command\r\n");
  expect("EXPIRE k 9223372036854775807", "-ERR invalid expire time in 'expire' command\r\n");
  expect("EXPIRE k 1 NX GT",
         "-ERR NX and XX, GT or LT options at the same time are not compatible\r\n");
  expect("EXPIRE k x", "-ERR value is not an integer or out of range\r\n");
}

TEST_F(RedisCommandsTest, Counts) {
  expect("INCR n", ":1\r\n");
  expect("INCRBY n 41", ":42\r\n");
  expect("DECR n", ":41\r\n");
  expect("DECRBY n -1", ":42\r\n");
  expect("INCRBYFLOAT n 0.5", bulk("42.5"));
  expect("INCR n", "-ERR value is not an integer or out of range\r\n");
  expect("SET n 9223372036854775807", kOk);
  expect("INCR n", "-ERR increment or decrement would overflow\r\n");
  expect("DECRBY n -9223372036854775808", "-ERR decrement would overflow\r\n");
  expect("INCRBY n 1.5", "-ERR value is not an integer or out of range\r\n");
  expect("SET n x", kOk);
  expect("INCRBYFLOAT n 1", "-ERR value is not a valid float\r\n");
}

TEST_F(RedisCommandsTest, ChangesPartsOfValues) {
  expect("APPEND s Hello", ":5\r\n");
  expect("APPEND s World", ":10\r\n");
  expect("GETRANGE s 0 4", bulk("Hello"));
  expect("GETRANGE s -5 -1", bulk("World"));
  expect("GETRANGE s 5 100", bulk("World"));
  expect("GETRANGE s 4 1", bulk(""));
  expect("GETRANGE none 0 -1", bulk(""));
  expect("SETRANGE s 5 Redis", ":10\r\n");
  expect("GET s", bulk("HelloRedis"));
  EXPECT_EQ(client_->ask_words({"SETRANGE", "pad", "3", "x"}), ":4\r\n");
  EXPECT_EQ(ask("GET pad"), bulk(std::string("\0\0\0x", 4)));
  expect("SETRANGE s -1 x", "-ERR offset is out of range\r\n");
  expect("SETRANGE s 999999999 x",
         "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n");
  expect("GETSET s new", bulk("HelloRedis"));
  expect("GETDEL s", bulk("new"));
  expect("GETDEL s", kNil);
}

TEST_F(RedisCommandsTest, RenamesAndCopies) {
  expect("RENAME none a", "-ERR no such key\r\n");
  expect("SET a 1 EX 100", kOk);
  expect("RENAME a b", kOk);
  expect("TTL b", ":100\r\n");
  expect("SET c 2", kOk);
  expect("RENAMENX b c", ":0\r\n");
  expect("RENAMENX b d", ":1\r\n");
  expect("COPY d c", ":0\r\n");
  expect("COPY d c REPLACE", ":1\r\n");
  expect("GET c", bulk("1"));
  expect("COPY d d", "-ERR source and destination objects are the same\r\n");
  expect("COPY d d DB 1", ":1\r\n");
  expect("COPY d d DB 16", "-ERR DB index is out of range\r\n");
  expect("SELECT 1", kOk);
  expect("GET d", bulk("1"));
  expect("OBJECT ENCODING d", bulk("int"));
}

TEST_F(RedisCommandsTest, KeepsDatabasesApart) {
  expect("SET key 0", kOk);
  expect("SELECT 3", kOk);
  expect("GET key", kNil);
  expect("EXISTS key", ":0\r\n");
  expect("DBSIZE", ":0\r\n");
  EXPECT_FALSE(store_->find_namespace("redis-3"));
  expect("SET key 3", kOk);
  EXPECT_TRUE(store_->find_namespace("redis-3"));
  expect("GET key", bulk("3"));
  expect("FLUSHDB", kOk);
  expect("GET key", kNil);
  expect("SELECT 0", kOk);
  expect("GET key", bulk("0"));
  expect("SELECT 16", "-ERR DB index is out of range\r\n");
  expect("SELECT x", "-ERR value is not an integer or out of range\r\n");
  ASSERT_TRUE(store_->create_namespace("somebody's", ""));
  expect("FLUSHALL", kOk);
  expect("GET key", kNil);
}

TEST_F(RedisCommandsTest, WalksOverKeys) {
  std::set<std::string> expected;
  for (int i = 0; i < 250; ++i) {
    const std::string key = "key:" + std::to_string(i);
    expected.insert(key);
    ask("SET " + key + " v");
  }
  ask("SET other v");
  std::set<std::string> found;
  std::string cursor = "0";
  do {
    client_ = connect();  // a cursor is valid on any connection
    const std::string page = ask("SCAN " + cursor + " MATCH key:* COUNT 40");
    const std::size_t start = page.find("\r\n", 5) + 2;
    cursor = page.substr(start, page.find("\r\n", start) - start);
    for (std::size_t at = page.find("key:"); at != std::string::npos;
         at = page.find("key:", at + 1)) {
      EXPECT_TRUE(found.insert(page.substr(at, page.find("\r\n", at) - at)).second);
    }
  } while (cursor != "0");
  EXPECT_EQ(found, expected);
  EXPECT_EQ(ask("KEYS key:1?").substr(0, 5), "*10\r\n");
  expect("KEYS none*", "*0\r\n");
  EXPECT_TRUE(ask("RANDOMKEY").starts_with("$"));
  EXPECT_TRUE(ask("SCAN 12345").starts_with("-ERR invalid cursor"));
  expect("SCAN x", "-ERR invalid cursor\r\n");
  expect("SCAN 0 COUNT 0", "-ERR syntax error\r\n");
  expect("SCAN 0 TYPE list COUNT 1000", "*2\r\n" + bulk("0") + "*0\r\n");
}

TEST_F(RedisCommandsTest, NamesWhatIsNotThere) {
  expect("GET", "-ERR wrong number of arguments for 'get' command\r\n");
  expect("NOPE a", "-ERR unknown command 'NOPE', with args beginning with: 'a' \r\n");
  expect("LPUSH l 1", "-ERR unknown command 'LPUSH': this server has no lists\r\n");
  expect("EVAL x 0",
         "-ERR unknown command 'EVAL': this server has no Lua scripts and functions\r\n");
  EXPECT_TRUE(ask("SET " + std::string(513, 'k') + " v").starts_with("-ERR "));
  EXPECT_TRUE(ask("GET " + std::string(513, 'k')).starts_with("-ERR "));
  EXPECT_TRUE(client_->ask_words({"SET", "", "v"}).starts_with("-ERR "));
  expect("MGET a " + std::string(513, 'k'), ask("GET " + std::string(513, 'k')));
}

TEST_F(RedisCommandsTest, SpeaksVersion3) {
  const std::string hello = ask("HELLO 3 SETNAME me");
  EXPECT_TRUE(hello.starts_with("%7\r\n"));
  expect("GET none", "_\r\n");
  expect("MGET none", "*1\r\n_\r\n");
  expect("CLIENT GETNAME", bulk("me"));
  expect("CONFIG GET databases", "%1\r\n" + bulk("databases") + bulk("16"));
  EXPECT_TRUE(ask("INFO server").starts_with("="));
  expect("HELLO 4", "-NOPROTO unsupported protocol version\r\n");
  expect("RESET", "+RESET\r\n");
  expect("GET none", kNil);
}

TEST_F(RedisCommandsTest, DescribesItself) {
  EXPECT_TRUE(ask("COMMAND COUNT").starts_with(":"));
  EXPECT_TRUE(ask("COMMAND INFO get nope").starts_with("*2\r\n*10\r\n$3\r\nget\r\n:2\r\n"));
  EXPECT_TRUE(ask("COMMAND DOCS get").starts_with("*2\r\n$3\r\nget\r\n"));
  EXPECT_NE(ask("INFO").find("redis_version:7"), std::string::npos);
  expect("DBSIZE", ":0\r\n");
  EXPECT_TRUE(ask("CONFIG SET maxmemory 1").starts_with("-ERR "));
  expect("ECHO hello", bulk("hello"));
  expect("PING", "+PONG\r\n");
  expect("PING hello", bulk("hello"));
  expect("WAIT 1 0", ":0\r\n");
}

TEST_F(RedisCommandsTest, WaitsForTheDisk) {
  expect("SET key value", kOk);
  const std::uint64_t before = store_->stats().syncs;
  expect("WAITAOF 1 0 0", "*2\r\n:1\r\n:0\r\n");
  EXPECT_GT(store_->stats().syncs, before);
  expect("DBSIZE", ":1\r\n");
}

}  // namespace
}  // namespace edged::redis
