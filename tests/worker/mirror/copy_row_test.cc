// SPDX-License-Identifier: Apache-2.0
#include "worker/mirror/copy_row.h"

#include <gtest/gtest.h>

namespace edged::mirror {
namespace {

using Fields = std::vector<std::optional<std::string>>;

TEST(CopyRowTest, TakesApartWhatCopySends) {
  const struct {
    std::string line;
    Fields fields;
  } cases[] = {
      {"a\n", {"a"}},
      {"\n", {""}},
      {"\\N\n", {std::nullopt}},
      {"1\t\\N\t\t\\\\N\n", {"1", std::nullopt, "", "\\N"}},
      {"\\b\\f\\n\\r\\t\\v\\\\\n", {"\b\f\n\r\t\v\\"}},
      {"x\\ty\tz\\n\n", {"x\ty", "z\n"}},
      {"\xc3\xa9\x01\n", {"\xc3\xa9\x01"}},
  };
  for (const auto& one : cases) {
    const auto row = parse_copy_row(one.line, one.fields.size());
    ASSERT_TRUE(row) << one.line << row.error().to_string();
    EXPECT_EQ(*row, one.fields) << one.line;
  }
  EXPECT_EQ(*parse_copy_row("\n", 0), Fields{});
}

TEST(CopyRowTest, RefusesWhatIsNoneOfItsRows) {
  const struct {
    std::string line;
    std::size_t columns;
  } cases[] = {{"", 1},
               {"a", 1},
               {"a\tb\n", 1},
               {"a\n", 2},
               {"a\n", 0},
               {"\\x41\n", 1},
               {"a\\\n", 1},
               {"\\101\n", 1},
               {"\\Nx\n", 1}};
  for (const auto& one : cases) {
    const auto row = parse_copy_row(one.line, one.columns);
    EXPECT_EQ(row.code(), Code::kCorruption) << one.line;
  }
}

}  // namespace
}  // namespace edged::mirror
