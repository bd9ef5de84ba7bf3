// SPDX-License-Identifier: Apache-2.0
// Bounds on work under way, concurrent callers, and stopping while work is under way.
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "tests/kvstore/operations/operations_fixture.h"
#include "tests/support/memory_store.h"

namespace edged::operations {
namespace {

using storage::Entry;

// A store whose disk can be stopped.
class SlowStore final : public test::MemoryStore {
 public:
  using MemoryStore::MemoryStore;

  Result<Entry> get(storage::NamespaceNumber ns,
                    std::string_view key,
                    storage::ReadTier tier,
                    storage::Reader reader = storage::Reader::kAnyone) const override {
    if (tier == storage::ReadTier::kDisk) {
      std::unique_lock lock(mutex_);
      ++waiting_;
      changed_.notify_all();
      changed_.wait(lock, [this] { return !stopped_; });
    }
    return MemoryStore::get(ns, key, tier, reader);
  }

  void stop_disk() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  void release_disk() {
    const std::lock_guard lock(mutex_);
    stopped_ = false;
    changed_.notify_all();
  }
  void wait_for_readers(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return waiting_ >= count; });
  }

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  mutable int waiting_ = 0;
  bool stopped_ = false;
};

class OperationsBoundsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ns_ = store_.create_namespace("default", "")->number;
    store_.only_disk = true;
  }
  void start(OperationsOptions options) {
    operations_.emplace(store_, nullptr, registry_, options);
    caller_.emplace(*operations_->identify(Face::kRest, std::nullopt));
  }
  std::future<Result<Entry>> begin_get(const std::string& key) {
    auto promise = std::make_shared<std::promise<Result<Entry>>>();
    operations_->get(*caller_, ns_, key, 1000, [promise](Result<Entry> read) {
      promise->set_value(std::move(read));
    });
    return promise->get_future();
  }
  using Written = Result<std::vector<storage::WriteOutcome>>;
  std::future<Written> begin_put(std::size_t value_bytes) {
    storage::Put put;
    put.ns = ns_;
    put.key = "key";
    put.value.assign(value_bytes, 'v');
    storage::Write write;
    write.operations.emplace_back(std::move(put));
    auto promise = std::make_shared<std::promise<Written>>();
    operations_->write(*caller_, std::move(write), [promise](Written written) {
      promise->set_value(std::move(written));
    });
    return promise->get_future();
  }

  SystemClock clock_;
  SlowStore store_{clock_};
  MetricsRegistry registry_;
  std::optional<Operations> operations_;
  std::optional<Caller> caller_;
  storage::NamespaceNumber ns_ = 0;
};

TEST_F(OperationsBoundsTest, AnOverloadedNodeSaysBusy) {
  OperationsOptions options;
  options.work.under_way_max = 3;
  start(options);
  store_.stop_disk();
  std::vector<std::future<Result<Entry>>> reads;
  for (int i = 0; i < 4; ++i) reads.push_back(begin_get("key"));
  EXPECT_EQ(begin_get("key").get().code(), Code::kBusy);
  EXPECT_EQ(begin_put(1).get().code(), Code::kBusy);
  store_.release_disk();
  for (auto& read : reads) EXPECT_EQ(read.get().code(), Code::kNotFound);
  EXPECT_EQ(begin_get("key").get().code(), Code::kNotFound);
  EXPECT_TRUE(begin_put(1).get());
}

TEST_F(OperationsBoundsTest, TheQueueForTheDiskIsBounded) {
  OperationsOptions options;
  options.work.storage_threads = 1;
  options.work.storage_queue_max = 20;
  start(options);
  store_.stop_disk();
  std::vector<std::future<Result<Entry>>> reads;
  reads.push_back(begin_get("key"));
  store_.wait_for_readers(1);
  for (int i = 0; i < 20; ++i) reads.push_back(begin_get("key"));
  EXPECT_EQ(begin_get("key").get().code(), Code::kBusy);
  EXPECT_EQ(operations_->work().under_way()->value(), 21U);
  store_.release_disk();
  for (auto& read : reads) EXPECT_EQ(read.get().code(), Code::kNotFound);
}

