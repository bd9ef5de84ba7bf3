// SPDX-License-Identifier: Apache-2.0
#include "kvstore/server/storage_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <string>

namespace edged::server {
namespace {

using Length = StoragePool::Length;

TEST(StoragePoolTest, LongWorkLeavesAThreadToShortWork) {
  StoragePool pool(2, 100);
  std::promise<void> release, short_done;
  std::shared_future<void> released = release.get_future().share();
  std::atomic<int> started{0};
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(pool.post(&pool, Length::kLong, [&started, released] {
      ++started;
      released.wait();
    }));
  }
  ASSERT_TRUE(pool.post(&started, Length::kShort, [&] { short_done.set_value(); }));
  short_done.get_future().wait();
  EXPECT_LE(started.load(), 1);
  release.set_value();
}

// A single thread: one of each in turn.
TEST(StoragePoolTest, NeitherLengthStarvesTheOther) {
  std::string order;
  {
    StoragePool pool(1, 100);
    std::promise<void> release;
    std::shared_future<void> released = release.get_future().share();
    pool.post(&pool, Length::kShort, [released] { released.wait(); });
    for (int i = 0; i < 3; ++i) {
      pool.post(&pool, Length::kShort, [&order] { order += 's'; });
      pool.post(&pool, Length::kLong, [&order] { order += 'l'; });
    }
    release.set_value();
  }
  EXPECT_EQ(order, "lslsls");
}

TEST(StoragePoolTest, OwnersTakeTurns) {
  std::string order;
  {
    StoragePool pool(1, 100);
    std::promise<void> release;
    std::shared_future<void> released = release.get_future().share();
    pool.post(&pool, Length::kShort, [released] { released.wait(); });
    const int a = 0, b = 0;
    for (int i = 0; i < 3; ++i) pool.post(&a, Length::kShort, [&order] { order += 'a'; });
    pool.post(&b, Length::kShort, [&order] { order += 'b'; });
    release.set_value();
  }
  EXPECT_EQ(order, "abaa");
}

TEST(StoragePoolTest, IsBoundedButForThoseWithLittle) {
  StoragePool pool(1, 20);
  std::promise<void> release, begun;
  std::shared_future<void> released = release.get_future().share();
  pool.post(&release, Length::kShort, [&begun, released] {
    begun.set_value();
    released.wait();
  });
  begun.get_future().wait();
  int taken = 0;
  while (pool.post(&pool, Length::kShort, [] {})) ++taken;
  EXPECT_EQ(taken, 20);
  const int other = 0;
  EXPECT_TRUE(pool.post(&other, Length::kShort, [] {}));
  release.set_value();
}

TEST(StoragePoolTest, FinishesWhatIsQueued) {
  std::atomic<int> done{0};
  {
    StoragePool pool(4, 100);
    for (int i = 0; i < 50; ++i) {
      pool.post(&pool, i % 2 == 0 ? Length::kShort : Length::kLong, [&done] { ++done; });
    }
    for (int i = 0; i < 5; ++i) pool.post_always([&done] { ++done; });
  }
  EXPECT_EQ(done.load(), 55);
}

}  // namespace
}  // namespace edged::server
