// SPDX-License-Identifier: Apache-2.0
// MULTI and EXEC, WATCH, messages between clients, and CLIENT TRACKING.
#include <atomic>
#include <thread>

#include "kvstore/storage/store.h"
#include "tests/kvstore/redis/redis_fixture.h"

namespace edged::redis {
namespace {

using test::bulk;

const std::string kQueued = "+QUEUED\r\n", kOk = "+OK\r\n";

class RedisTransactionsTest : public RedisFixture {
 protected:
  void expect(std::string_view line, std::string_view reply) {
    EXPECT_EQ(ask(line), reply) << line;
  }
  static std::string message(std::string_view channel, std::string_view payload) {
    return "*3\r\n" + bulk("message") + bulk(channel) + bulk(payload);
  }
  static std::string invalidation(std::string_view key) {
    return ">2\r\n" + bulk("invalidate") + "*1\r\n" + bulk(key);
  }
};

TEST_F(RedisTransactionsTest, ExecutesInOrderOverWhatItsCommandsDid) {
  expect("SET a 1", kOk);
  expect("MULTI", kOk);
  expect("INCR a", kQueued);
  expect("GET a", kQueued);
  expect("APPEND a x", kQueued);
  expect("INCR a", kQueued);
  expect("SET b 2", kQueued);
  EXPECT_EQ(connect()->ask("MGET a b"), "*2\r\n" + bulk("1") + "$-1\r\n");
  expect(
      "EXEC",
      "*5\r\n:2\r\n" + bulk("2") + ":2\r\n-ERR value is not an integer or out of range\r\n" + kOk);
  expect("MGET a b", "*2\r\n" + bulk("2x") + bulk("2"));
}

TEST_F(RedisTransactionsTest, DoesNothingAfterAMistake) {
  expect("MULTI", kOk);
  expect("MULTI", "-ERR MULTI calls can not be nested\r\n");
  expect("SET a 1", kQueued);
  expect("GET", "-ERR wrong number of arguments for 'get' command\r\n");
  expect("EXEC", "-EXECABORT Transaction discarded because of previous errors.\r\n");
  expect("GET a", "$-1\r\n");
  expect("EXEC", "-ERR EXEC without MULTI\r\n");
  expect("DISCARD", "-ERR DISCARD without MULTI\r\n");
  expect("MULTI", kOk);
  expect("SET a 1", kQueued);
  expect("DISCARD", kOk);
  expect("GET a", "$-1\r\n");
}

TEST_F(RedisTransactionsTest, WritesNothingOfWhatIsTooLarge) {
  expect("MULTI", kOk);
  for (const char* key : {"a", "b", "c"}) {
    EXPECT_EQ(client_->ask_words({"SET", key, std::string(4'000'000, 'v')}), kQueued);
  }
  EXPECT_TRUE(ask("EXEC").starts_with("-EXECABORT "));
  expect("EXISTS a b c", ":0\r\n");
}

TEST_F(RedisTransactionsTest, AWatchedKeyThatChangesStopsIt) {
  auto other = connect();
  for (const char* change : {"SET k 1", "DEL k", "SET k 1 PX 1"}) {
    expect("WATCH k", kOk);
    other->ask(change);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    expect("MULTI", kOk);
    expect("SET r 1", kQueued);
    expect("EXEC", "*-1\r\n");
  }
  expect("WATCH k", kOk);
  other->ask("SET k 1");
  expect("UNWATCH", kOk);
  expect("MULTI", kOk);
  expect("SET r 1", kQueued);
  expect("EXEC", "*1\r\n" + kOk);
  expect("WATCH k", kOk);
  expect("MULTI", kOk);
  expect("WATCH k", "-ERR WATCH inside MULTI is not allowed\r\n");
  expect("EXEC", "*0\r\n");
}

TEST_F(RedisTransactionsTest, ManyClientsMoveWithoutLoss) {
  expect("MSET from 1000 to 0", kOk);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      test::RedisClient client(server_->address());
      for (int round = 0; round < 50; ++round) {
        client.ask("MULTI");
        client.ask("DECRBY from 1");
        client.ask("INCRBY to 1");
        EXPECT_TRUE(client.ask("EXEC").starts_with("*2\r\n"));
      }
    });
  }
  for (std::thread& one : threads) one.join();
  expect("MGET from to", "*2\r\n" + bulk("800") + bulk("200"));
}

TEST_F(RedisTransactionsTest, SendsMessagesToThoseWhoListen) {
  auto listener = connect();
  EXPECT_EQ(listener->ask("SUBSCRIBE news"),
            "*3\r\n" + bulk("subscribe") + bulk("news") + ":1\r\n");
  EXPECT_EQ(listener->ask("PSUBSCRIBE n*"), "*3\r\n" + bulk("psubscribe") + bulk("n*") + ":2\r\n");
  expect("PUBLISH news hello", ":2\r\n");
  expect("PUBLISH other hello", ":0\r\n");
  EXPECT_EQ(listener->reply(), message("news", "hello"));
  EXPECT_EQ(listener->reply(),
            "*4\r\n" + bulk("pmessage") + bulk("n*") + bulk("news") + bulk("hello"));
  EXPECT_TRUE(listener->ask("GET k").starts_with("-ERR Can't execute 'get'"));
  EXPECT_EQ(listener->ask("PING"), "*2\r\n" + bulk("pong") + bulk(""));
  expect("PUBSUB NUMSUB news", "*2\r\n" + bulk("news") + ":1\r\n");
  EXPECT_EQ(listener->ask("PUNSUBSCRIBE"), "*3\r\n" + bulk("punsubscribe") + bulk("n*") + ":1\r\n");
  EXPECT_EQ(listener->ask("UNSUBSCRIBE"), "*3\r\n" + bulk("unsubscribe") + bulk("news") + ":0\r\n");
  EXPECT_EQ(listener->ask("GET k"), "$-1\r\n");
  expect("MULTI", kOk);
  expect("PUBLISH news 1", kQueued);
  listener->ask("SUBSCRIBE news");
  expect("EXEC", "*1\r\n:1\r\n");
  EXPECT_EQ(listener->reply(), message("news", "1"));
}

