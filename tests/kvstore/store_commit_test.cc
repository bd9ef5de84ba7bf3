// SPDX-License-Identifier: Apache-2.0
// Writes on the caller's thread (Store::commit): when they are answered and by whom, in which order
// writes of several threads become visible, and what is handed to the writer thread.
#include <gmock/gmock.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "tests/kvstore/store_fixture.h"

namespace edged::storage {
namespace {

// Remembers who answered what.
class Writes final : public WriteSet {
 public:
  void add(Operation operation, Durability durability = Durability::kWal) {
    Write write;
    write.operations.push_back(std::move(operation));
    write.durability = durability;
    add(std::move(write));
  }
  void add(Write write) { items.push_back({std::move(write), {}, {}}); }

  void done(Durability durability) override {
    const std::lock_guard lock(mutex_);
    (durability == Durability::kWal ? wal_ : sync_) = true;
    answered_by_ = std::this_thread::get_id();
    changed_.notify_all();
  }

  bool is_done(Durability durability) {
    const std::lock_guard lock(mutex_);
    return durability == Durability::kWal ? wal_ : sync_;
  }
  void wait(Durability durability) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return durability == Durability::kWal ? wal_ : sync_; });
  }
  std::thread::id answered_by() {
    const std::lock_guard lock(mutex_);
    return answered_by_;
  }
  Code code(std::size_t item) const {
    return items.at(item).status.ok() ? items.at(item).outcomes.at(0).code
                                      : items.at(item).status.code();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool wal_ = false, sync_ = false;
  std::thread::id answered_by_;
};

class StoreCommitTest : public StoreFixture {
 protected:
  std::string value_of(const std::string& key) {
    const auto entry = store_->get(ns_, key, ReadTier::kDisk);
    return entry ? entry->value : std::string(code_name(entry.code()));
  }
};

// Unless the writer thread is just about to end what it did before: then it takes them along.
TEST_F(StoreCommitTest, IsAnsweredOnTheCallersThreadBeforeItReturns) {
  open();
  bool here = false;
  for (int attempt = 0; attempt < 1000 && !here; ++attempt) {
    const auto writes = std::make_shared<Writes>();
    writes->add(put_of("a", "1"));
    writes->add(put_of("b", "2"));
    store_->commit(writes);
    here = writes->is_done(Durability::kWal) && writes->answered_by() == std::this_thread::get_id();
    writes->wait(Durability::kWal);
    ASSERT_EQ(writes->code(0), Code::kOk);
    EXPECT_LT(writes->items[0].outcomes[0].version, writes->items[1].outcomes[0].version);
    EXPECT_EQ(value_of("b"), "2");
  }
  EXPECT_TRUE(here);
}

TEST_F(StoreCommitTest, LaterWritesOfASetSeeTheEarlier) {
  open();
  const auto writes = std::make_shared<Writes>();
  Put absent = put_of("k", "first");
  absent.condition = Condition::kAbsent;
  writes->add(absent);
  absent.value = "second";
  writes->add(absent);
  writes->add(Delete{ns_, "k", Condition::kNone, 0});
  absent.value = "third";
  writes->add(absent);
  store_->commit(writes);
  writes->wait(Durability::kWal);
  EXPECT_EQ(writes->code(0), Code::kOk);
  EXPECT_EQ(writes->code(1), Code::kExists);
  EXPECT_EQ(writes->code(2), Code::kOk);
  EXPECT_EQ(writes->code(3), Code::kOk);
  EXPECT_EQ(value_of("k"), "third");
}

TEST_F(StoreCommitTest, WhatMustBeOnDiskIsNotTheCallersWork) {
  open();
  const auto writes = std::make_shared<Writes>();
  writes->add(put_of("wal", "1"));
  writes->add(put_of("sync", "2"), Durability::kSync);
  const std::uint64_t before = store_->stats().syncs;
  store_->commit(writes);
  writes->wait(Durability::kWal);
  writes->wait(Durability::kSync);
  EXPECT_NE(writes->answered_by(), std::this_thread::get_id());
  EXPECT_EQ(writes->code(1), Code::kOk);
  EXPECT_EQ(store_->stats().syncs, before + 1);
}

