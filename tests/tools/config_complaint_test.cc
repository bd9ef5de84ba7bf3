// SPDX-License-Identifier: Apache-2.0
// How complaints about a configuration look on a terminal.
#include <gtest/gtest.h>

#include "tests/tools/config_fixture.h"

namespace edged::config {
namespace {

// A file of others must not move the cursor or turn the text of the terminal that shows the error.
TEST_F(ConfigTest, ComplaintsArePrintable) {
  const std::string keys = complaints(load("{\"n\\u001b[2J\": 1, \"a\\u202eb\": 2}"));
  EXPECT_NE(keys.find("n\\u001b[2J: unknown key"), keys.npos) << keys;
  EXPECT_NE(keys.find("a\\u202eb: unknown key"), keys.npos) << keys;
  EXPECT_EQ(complaints(load("{\x7f}")),
            "edged.jsonc:1:2: syntax error: unexpected control character\n");
}

}  // namespace
}  // namespace edged::config
