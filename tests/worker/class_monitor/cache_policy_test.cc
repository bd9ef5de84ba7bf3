// SPDX-License-Identifier: Apache-2.0
// How long a state must live in the node so that the next run finds it.
#include "worker/class_monitor/cache_policy.h"

#include <gtest/gtest.h>

namespace edged::class_monitor {
namespace {

using namespace std::chrono_literals;

TEST(StateLifetimeTest, OutlivesTheNextTick) {
  const struct {
    std::vector<std::string> crons;
    std::chrono::milliseconds usual, expected;
  } cases[] = {
      {{}, 1h, 1h},
      {{"*/5 * * * *"}, 1h, 1h},
      {{"@every 2s"}, 1h, 1h},
      {{"0 * * * *"}, 1h, 75min},
      {{"0 */6 * * *"}, 1h, 6h + 15min},
      {{"0 */6 * * *"}, 12h, 12h},
      {{"*/5 * * * *", "0 3 * * *"}, 1h, 24h + 15min},
      {{"no cron"}, 1h, 1h},
  };
  const WallTime now = from_unix_ms(1'764'081'215'123);
  for (const auto& c : cases) {
    EXPECT_EQ(state_lifetime(c.usual, c.crons, worker::TimeZone(), now), c.expected)
        << (c.crons.empty() ? "no cron" : c.crons.back());
  }
}

}  // namespace
}  // namespace edged::class_monitor
