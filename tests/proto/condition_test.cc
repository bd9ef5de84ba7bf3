// SPDX-License-Identifier: Apache-2.0
#include "proto/net/condition.h"

#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <stdexcept>

#include "proto/net/spawn.h"

namespace edged::net {
namespace {

namespace asio = boost::asio;

class AsyncConditionTest : public ::testing::Test {
 protected:
  // An awaitable with a result, for run_until_done().
  asio::awaitable<int> wait_for(int wanted) {
    co_await changed_.wait([this, wanted] { return value_ >= wanted; });
    co_return value_;
  }
  asio::awaitable<void> count_to(int last) {
    while (value_ < last) {
      ++value_;
      changed_.notify_all();
      co_await asio::post(io_, asio::use_awaitable);
    }
  }

  asio::io_context io_{1};
  AsyncCondition changed_{io_.get_executor()};
  int value_ = 0;
};

TEST_F(AsyncConditionTest, ReturnsAtOnceIfTheConditionHolds) {
  value_ = 3;
  EXPECT_EQ(run_until_done(io_, wait_for(3)), 3);
}

TEST_F(AsyncConditionTest, WakesEachWaiterWhenItsConditionHolds) {
  std::vector<int> woken;
  const auto note = [&woken](int value) { woken.push_back(value); };
  spawn(io_, wait_for(4), note);
  spawn(io_, wait_for(2), note);
  spawn(io_, count_to(5));
  io_.run();
  ASSERT_EQ(woken.size(), 2U);
  EXPECT_GE(woken[0], 2);
  EXPECT_GE(woken[1], 4);
}

TEST_F(AsyncConditionTest, GivesUpAtTheDeadline) {
  const auto past = std::chrono::steady_clock::now();
  EXPECT_FALSE(run_until_done(io_, changed_.wait_until(past, [] { return false; })));
  EXPECT_TRUE(run_until_done(io_, changed_.wait_until(past, [] { return true; })));
  const auto soon = past + std::chrono::milliseconds(1);
  EXPECT_FALSE(run_until_done(io_, changed_.wait_until(soon, [] { return false; })));
}

TEST_F(AsyncConditionTest, MayGoWhileACoroutineWaits) {
  auto condition = std::make_unique<AsyncCondition>(io_.get_executor());
  spawn(io_, condition->wait([] { return false; }));
  io_.poll();
  condition.reset();
  io_.restart();
  EXPECT_EQ(io_.poll(), 0U);
}

TEST(SpawnTest, AnExceptionLeavesTheEventLoop) {
  asio::io_context io(1);
  auto fail = []() -> asio::awaitable<void> {
    throw std::runtime_error("out of resources");
    co_return;
  };
  spawn(io, fail());
  EXPECT_THROW(io.run(), std::runtime_error);
}

}  // namespace
}  // namespace edged::net
