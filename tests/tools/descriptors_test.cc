// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/descriptors.h"

#include <gtest/gtest.h>

namespace edged {
namespace {

TEST(DescriptorsTest, AHighLimitLowersNothing) {
  for (const std::size_t limit : {20'256u, 21'000u, 524'288u}) {
    const DescriptorPlan plan = plan_descriptors(limit);
    EXPECT_FALSE(plan.lowered) << limit;
    EXPECT_EQ(plan.binary_connections_max, 10'000u);
    EXPECT_EQ(plan.http_connections_max, 1000u);
    EXPECT_EQ(plan.engine_files_max, 0u);
  }
}

TEST(DescriptorsTest, SharesALowLimit) {
  for (const std::size_t limit : {192u, 256u, 1024u, 4096u, 12'000u, 20'255u}) {
    const DescriptorPlan plan = plan_descriptors(limit);
    EXPECT_TRUE(plan.lowered);
    EXPECT_LT(plan.binary_connections_max + 2 * plan.http_connections_max + plan.engine_files_max,
              limit - 63);
    EXPECT_GE(plan.engine_files_max, 32u);
    EXPECT_GE(plan.binary_connections_max, limit / 4);
  }
}

TEST(DescriptorsTest, AlwaysLeavesAFew) {
  for (const std::size_t limit : {0u, 1u, 63u, 64u, 100u}) {
    const DescriptorPlan plan = plan_descriptors(limit);
    EXPECT_GE(plan.binary_connections_max, 8u);
    EXPECT_GE(plan.http_connections_max, 8u);
    EXPECT_GE(plan.engine_files_max, 32u);
  }
}

TEST(DescriptorsTest, SaysWhatWouldHelp) {
  EXPECT_EQ(plan_descriptors(1024).to_string(1024),
            "the limit of 1024 descriptors leaves 600 binary and 60 connections to each HTTP "
            "address and 240 open tables; raise it (ulimit -n, LimitNOFILE=) to 20256 for 10000 "
            "and 1000");
}

}  // namespace
}  // namespace edged
