// SPDX-License-Identifier: Apache-2.0
#include "kvstore/redis/text_numbers.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

namespace edged::redis {
namespace {

TEST(TextNumbersTest, ReadsIntegersInOneFormOnly) {
  EXPECT_EQ(to_integer("0"), 0);
  EXPECT_EQ(to_integer("-1"), -1);
  EXPECT_EQ(to_integer("9223372036854775807"), 9223372036854775807LL);
  EXPECT_EQ(to_integer("-9223372036854775808"), INT64_MIN);
  for (const char* bad :
       {"", "-", "-0", "007", "+1", " 1", "1 ", "1.0", "9223372036854775808", "x"}) {
    EXPECT_FALSE(to_integer(bad)) << bad;
  }
}

TEST(TextNumbersTest, ReadsAndWritesNumbersWithAFraction) {
  EXPECT_EQ(float_text(*to_float("3.0") + *to_float("1.0e2")), "103");
  EXPECT_EQ(float_text(*to_float("10.5") + *to_float("0.1")), "10.6");
  EXPECT_EQ(float_text(*to_float("5.0e3")), "5000");
  EXPECT_EQ(float_text(*to_float("-0")), "0");
  EXPECT_TRUE(std::isinf(*to_float("inf")));
  for (const char* bad : {"", " 1", "1 ", "nan", "1x", "1e9999"})
    EXPECT_FALSE(to_float(bad)) << bad;
  EXPECT_FALSE(to_float(std::string("1\0", 2)));
}

TEST(TextNumbersTest, MatchesGlobs) {
  struct Case {
    const char* pattern;
    const char* text;
    bool matches;
  };
  for (const Case& one : {Case{"*", "", true},
                          {"*", "abc", true},
                          {"a*c", "abbc", true},
                          {"a*c", "abbd", false},
                          {"a?c", "abc", true},
                          {"a?c", "ac", false},
                          {"[a-c]x", "bx", true},
                          {"[^a-c]x", "bx", false},
                          {"[c-a]x", "bx", true},
                          {"[abc", "b", true},
                          {"\\*", "*", true},
                          {"\\*", "a", false},
                          {"a**b*", "axxbyy", true},
                          {"", "", true},
                          {"", "a", false},
                          {"user:*:[0-9]", "user:ab:7", true}}) {
    EXPECT_EQ(matches_glob(one.pattern, one.text), one.matches) << one.pattern << " " << one.text;
  }
}

TEST(TextNumbersTest, MatchesAHostilePatternSoon) {
  std::string pattern;
  for (int i = 0; i < 100; ++i) pattern += "*a";
  EXPECT_FALSE(matches_glob(pattern + "b", std::string(50'000, 'a')));
}

TEST(TextNumbersTest, FindsThePrefixOfEveryMatch) {
  EXPECT_EQ(glob_prefix("user:*"), "user:");
  EXPECT_EQ(glob_prefix("a\\*b?"), "a*b");
  EXPECT_EQ(glob_prefix("*"), "");
  EXPECT_EQ(glob_prefix("plain"), "plain");
  EXPECT_EQ(glob_prefix("a[bc]"), "a");
}

}  // namespace
}  // namespace edged::redis