TEST_F(OperationsBoundsTest, WritesUnderWayHoldBoundedMemory) {
  OperationsOptions options;
  options.write_bytes_max = 10'000;
  start(options);
  store_.hold_writes();
  auto large = begin_put(20'000);  // alone: taken
  EXPECT_EQ(begin_put(1).get().code(), Code::kBusy);
  store_.release_writes();
  EXPECT_TRUE(large.get());
  auto after = begin_put(1);
  EXPECT_TRUE(after.get());
}

TEST_F(OperationsBoundsTest, OpenStreamsAreBounded) {
  OperationsOptions options;
  options.streams_max = 2;
  start(options);
  ASSERT_TRUE(begin_put(1000).get());
  const auto open = [this] {
    return wait_for<std::shared_ptr<ValueStream>>(
        [&](auto done) { operations_->open_value(*caller_, ns_, "key", done); });
  };
  auto first = open();
  const auto second = open();
  ASSERT_TRUE(first && second);
  EXPECT_EQ(open().code(), Code::kBusy);
  first = Status(Code::kNotFound, "dropped");
  EXPECT_TRUE(open());
}

TEST_F(OperationsBoundsTest, StopAnswersWhatIsUnderWayAndRefusesTheRest) {
  start({});
  ASSERT_TRUE(begin_put(1000).get());
  const auto stream = wait_for<std::shared_ptr<ValueStream>>(
      [&](auto done) { operations_->open_value(*caller_, ns_, "key", done); });
  store_.stop_disk();
  store_.hold_writes();
  std::vector<std::future<Result<Entry>>> reads;
  for (int i = 0; i < 10; ++i) reads.push_back(begin_get("key"));
  auto put = begin_put(1);
  std::thread stopping([this] { operations_->stop(); });
  while (begin_get("key").wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
    std::this_thread::yield();
  }
  EXPECT_EQ(begin_get("key").get().code(), Code::kUnavailable);
  EXPECT_EQ(begin_put(1).get().code(), Code::kUnavailable);
  EXPECT_EQ(wait_for<std::string>([&](auto done) { (*stream)->read(done); }).code(),
            Code::kUnavailable);
  store_.release_disk();
  store_.release_writes();
  stopping.join();
  for (auto& read : reads) {
    ASSERT_EQ(read.wait_for(std::chrono::seconds(0)), std::future_status::ready);
    EXPECT_TRUE(read.get());
  }
  ASSERT_EQ(put.wait_for(std::chrono::seconds(0)), std::future_status::ready);
  EXPECT_TRUE(put.get());
}

class OperationsThreadsTest : public OperationsFixture {};

TEST_F(OperationsThreadsTest, ManyThreadsMayCallAtOnce) {
  const Caller caller = caller_with({access::Scope::kRead, access::Scope::kWrite});
  constexpr int kThreads = 4, kRounds = 40;
  const std::string large(200'000, 'L');
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kRounds; ++i) {
        std::string key = "key";
        key += std::to_string(t * 1000 + i);
        wrong += write_one(caller, put_of(key, key)) == Code::kOk ? 0 : 1;
        const auto entry = get(caller, key);
        wrong += entry && entry->value == key ? 0 : 1;
        if (i % 10 != 0) continue;
        const auto upload = begin_upload(caller, key);
        wrong += upload && append(**upload, large) == Code::kOk ? 0 : 1;
        const auto put =
            upload ? put_upload(**upload) : Result<storage::WriteOutcome>(upload.error());
        wrong += put && put->code == Code::kOk ? 0 : 1;
        const auto stream = open_value(caller, key);
        wrong += stream && read(**stream) ? 0 : 1;
      }
    });
  }
  std::thread changing([this] {
    for (int i = 0; i < 20; ++i) {
      access::Grant grant;
      grant.name = "passing";
      grant.scopes = {access::Scope::kRead};
      const auto made = table_->create(grant);
      if (made) (void)table_->revoke(made->token.grant.id);
    }
  });
  for (std::thread& thread : threads) thread.join();
  changing.join();
  EXPECT_EQ(wrong.load(), 0);
  EXPECT_EQ(operations_->work().under_way()->value(), 0U);
}

}  // namespace
}  // namespace edged::operations
