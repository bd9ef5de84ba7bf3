// SPDX-License-Identifier: Apache-2.0
// Owners of writes take turns (kvstore/storage/writer.h, proto/base/turn_queue.h).
#include <gmock/gmock.h>

#include <future>

#include "proto/base/turn_queue.h"
#include "tests/kvstore/store_fixture.h"

namespace edged::storage {
namespace {

TEST(TurnQueueTest, OwnersTakeTurnsAndKeepTheirOrder) {
  TurnQueue<std::string> queue;
  const int a = 0, b = 0, c = 0;
  for (const char* item : {"a1", "a2", "a3"}) queue.push(&a, item);
  for (const char* item : {"b1", "b2"}) queue.push(&b, item);
  EXPECT_EQ(queue.front(), "a1");
  std::string order = queue.pop();
  queue.push(&c, "c1");
  queue.push(&a, "a4");
  EXPECT_EQ(queue.size_of(&a), 3U);
  EXPECT_EQ(queue.size(), 6U);
  while (!queue.empty()) {
    const std::string next = queue.front();
    EXPECT_EQ(queue.pop(), next);
    order += next;
  }
  EXPECT_EQ(order, "a1b1a2c1b2a3a4");
  EXPECT_EQ(queue.size_of(&a), 0U);
}

TEST(TurnQueueTest, ATurnMayBeSeveralItems) {
  TurnQueue<std::string> queue(2);
  const int a = 0, b = 0;
  for (const char* item : {"a1", "a2", "a3", "a4", "a5"}) queue.push(&a, item);
  for (const char* item : {"b1", "b2", "b3"}) queue.push(&b, item);
  std::string order;
  while (!queue.empty()) order += queue.pop();
  EXPECT_EQ(order, "a1a2b1b2a3a4b3a5");
  queue.push(&b, "b4");
  queue.push(&a, "a6");
  EXPECT_EQ(queue.pop(), "b4");
  EXPECT_EQ(queue.pop(), "a6");
}

using StoreTurnsTest = StoreFixture;

TEST_F(StoreTurnsTest, AWriteDoesNotWaitForAllThatAnotherOwnerQueued) {
  constexpr std::size_t kFlood = 1000;
  open();
  std::promise<void> queued, last;
  std::vector<std::string> order;  // the writer's thread
  const auto submit = [&](const void* owner, const std::string& key, WriteCallback done) {
    Write write;
    write.operations.emplace_back(put_of(key, "v"));
    write.owner = owner;
    store_->submit(std::move(write), std::move(done));
  };
  // Answers are given on the thread that writes: nothing goes on until all wait.
  submit(nullptr, "first", [&](const auto&) { queued.get_future().wait(); });
  const int busy = 0, modest = 0;
  for (std::size_t i = 0; i < kFlood; ++i) {
    submit(&busy, "k", [&, i](const Result<std::vector<WriteOutcome>>& outcomes) {
      EXPECT_TRUE(outcomes);
      order.push_back(std::to_string(i));
      if (i + 1 == kFlood) last.set_value();
    });
  }
  submit(&modest, "m", [&](const auto&) { order.emplace_back("modest"); });
  queued.set_value();
  last.get_future().wait();
  ASSERT_EQ(order.size(), kFlood + 1);
  const auto place = std::find(order.begin(), order.end(), "modest");
  EXPECT_LT(place - order.begin(), 100);
  order.erase(place);
  for (std::size_t i = 0; i < kFlood; ++i) EXPECT_EQ(order[i], std::to_string(i));
}

}  // namespace
}  // namespace edged::storage
