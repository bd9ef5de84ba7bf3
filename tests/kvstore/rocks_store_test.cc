// SPDX-License-Identifier: Apache-2.0
// The store's contract (kvstore/storage/store.h) on RocksDB: expiry, conditions, versions,
// namespaces and bounds.
#include <gmock/gmock.h>

#include <atomic>
#include <future>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/kvstore/store_fixture.h"

namespace edged::storage {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Does not compress.
std::string noise(std::size_t bytes, int seed) {
  std::mt19937 random(static_cast<unsigned>(seed));
  std::string text(bytes, '\0');
  for (char& one : text) one = static_cast<char>(random());
  return text;
}

class RocksStoreTest : public StoreFixture {
 protected:
  void SetUp() override {
    StoreFixture::SetUp();
    open();
  }
};

TEST_F(RocksStoreTest, ReturnsWhatWasPut) {
  Put operation = put_of(std::string("k\0\xff", 3), std::string(100'000, 'v'));
  operation.metadata = R"({"a":1})";
  operation.expires_at = clock_.wall_now() + seconds(60);
  const WriteOutcome outcome = write(operation);
  ASSERT_EQ(outcome.code, Code::kOk) << outcome.message;
  const auto entry = store_->get(ns_, operation.key, ReadTier::kDisk);
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->value, operation.value);
  EXPECT_EQ(entry->metadata, operation.metadata);
  EXPECT_EQ(entry->expires_at, operation.expires_at);
  EXPECT_EQ(entry->version, outcome.version);
  EXPECT_EQ(get_code("absent"), Code::kNotFound);
  EXPECT_EQ(store_->get(ns_, operation.key, ReadTier::kMemory)->value, operation.value);
}

TEST_F(RocksStoreTest, ExpiresAtTheExactMillisecond) {
  put("k", "v", milliseconds(1500));
  clock_.advance(milliseconds(1499));
  EXPECT_EQ(value_of("k"), "v");
  clock_.advance(milliseconds(1));
  EXPECT_EQ(value_of("k"), "(none)");
  const auto page = store_->list({ns_, "", "", 10, false});
  ASSERT_TRUE(page);
  EXPECT_TRUE(page->items.empty());
  EXPECT_TRUE(page->complete);
}

TEST_F(RocksStoreTest, TtlWinsOverExpiresAt) {
  Put operation = put_of("k", "v");
  operation.ttl = seconds(10);
  operation.expires_at = clock_.wall_now() + seconds(1);
  write(operation);
  clock_.advance(seconds(5));
  EXPECT_EQ(value_of("k"), "v");
}

TEST_F(RocksStoreTest, AnExpiryInThePastStoresAbsence) {
  put("k", "old");
  Put operation = put_of("k", "new");
  operation.expires_at = clock_.wall_now();
  EXPECT_EQ(write(operation).code, Code::kOk);
  EXPECT_EQ(value_of("k"), "(none)");
}

TEST_F(RocksStoreTest, RefusesWhatIsOutOfBounds) {
  struct Case {
    const char* name;
    Put put;
    Code code;
  };
  std::vector<Case> cases{
      {"empty key", put_of("", "v"), Code::kInvalidArgument},
      {"key of 513 bytes", put_of(std::string(513, 'k'), "v"), Code::kTooLarge},
      {"key of 512 bytes", put_of(std::string(512, 'k'), "v"), Code::kOk},
      {"value above 25 MiB", put_of("k", std::string((25 << 20) + 1, 'v')), Code::kTooLarge},
      {"value of 25 MiB", put_of("k", std::string(25 << 20, 'v')), Code::kOk}};
  Put put = put_of("k", "v");
  put.metadata = std::string(1025, 'm');
  cases.push_back({"metadata of 1025 bytes", put, Code::kTooLarge});
  put.metadata.resize(1024);
  cases.push_back({"metadata of 1024 bytes", put, Code::kOk});
  put.ttl = milliseconds(0);
  cases.push_back({"ttl of zero", put, Code::kInvalidArgument});
  put.ttl = milliseconds::max();
  cases.push_back({"endless ttl", put, Code::kInvalidArgument});
  put.ttl.reset();
  put.expires_at = WallTime::max();
  cases.push_back({"endless expiry", put, Code::kInvalidArgument});
  put.expires_at = WallTime::min();
  cases.push_back({"expiry before all time", put, Code::kOk});
  put.expires_at.reset();
  put.ns = 999;
  cases.push_back({"unknown namespace", put, Code::kNamespaceNotFound});
  for (const Case& c : cases) EXPECT_EQ(write(c.put).code, c.code) << c.name;
}

TEST_F(RocksStoreTest, RefusesAWriteWithoutOrWithTooManyOperations) {
  for (const std::size_t count : {std::size_t{0}, std::size_t{10'001}}) {
    Code code = Code::kOk;
    Write refused;
    refused.operations.assign(count, put_of("k", "v"));
    store_->submit(std::move(refused), [&](auto result) { code = result.code(); });
    EXPECT_EQ(code, Code::kInvalidArgument) << count;
  }
}

TEST_F(RocksStoreTest, PutIfAbsentWinsOnceAndAgainAfterExpiry) {
  Put operation = put_of("k", "first");
  operation.condition = Condition::kAbsent;
  operation.ttl = seconds(1);
  const auto first = write(operation);
  EXPECT_EQ(first.code, Code::kOk);
  operation.value = "second";
  const auto second = write(operation);
  EXPECT_EQ(second.code, Code::kExists);
  EXPECT_EQ(second.version, first.version);
  clock_.advance(seconds(1));
  EXPECT_EQ(write(operation).code, Code::kOk);
  EXPECT_EQ(value_of("k"), "second");
}

TEST_F(RocksStoreTest, JudgesConditionsOfPutAndDelete) {
  Put operation = put_of("k", "v");
  operation.condition = Condition::kPresent;
  EXPECT_EQ(write(operation).code, Code::kNotFound);
  operation.condition = Condition::kVersion;
  EXPECT_EQ(write(operation).code, Code::kVersionMismatch);
  const auto stored = put("k", "v");
  operation.version = stored.version;
  const auto replaced = write(operation);
  EXPECT_EQ(replaced.code, Code::kOk);
  EXPECT_GT(replaced.version, stored.version);
  const auto late = write(operation);
  EXPECT_EQ(late.code, Code::kVersionMismatch);
  EXPECT_EQ(late.version, replaced.version);

  Delete del{ns_, "k", Condition::kVersion, stored.version};
  EXPECT_EQ(write(del).code, Code::kVersionMismatch);
  del.version = replaced.version;
  EXPECT_EQ(write(del).code, Code::kOk);
  EXPECT_EQ(value_of("k"), "(none)");
  EXPECT_EQ(write(del).code, Code::kNotFound);
  EXPECT_EQ(write(Delete{ns_, "k", Condition::kPresent, 0}).code, Code::kNotFound);
  EXPECT_EQ(write(Delete{ns_, "k", Condition::kNone, 0}).code, Code::kOk);
  EXPECT_EQ(write(Delete{ns_, "k", Condition::kAbsent, 0}).code, Code::kInvalidArgument);
}

TEST_F(RocksStoreTest, LaterOperationsSeeEarlierOnesOfTheSameWrite) {
  Put absent = put_of("k", "1");
  absent.condition = Condition::kAbsent;
  Put present = put_of("k", "2");
  present.condition = Condition::kPresent;
  Write batch;
  batch.operations = {
      absent, absent, present, Delete{ns_, "k", Condition::kPresent, 0}, present, absent};
  std::promise<std::vector<WriteOutcome>> promise;
  store_->submit(batch, [&](auto result) { promise.set_value(std::move(result).value()); });
  std::vector<Code> codes;
  for (const auto& outcome : promise.get_future().get()) codes.push_back(outcome.code);
  EXPECT_THAT(codes,
              ::testing::ElementsAre(
                  Code::kOk, Code::kExists, Code::kOk, Code::kOk, Code::kNotFound, Code::kOk));
  EXPECT_EQ(value_of("k"), "1");
}

TEST_F(RocksStoreTest, ExactlyOneOfManyPutIfAbsentWins) {
  constexpr int kThreads = 8;
  constexpr int kRounds = 200;
  std::atomic<int> winners{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int round = 0; round < kRounds; ++round) {
        Put operation = put_of("lock:" + std::to_string(round), "v");
        operation.condition = Condition::kAbsent;
        if (write(operation).code == Code::kOk) ++winners;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(winners.load(), kRounds);
}

TEST_F(RocksStoreTest, CompareAndSetLosesNoIncrement) {
  constexpr int kThreads = 4;
  constexpr int kIncrements = 100;
  put("n", "0");
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int done = 0; done < kIncrements;) {
        const auto entry = store_->get(ns_, "n", ReadTier::kDisk);
        Put operation = put_of("n", std::to_string(std::stoi(entry->value) + 1));
        operation.condition = Condition::kVersion;
        operation.version = entry->version;
        if (write(operation).code == Code::kOk) ++done;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(value_of("n"), std::to_string(kThreads * kIncrements));
}

TEST_F(RocksStoreTest, VersionsTellTheTimeAndGrowAcrossRestartsAndClocksGoingBack) {
  const auto first = put("a", "1");
  EXPECT_EQ(first.version / 1000, static_cast<Version>(to_unix_ms(clock_.wall_now())));
  Version last = first.version;
  for (int i = 0; i < 5; ++i) {
    clock_.step_wall(-hours(24));
    reopen();
    const auto next = put("a", "1");
    EXPECT_GT(next.version, last);
    last = next.version;
  }
}

TEST_F(RocksStoreTest, KeepsEntriesAndNamespacesAcrossARestart) {
  const auto second = store_->create_namespace("other", "00112233445566778899aabbccddeeff");
  ASSERT_TRUE(second);
  put("k", "v");
  Put operation = put_of("k", "other v");
  operation.ns = second->number;
  write(operation, Durability::kSync);
  reopen();
  EXPECT_EQ(value_of("k"), "v");
  const auto found = store_->find_namespace("other");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->id, second->id);
  EXPECT_EQ(found->created_at, second->created_at);
  EXPECT_EQ(store_->find_namespace(second->id)->number, second->number);
  EXPECT_EQ(store_->get(found->number, "k", ReadTier::kDisk)->value, "other v");
  EXPECT_GT(store_->create_namespace("third", "")->number, second->number);
}

TEST_F(RocksStoreTest, NamespaceIdsAndTitlesAreUniqueAndChecked) {
  const std::string id = "00112233445566778899aabbccddeeff";
  ASSERT_TRUE(store_->create_namespace("t", id));
  EXPECT_EQ(store_->create_namespace("t", "").code(), Code::kExists);
  EXPECT_EQ(store_->create_namespace("u", id).code(), Code::kExists);
  EXPECT_EQ(store_->create_namespace("", "").code(), Code::kInvalidArgument);
  EXPECT_EQ(store_->create_namespace(std::string(513, 't'), "").code(), Code::kInvalidArgument);
  EXPECT_EQ(store_->create_namespace("u", "0011").code(), Code::kInvalidArgument);
  EXPECT_EQ(store_->create_namespace("u", std::string(32, 'A')).code(), Code::kInvalidArgument);
  EXPECT_EQ(store_->find_namespace("nobody").code(), Code::kNamespaceNotFound);
}

TEST_F(RocksStoreTest, AFullQueueAnswersBusyOnTheCallersThread) {
  close();
  options_.queue_operations_max = 2;
  open();
  // The writer thread is held inside the first callback; two more operations fill the queue.
  std::promise<void> entered, release;
  Write write;
  write.operations = {put_of("a", "v")};
  store_->submit(write, [&](auto) {
    entered.set_value();
    release.get_future().wait();
  });
  entered.get_future().wait();
  std::atomic<int> acknowledged{0};
  const auto count = [&](auto result) { acknowledged += result ? 1 : 0; };
  store_->submit(write, count);
  store_->submit(write, count);
  Code code = Code::kOk;
  store_->submit(write, [&](auto result) { code = result.code(); });
  EXPECT_EQ(code, Code::kBusy);
  release.set_value();
  close();  // answers what is queued
  EXPECT_EQ(acknowledged.load(), 2);
}

TEST_F(RocksStoreTest, ASecondStoreOfTheSameDirectoryIsRefused) {
  const auto second = open_rocks_store(options_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.code(), Code::kUnavailable);
  EXPECT_EQ(second.error().message(),
            "could not open database \"" + options_.data_dir + "\": lock held by another process");
  put("k", "still works");
  EXPECT_EQ(value_of("k"), "still works");
}

TEST_F(RocksStoreTest, AReadOnlyStoreReadsAndRefusesWrites) {
  put("k", "v");
  close();
  options_.read_only = true;
  open();
  EXPECT_EQ(value_of("k"), "v");
  EXPECT_EQ(put("k", "w").code, Code::kDenied);
  EXPECT_EQ(store_->create_namespace("x", "").code(), Code::kDenied);
}

TEST_F(RocksStoreTest, StatsTellWhatHappened) {
  put("k", "v");
  write(put_of("k", "v"), Durability::kSync);
  const auto stats = store_->stats();
  EXPECT_EQ(stats.writes, 2U);
  EXPECT_EQ(stats.syncs, 1U);
  EXPECT_EQ(stats.write_groups, 2U);
  EXPECT_GT(stats.disk_bytes, 0U);
  EXPECT_THAT(stats.engine, ::testing::StartsWith("rocksdb "));
}

// RocksDB answers a read from memory OK, without bytes, if the table file is not open.
TEST_F(RocksStoreTest, ATableFileThatIsNotOpenIsNoDamage) {
  close();
  options_.open_files_max = 20;
  options_.memory_budget_bytes = 8ULL * 1024 * 1024;
  options_.hot_cache_bytes = 0;
  open();
  const auto name = [](int i) { return "k" + std::to_string(i); };
  constexpr int kKeys = 1500;
  for (int i = 0; i < kKeys; ++i) ASSERT_EQ(put(name(i), noise(20'000, i)).code, Code::kOk);
  reopen();  // opens few of the table files
  int in_memory = 0;
  for (int i = 0; i < kKeys; i += 7) {
    const auto read = store_->get(ns_, name(i), ReadTier::kMemory);
    ASSERT_TRUE(read || read.code() == Code::kBusy) << read.error().to_string();
    in_memory += read ? 1 : 0;
    const auto many = store_->get_many(ns_, {name(i)}, ReadTier::kMemory);
    ASSERT_TRUE(many[0] || many[0].code() == Code::kBusy) << many[0].error().to_string();
  }
  EXPECT_LT(in_memory, kKeys / 7) << "all was in memory, so nothing was tried";
  for (int i = 0; i < kKeys; i += 7) {
    ASSERT_EQ(put(name(i), "new").code, Code::kOk)
        << "its record must be found, not taken for damage";
    EXPECT_EQ(store_->get(ns_, name(i), ReadTier::kDisk)->value, "new");
  }
}

}  // namespace
}  // namespace edged::storage
