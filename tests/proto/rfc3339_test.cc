// SPDX-License-Identifier: Apache-2.0
#include "proto/base/rfc3339.h"

#include <gtest/gtest.h>

namespace edged {
namespace {

TEST(Rfc3339Test, ParsesTimes) {
  const struct {
    const char* text;
    const char* utc;
  } cases[] = {
      {"2026-11-24T14:33:35Z", "2026-11-24T14:33:35.000Z"},
      {"2026-11-24T14:33:35.5Z", "2026-11-24T14:33:35.500Z"},
      {"2026-11-24T14:33:35.123456+00:00", "2026-11-24T14:33:35.123Z"},
      {"2026-11-24 07:33:35-07", "2026-11-24T14:33:35.000Z"},
      {"2026-11-24T20:03:35+05:30", "2026-11-24T14:33:35.000Z"},
  };
  for (const auto& test : cases) {
    const std::optional<WallTime> time = parse_rfc3339(test.text);
    ASSERT_TRUE(time) << test.text;
    EXPECT_EQ(format_rfc3339(*time), test.utc) << test.text;
  }
  for (const char* text : {"",
                           "2026",
                           "2026-13-01T00:00:00Z",
                           "2026-02-30T00:00:00Z",
                           "2026-11-24T24:00:00Z",
                           "2026-11-24T14:33:35",
                           "2026-11-24T14:33:35Zx",
                           "2026-11-24T14:33:35+99:00"}) {
    EXPECT_EQ(parse_rfc3339(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace edged
