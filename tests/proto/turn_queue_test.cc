// SPDX-License-Identifier: Apache-2.0
// Owners take turns (proto/base/turn_queue.h).
#include "proto/base/turn_queue.h"

#include <gtest/gtest.h>

#include <string>

namespace edged {
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

}  // namespace
}  // namespace edged
