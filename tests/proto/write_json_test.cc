// SPDX-License-Identifier: Apache-2.0
// JSON text as people and scripts expect it: above all its numbers.
#include "proto/json/write_json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

namespace edged {
namespace {

TEST(WriteJsonTest, WritesNumbersWithoutAnExponent) {
  const struct {
    double number;
    std::string text;
  } cases[] = {
      {1.027, "1.027"},
      {0, "0"},
      {-0.5, "-0.5"},
      {250, "250"},
      {0.1, "0.1"},
      {1e-6, "0.000001"},
      {123456789.125, "123456789.125"},
      {1e20, "100000000000000000000"},
      {1.0 / 3, "0.3333333333333333"},
      {1e21, "1e+21"},
      {1.5e-7, "1.5e-07"},
      {std::numeric_limits<double>::max(), "1.7976931348623157e+308"},
      {std::numeric_limits<double>::quiet_NaN(), "null"},
      {-std::numeric_limits<double>::infinity(), "null"},
  };
  for (const auto& c : cases) EXPECT_EQ(write_json_number(c.number), c.text);
}

TEST(WriteJsonTest, WritesEveryKindOfValueWithNumbersAtAnyDepth) {
  const boost::json::value value = {
      {"seconds", 1.027},
      {"list", {1, 2.5, nullptr, true, "a\"b\n", boost::json::object{{"deep", 0.25}}}},
      {"largest", std::numeric_limits<std::uint64_t>::max()},
      {"empty", boost::json::object()}};
  const std::string text = R"({"seconds":1.027,"list":[1,2.5,null,true,"a\"b\n",{"deep":0.25}],)"
                           R"("largest":18446744073709551615,"empty":{}})";
  EXPECT_EQ(write_json(value), text);
  EXPECT_EQ(write_json(value.as_object()), text);
  EXPECT_EQ(write_json(value.as_object().at("list").as_array()),
            R"([1,2.5,null,true,"a\"b\n",{"deep":0.25}])");
  EXPECT_EQ(write_json_string("a\"b"), R"("a\"b")");
}

TEST(WriteJsonTest, MillisecondsAsSecondsComeBackAsTheyWereWritten) {
  for (int ms = 0; ms < 100'000; ++ms) {
    std::string expected = std::to_string(ms / 1000);
    std::string fraction = std::to_string(1000 + ms % 1000).substr(1);
    while (!fraction.empty() && fraction.back() == '0') fraction.pop_back();
    if (!fraction.empty()) expected += "." + fraction;
    const std::string written = write_json_number(std::round(ms) / 1000);
    ASSERT_EQ(written, expected);
    ASSERT_EQ(write_json(boost::json::parse(written)), expected);
  }
}

}  // namespace
}  // namespace edged
