// SPDX-License-Identifier: Apache-2.0
#include "worker/queue/read_position.h"

#include <gtest/gtest.h>

namespace edged::queue {
namespace {

TEST(ReadPositionTest, WhatALookBackFindsIsNotSettledByBoundsTakenBefore) {
  ReadPosition position;
  position.advance(10);
  EXPECT_EQ(position.begin_look_back({100, 100}), 0);
  // Transaction 100 took position 50 and goes on; 101 took 51 and is over.
  position.advance(51);
  position.end_look_back(true);
  (void)position.begin_look_back({100, 102});
  position.end_look_back(true);
  EXPECT_LT(position.begin_look_back({100, 102}), 50);
  position.end_look_back(true);
  EXPECT_LT(position.begin_look_back({100, 102}), 50);
}

TEST(ReadPositionTest, SettlesWhatIsBeforeEveryTransaction) {
  ReadPosition position;
  position.advance(10);
  for (int i = 0; i < 3; ++i) {
    (void)position.begin_look_back({200, 200});
    position.end_look_back(true);
  }
  EXPECT_EQ(position.begin_look_back({200, 200}), 10);
}

TEST(ReadPositionTest, LooksBackToTheBeginningNowAndThen) {
  ReadPosition position;
  position.advance(10);
  int whole = 0;
  for (int i = 0; i < 1000; ++i) {
    whole += position.begin_look_back({200, 200}) == 0 ? 1 : 0;
    position.end_look_back(true);
  }
  EXPECT_GT(whole, 10);
  EXPECT_LT(whole, 50);
}

}  // namespace
}  // namespace edged::queue