TEST_F(StoreCommitTest, RefusesSingleWritesAndTakesTheOthers) {
  open();
  const auto writes = std::make_shared<Writes>();
  writes->add(Write{});
  writes->add(put_of("k", "v"));
  Write unknown;
  unknown.operations.emplace_back(Put{ns_ + 1000, "k", "v", {}, {}, {}, {}, 0, 0, {}});
  writes->add(unknown);
  store_->commit(writes);
  writes->wait(Durability::kWal);
  EXPECT_EQ(writes->code(0), Code::kInvalidArgument);
  EXPECT_EQ(writes->code(1), Code::kOk);
  EXPECT_EQ(writes->code(2), Code::kNamespaceNotFound);

  const auto nothing = std::make_shared<Writes>();
  nothing->add(Write{});
  store_->commit(nothing);
  EXPECT_TRUE(nothing->is_done(Durability::kWal));
  EXPECT_EQ(nothing->code(0), Code::kInvalidArgument);
}

// A record that is on disk alone is read by the writer thread; what comes behind keeps its place.
TEST_F(StoreCommitTest, ReadingFromDiskIsNotTheCallersWork) {
  options_.hot_cache_bytes = 0;
  options_.memory_budget_bytes = 8ULL * 1024 * 1024;
  open();
  for (int i = 0; i < 3000; ++i) {
    put("cold" + std::to_string(i), std::string(4000, static_cast<char>('a' + i % 26)));
  }
  reopen();
  bool handed_over = false;
  for (int i = 0; i < 3000; i += 100) {
    const auto writes = std::make_shared<Writes>();
    Put present = put_of("cold" + std::to_string(i), "new");
    present.condition = Condition::kPresent;
    writes->add(present);
    const auto behind = std::make_shared<Writes>();
    behind->add(put_of("cold" + std::to_string(i), "newer"));
    store_->commit(writes);
    store_->commit(behind);
    writes->wait(Durability::kWal);
    behind->wait(Durability::kWal);
    handed_over = handed_over || writes->answered_by() != std::this_thread::get_id();
    ASSERT_EQ(writes->code(0), Code::kOk);
    ASSERT_EQ(value_of("cold" + std::to_string(i)), "newer");
  }
  EXPECT_TRUE(handed_over);
}

TEST_F(StoreCommitTest, LargeWritesAreNotTheCallersWork) {
  open();
  const auto large = std::make_shared<Writes>();
  large->add(put_of("large", std::string(1'000'000, 'x')));
  const auto behind = std::make_shared<Writes>();
  behind->add(put_of("large", "small"));
  store_->commit(large);
  store_->commit(behind);
  large->wait(Durability::kWal);
  behind->wait(Durability::kWal);
  EXPECT_NE(large->answered_by(), std::this_thread::get_id());
  EXPECT_EQ(value_of("large"), "small");
}

// Commits, submits and tasks of many threads at once: each is answered once, counters add up, and a
// thread's own writes keep their order.
TEST_F(StoreCommitTest, ManyThreadsAtOnce) {
  constexpr int kThreads = 4, kRounds = 300;
  open();
  std::atomic<int> answered{0}, disordered{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      Version last = 0;
      for (int i = 0; i < kRounds; ++i) {
        Add add;
        add.ns = ns_;
        add.key = "sum";
        add.delta = 1;
        if (t == 0 && i % 50 == 0) {
          EXPECT_TRUE(store_->create_namespace("n" + std::to_string(i), "")) << i;
        }
        if (i % 7 == 0) {
          store_->submit({{add}, Durability::kWal, false, {}}, [&](const auto& outcomes) {
            EXPECT_TRUE(outcomes);
            ++answered;
          });
          continue;
        }
        const auto writes = std::make_shared<Writes>();
        const Durability durability = i % 13 == 0 ? Durability::kSync : Durability::kWal;
        writes->add(add, durability);
        store_->commit(writes);
        writes->wait(durability);
        ASSERT_EQ(writes->code(0), Code::kOk);
        disordered += writes->items[0].outcomes[0].version <= last ? 1 : 0;
        last = writes->items[0].outcomes[0].version;
        ++answered;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  put("end", "");  // behind all that was submitted
  EXPECT_EQ(answered, kThreads * kRounds);
  EXPECT_EQ(disordered, 0);
  EXPECT_EQ(value_of("sum"), std::to_string(kThreads * kRounds));
}

TEST_F(StoreCommitTest, IsRefusedByAStoreForReadingOnly) {
  open();
  close();
  options_.read_only = true;
  auto opened = open_rocks_store(options_);
  ASSERT_TRUE(opened);
  const auto writes = std::make_shared<Writes>();
  writes->add(put_of("k", "v"));
  (*opened)->commit(writes);
  EXPECT_TRUE(writes->is_done(Durability::kWal));
  EXPECT_EQ(writes->code(0), Code::kDenied);
}

}  // namespace
}  // namespace edged::storage
