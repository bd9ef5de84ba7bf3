// SPDX-License-Identifier: Apache-2.0
#include "kvstore/operations/storage_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <utility>

namespace edged::operations {
namespace {

using Length = StoragePool::Length;

TEST(StoragePoolTest, ShortWorkDoesNotWaitForLongWorkNorLongForShort) {
  for (const std::size_t threads : {1U, 2U, 4U}) {
    StoragePool pool(threads, 100);
    for (const auto& [blocking, other] :
         {std::pair{Length::kLong, Length::kShort}, std::pair{Length::kShort, Length::kLong}}) {
      std::promise<void> release, other_done;
      std::shared_future<void> released = release.get_future().share();
      for (int i = 0; i < 10; ++i) {
        ASSERT_TRUE(pool.post(&pool, blocking, [released] { released.wait(); }));
      }
      ASSERT_TRUE(pool.post(&other_done, other, [&] { other_done.set_value(); }));
      other_done.get_future().wait();
      release.set_value();
    }
  }
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

TEST(StoragePoolTest, WhatIsNeverRefusedHasItsOwnersTurnToo) {
  std::string order;
  {
    StoragePool pool(1, 100);
    std::promise<void> release;
    std::shared_future<void> released = release.get_future().share();
    pool.post(&pool, Length::kLong, [released] { released.wait(); });
    const int a = 0, b = 0;
    for (int i = 0; i < 3; ++i) pool.post_always(&a, [&order] { order += 'a'; });
    pool.post_always(&b, [&order] { order += 'b'; });
    release.set_value();
  }
  EXPECT_EQ(order, "abaa");
}

TEST(StoragePoolTest, FinishesWhatIsQueued) {
  std::atomic<int> done{0};
  {
    StoragePool pool(4, 100);
    for (int i = 0; i < 50; ++i) {
      pool.post(&pool, i % 2 == 0 ? Length::kShort : Length::kLong, [&done] { ++done; });
    }
    for (int i = 0; i < 5; ++i) pool.post_always(&pool, [&done] { ++done; });
  }
  EXPECT_EQ(done.load(), 55);
}

}  // namespace
}  // namespace edged::operations
