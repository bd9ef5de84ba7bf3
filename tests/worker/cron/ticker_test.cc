// SPDX-License-Identifier: Apache-2.0
// The ticker on a real executor with real timers; what it decides is tick_plan_test.cc's matter.
#include "worker/cron/ticker.h"

#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <stdexcept>

namespace edged::worker {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;

struct TickerTest : testing::Test {
  TickerOptions every_100_ms() {
    TickerOptions options;
    options.job = "job";
    options.schedules = {*Schedule::parse("@every 100ms", TimeZone())};
    return options;
  }
  // Runs the executor until it has nothing to do, which a ticker that stopped must bring about.
  bool run_to_end() {
    context.run_for(std::chrono::seconds(120));
    return context.stopped();
  }

  asio::io_context context;
  SystemClock clock;
  std::vector<WallTime> ticks;
};

TEST_F(TickerTest, CallsBackAtEachTickUntilStopped) {
  std::optional<Ticker> ticker;
  ticker.emplace(
      context.get_executor(), every_100_ms(), clock, [&](WallTime due_at) -> asio::awaitable<void> {
        EXPECT_GE(clock.wall_now(), due_at);
        ticks.push_back(due_at);
        if (ticks.size() == 3) ticker->stop();
        co_return;
      });
  EXPECT_GT(ticker->next_due(), clock.wall_now() - std::chrono::seconds(10));
  ticker->start();
  ASSERT_TRUE(run_to_end());
  ASSERT_EQ(ticks.size(), 3u);
  for (std::size_t i = 0; i < ticks.size(); ++i) {
    EXPECT_EQ(to_unix_ms(ticks[i]) % 100, 0);
    if (i > 0) {
      EXPECT_GE(ticks[i] - ticks[i - 1], milliseconds(100));
    }
  }
}

TEST_F(TickerTest, GoesOnAfterACallbackThatThrows) {
  std::optional<Ticker> ticker;
  ticker.emplace(
      context.get_executor(), every_100_ms(), clock, [&](WallTime due_at) -> asio::awaitable<void> {
        ticks.push_back(due_at);
        if (ticks.size() == 2) ticker->stop();
        throw std::runtime_error("on purpose");
        co_return;
      });
  ticker->start();
  ASSERT_TRUE(run_to_end());
  EXPECT_EQ(ticks.size(), 2u);
}

TEST_F(TickerTest, DestroyingItEndsItsSleep) {
  TickerOptions options;
  options.job = "job";
  options.schedules = {*Schedule::parse("@yearly", TimeZone())};
  std::optional<Ticker> ticker;
  ticker.emplace(
      context.get_executor(), std::move(options), clock, [](WallTime) -> asio::awaitable<void> {
        co_return;
      });
  ticker->start();
  asio::post(context, [&] { ticker.reset(); });
  EXPECT_TRUE(run_to_end());
}

TEST_F(TickerTest, RunsWhatWasMissedBeforeTheStart) {
  TickerOptions options;
  options.job = "job";
  options.misfire = Misfire::kLast;
  options.schedules = {*Schedule::parse("@yearly", TimeZone())};
  options.last_tick = clock.wall_now() - std::chrono::days(800);
  std::optional<Ticker> ticker;
  ticker.emplace(context.get_executor(),
                 std::move(options),
                 clock,
                 [&](WallTime due_at) -> asio::awaitable<void> {
                   ticks.push_back(due_at);
                   ticker->stop();
                   co_return;
                 });
  ticker->start();
  ASSERT_TRUE(run_to_end());
  ASSERT_EQ(ticks.size(), 1u);
  EXPECT_LT(clock.wall_now() - ticks[0], std::chrono::days(367));
}

}  // namespace
}  // namespace edged::worker