TEST_F(RedisTransactionsTest, TellsAClientWhatItsOwnCacheIsToDrop) {
  auto cache = connect();
  EXPECT_TRUE(cache->ask("CLIENT TRACKING on").starts_with("-ERR Client tracking"));
  cache->ask("HELLO 3");
  EXPECT_EQ(cache->ask("CLIENT TRACKING on"), kOk);
  ask("SET a 1");
  EXPECT_EQ(cache->ask("GET a"), bulk("1"));
  EXPECT_EQ(cache->ask("MGET b c"), "*2\r\n_\r\n_\r\n");
  ask("SET a 2");
  EXPECT_EQ(cache->reply(), invalidation("a"));
  ask("SET a 3");    // nobody keeps it any more
  storage::Put put;  // of another face
  put.ns = store_->find_namespace("default")->number;
  put.key = "b";
  ASSERT_TRUE(storage::write_and_wait(*store_, storage::Operation(put), storage::Durability::kWal));
  EXPECT_EQ(cache->reply(), invalidation("b"));
  EXPECT_EQ(cache->ask("GET a"), bulk("3"));
  ask("FLUSHDB");
  EXPECT_EQ(cache->reply(), ">2\r\n" + bulk("invalidate") + "_\r\n");
  EXPECT_EQ(cache->ask("CLIENT TRACKING off"), kOk);
}

TEST_F(RedisTransactionsTest, TellsOfWhatExpires) {
  auto cache = connect();
  cache->ask("HELLO 3");
  EXPECT_EQ(cache->ask("CLIENT TRACKING on"), kOk);
  ask("SET a 1 PX 300");
  EXPECT_EQ(cache->ask("GET a"), bulk("1"));
  EXPECT_EQ(cache->reply(), invalidation("a"));
  EXPECT_EQ(cache->ask("GET a"), "_\r\n");
}

TEST_F(RedisTransactionsTest, BroadcastsByPrefix) {
  auto cache = connect();
  cache->ask("HELLO 3");
  EXPECT_EQ(cache->ask("CLIENT TRACKING on BCAST PREFIX user: PREFIX x:"), kOk);
  EXPECT_TRUE(
      cache->ask("CLIENT TRACKING on BCAST PREFIX a PREFIX ab").starts_with("-ERR Prefixes"));
  ask("SET other 1");
  ask("SET user:1 1");
  EXPECT_EQ(cache->reply(), invalidation("user:1"));
}

TEST_F(RedisTransactionsTest, RedirectsToAClientOfVersion2) {
  auto listener = connect();
  const std::string id = listener->ask("CLIENT ID");
  listener->ask("SUBSCRIBE __redis__:invalidate");
  const std::string number = id.substr(1, id.size() - 3);
  expect("CLIENT TRACKING on REDIRECT " + number, kOk);
  expect("CLIENT GETREDIR", id);
  expect("GET a", "$-1\r\n");
  connect()->ask("SET a 1");
  EXPECT_EQ(listener->reply(),
            "*3\r\n" + bulk("message") + bulk("__redis__:invalidate") + "*1\r\n" + bulk("a"));
}

TEST_F(RedisTransactionsTest, TracksWhatIsSaidWithOptin) {
  auto cache = connect();
  cache->ask("HELLO 3");
  EXPECT_EQ(cache->ask("CLIENT TRACKING on OPTIN"), kOk);
  ask("MSET a 1 b 1");
  EXPECT_EQ(cache->ask("GET a"), bulk("1"));
  EXPECT_EQ(cache->ask("CLIENT CACHING yes"), kOk);
  EXPECT_EQ(cache->ask("GET b"), bulk("1"));
  ask("MSET a 2 b 2");
  EXPECT_EQ(cache->reply(), invalidation("b"));
  EXPECT_EQ(cache->ask("PING"), "+PONG\r\n");
}

TEST_F(RedisTransactionsTest, NotifiesOfKeys) {
  expect("CONFIG SET notify-keyspace-events KEA", kOk);
  expect("CONFIG GET notify-keyspace-events",
         "*2\r\n" + bulk("notify-keyspace-events") + bulk("AKE"));
  EXPECT_TRUE(ask("CONFIG SET notify-keyspace-events Q").starts_with("-ERR CONFIG SET failed"));
  auto listener = connect();
  listener->ask("SUBSCRIBE __keyspace@0__:a");
  ask("SET a 1");
  EXPECT_EQ(listener->reply(), message("__keyspace@0__:a", "set"));
  ask("DEL a");
  EXPECT_EQ(listener->reply(), message("__keyspace@0__:a", "del"));
}

}  // namespace
}  // namespace edged::redis
