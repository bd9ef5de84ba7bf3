// SPDX-License-Identifier: Apache-2.0
// Numbers, durations and sizes are read strictly or refused.
#include "proto/base/numbers.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>

#include "proto/base/units.h"

namespace edged {
namespace {

// What no kind of number is.
constexpr const char* kNever[] = {"",    " ",   "x",     "0x10",  "010",  "00",       "+1",   " 1",
                                  "1 ",  "1e3", "1.0",   "1.",    ".5",   "1,0",      "1_0",  "--1",
                                  "-",   "- 1", "1-",    "nan",   "inf",  "infinity", "0b11", "1\t",
                                  "1\n", "०",   "1 000", "\"1\"", "1'000"};

// "1.0s" and "1 s" are quantities.
bool has_meaning_before_a_unit(std::string_view number) {
  return number == "1.0" || number == "1 ";
}

template <typename T>
T value_or(const Result<T>& result, T fallback) {
  return result ? *result : fallback;
}

TEST(NumbersTest, ReadsWholeNumbersExactly) {
  EXPECT_EQ(value_or<std::int64_t>(parse_int64("0"), -1), 0);
  EXPECT_EQ(value_or<std::int64_t>(parse_int64("-7"), 0), -7);
  EXPECT_EQ(value_or<std::int64_t>(parse_int64("9223372036854775807"), 0),
            std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(value_or<std::int64_t>(parse_int64("-9223372036854775808"), 0),
            std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(value_or<std::uint64_t>(parse_uint64("18446744073709551615"), 0),
            std::numeric_limits<std::uint64_t>::max());
}

TEST(NumbersTest, RefusesEveryOtherForm) {
  for (const char* text : kNever) {
    SCOPED_TRACE(text);
    EXPECT_EQ(parse_int64(text).code(), Code::kInvalidArgument);
    EXPECT_EQ(parse_uint64(text).code(), Code::kInvalidArgument);
  }
  for (const char* text : {"9223372036854775808", "-9223372036854775809", "99999999999999999999"}) {
    EXPECT_NE(parse_int64(text).error().message().find("out of range"), std::string::npos) << text;
  }
  for (const char* text : {"-1", "-0", "18446744073709551616"}) {
    EXPECT_EQ(parse_uint64(text).code(), Code::kInvalidArgument) << text;
  }
}

TEST(NumbersTest, HoldsToTheRange) {
  EXPECT_TRUE(parse_uint64("64", 0, 64));
  EXPECT_EQ(parse_uint64("65", 0, 64).error().message(),
            "\"65\" is out of range: 0 to 64 is allowed");
  EXPECT_FALSE(parse_int64("0", 1, 5));
}

TEST(UnitsTest, ReadsDurationsExactly) {
  using std::chrono::milliseconds;
  const std::pair<const char*, std::int64_t> cases[] = {{"0ms", 0},
                                                        {"250ms", 250},
                                                        {"5s", 5'000},
                                                        {"0.25s", 250},
                                                        {"1.5m", 90'000},
                                                        {"1h", 3'600'000},
                                                        {"1 h", 3'600'000},
                                                        {"7d", 604'800'000},
                                                        {"36525d", 3'155'760'000'000}};
  for (const auto& [text, ms] : cases) {
    EXPECT_EQ(value_or(parse_duration(text), milliseconds(-1)), milliseconds(ms)) << text;
  }
}

TEST(UnitsTest, RefusesDurationsThatAreNotExact) {
  for (const char* number : kNever) {
    if (has_meaning_before_a_unit(number)) continue;
    for (const char* unit : {"", "s", "ms"}) {
      EXPECT_FALSE(parse_duration(std::string(number) + unit)) << number << unit;
    }
  }
  for (const char* text : {"5",
                           "5sec",
                           "5S",
                           "5s ",
                           "1h30m",
                           "-5s",
                           "0.5ms",
                           "0.0001s",
                           "1.2345678s",
                           "36526d",
                           "99999999999999999999s",
                           "18446744073709551615ms",
                           "nans",
                           "infs",
                           "1e3s",
                           "010s"}) {
    EXPECT_EQ(parse_duration(text).code(), Code::kInvalidArgument) << text;
  }
}

TEST(UnitsTest, ReadsSizesExactly) {
  const std::pair<const char*, std::uint64_t> cases[] = {{"0", 0},
                                                         {"4096", 4096},
                                                         {"1B", 1},
                                                         {"64KiB", 65536},
                                                         {"1.5GiB", 1610612736},
                                                         {"0.1GiB", 107374182},
                                                         {"1KB", 1000},
                                                         {"8192TiB", 9007199254740992}};
  for (const auto& [text, bytes] : cases) {
    EXPECT_EQ(value_or(parse_size(text), ~std::uint64_t{0}), bytes) << text;
  }
}

TEST(UnitsTest, RefusesSizesThatAreNotExact) {
  for (const char* number : kNever) {
    if (has_meaning_before_a_unit(number)) continue;
    EXPECT_FALSE(parse_size(std::string(number) + "MiB")) << number;
  }
  for (const char* text : {"",
                           "-1",
                           "-1MiB",
                           "1.5",
                           "0.5B",
                           "1kb",
                           "1M",
                           "1Mib",
                           "1MiB ",
                           "8193TiB",
                           "99999999999999999999",
                           "16777216TiB",
                           "1e3",
                           "0x10",
                           "010",
                           "nan"}) {
    EXPECT_EQ(parse_size(text).code(), Code::kInvalidArgument) << text;
  }
}

}  // namespace
}  // namespace edged
