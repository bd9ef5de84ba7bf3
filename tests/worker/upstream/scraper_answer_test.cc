// SPDX-License-Identifier: Apache-2.0
// The answer parser as a table: what each spelling of a field means, and what is no answer at all.
#include "worker/upstream/scraper_answer.h"

#include <gtest/gtest.h>

#include <string>

namespace edged::upstream {
namespace {

std::string with_data(const std::string& members) {
  return R"({"success":true,"data":{)" + members + "}}";
}

TEST(ScraperAnswerTest, ReadsEveryField) {
  const auto seen = parse_scraper_answer(with_data(
      R"("subject":"CSE","catalog_nbr":"310","title":"Data Structures","instructor":"Jane Doe",)"
      R"("seats_available":3,"seats_capacity":120,"non_reserved_seats":2,"location":"BYAC 110",)"
      R"("meeting_times":"MW 9:00","surplus":[1])"));
  ASSERT_TRUE(seen) << seen.error().to_string();
  EXPECT_EQ(seen->subject, "CSE");
  EXPECT_EQ(seen->catalog_nbr, "310");
  EXPECT_EQ(seen->title, "Data Structures");
  EXPECT_EQ(seen->instructor, "Jane Doe");
  EXPECT_EQ(seen->seats_available, 3);
  EXPECT_EQ(seen->seats_capacity, 120);
  EXPECT_EQ(seen->non_reserved_seats, 2);
  EXPECT_EQ(seen->location, "BYAC 110");
  EXPECT_EQ(seen->meeting_times, "MW 9:00");
}

TEST(ScraperAnswerTest, EmptyDataIsAllUnknown) {
  const auto seen = parse_scraper_answer(with_data(""));
  ASSERT_TRUE(seen);
  EXPECT_FALSE(seen->subject || seen->catalog_nbr || seen->title || seen->instructor ||
               seen->location || seen->meeting_times);
  EXPECT_FALSE(seen->seats_available || seen->seats_capacity || seen->non_reserved_seats);
}

TEST(ScraperAnswerTest, JudgesNumbersAlone) {
  const struct {
    const char* json;
    std::optional<std::int64_t> expected;
  } cases[] = {
      {"0", 0},
      {"-3", -3},
      {"1000000", 1'000'000},
      {"1000001", std::nullopt},
      {"-1000001", std::nullopt},
      {"9223372036854775807", std::nullopt},
      {"18446744073709551615", std::nullopt},
      {"99999999999999999999999999", std::nullopt},
      {"3.0", 3},
      {"3.5", std::nullopt},
      {"1e300", std::nullopt},
      {R"("12")", 12},
      {R"(" 12 ")", 12},
      {R"("-1")", -1},
      {R"("")", std::nullopt},
      {R"(" ")", std::nullopt},
      {R"("12 seats")", std::nullopt},
      {R"("0x10")", std::nullopt},
      {R"("1.5")", std::nullopt},
      {R"("99999999999999999999")", std::nullopt},
      {"null", std::nullopt},
      {"true", std::nullopt},
      {"[3]", std::nullopt},
      {"{}", std::nullopt},
  };
  for (const auto& c : cases) {
    const std::string number(c.json);
    const auto seen =
        parse_scraper_answer(with_data(R"("title":"T","seats_capacity":7,"seats_available":)" +
                                       number + R"(,"non_reserved_seats":)" + number));
    ASSERT_TRUE(seen) << c.json << ": " << seen.error().to_string();
    EXPECT_EQ(seen->seats_available, c.expected) << c.json;
    EXPECT_EQ(seen->non_reserved_seats, c.expected) << c.json;
    EXPECT_EQ(seen->seats_capacity, 7) << c.json;
    EXPECT_EQ(seen->title, "T") << c.json;
  }
}

TEST(ScraperAnswerTest, JudgesStringsAlone) {
  const struct {
    std::string json;
    std::optional<std::string> text;        // any field but the instructor
    std::optional<std::string> instructor;  // the instructor
  } cases[] = {
      {R"("Staff")", "Staff", "Staff"},
      {R"(" x ")", " x ", " x "},
      {R"("Jos\u00e9")", "José", "José"},
      {R"("")", std::nullopt, ""},
      {R"(" \t\n")", std::nullopt, ""},
      {R"("a\u0000b")", std::nullopt, std::nullopt},
      {"null", std::nullopt, std::nullopt},
      {"310", std::nullopt, std::nullopt},
      {"true", std::nullopt, std::nullopt},
      {R"(["x"])", std::nullopt, std::nullopt},
      {"\"" + std::string(4096, 'x') + "\"", std::string(4096, 'x'), std::string(4096, 'x')},
      {"\"" + std::string(4097, 'x') + "\"", std::nullopt, std::nullopt},
  };
  for (const auto& c : cases) {
    const auto seen = parse_scraper_answer(
        with_data(R"("seats_available":1,"instructor":)" + c.json + R"(,"title":)" + c.json +
                  R"(,"location":)" + c.json + R"(,"meeting_times":)" + c.json));
    ASSERT_TRUE(seen) << c.json << ": " << seen.error().to_string();
    EXPECT_EQ(seen->instructor, c.instructor) << c.json;
    EXPECT_EQ(seen->title, c.text) << c.json;
    EXPECT_EQ(seen->location, c.text) << c.json;
    EXPECT_EQ(seen->meeting_times, c.text) << c.json;
    EXPECT_EQ(seen->seats_available, 1) << c.json;
  }
}

TEST(ScraperAnswerTest, SuccessFalseIsNotFoundWithTheWords) {
  const auto gone = parse_scraper_answer(R"({"success":false,"error":"Section 1 not\nfound"})");
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.code(), Code::kNotFound);
  EXPECT_EQ(gone.error().message(), "the upstream has no such section: Section 1 not found");
  for (const char* body : {R"({"success":false})",
                           R"({"success":false,"error":null})",
                           R"({"success":false,"error":" ","data":{"title":"x"}})"}) {
    const auto silent = parse_scraper_answer(body);
    ASSERT_FALSE(silent) << body;
    EXPECT_EQ(silent.code(), Code::kNotFound) << body;
    EXPECT_EQ(silent.error().message(), "the upstream has no such section: no reason given");
  }
}

TEST(ScraperAnswerTest, WhatCannotBeUnderstoodIsCorruption) {
  const std::string deep = with_data("\"title\":" + std::string(100'000, '['));
  for (const std::string& body : {std::string(),
                                  std::string("<html>busy</html>"),
                                  std::string("null"),
                                  std::string("[]"),
                                  std::string("{}"),
                                  std::string(R"({"success":"true","data":{}})"),
                                  std::string(R"({"success":1,"data":{}})"),
                                  std::string(R"({"success":null})"),
                                  std::string(R"({"success":true})"),
                                  std::string(R"({"success":true,"data":null})"),
                                  std::string(R"({"success":true,"data":[]})"),
                                  std::string(R"({"success":true,"data":{"title":"cut)"),
                                  std::string(R"({"success":true,"data":{}} trailing)"),
                                  deep}) {
    const auto answer = parse_scraper_answer(body);
    ASSERT_FALSE(answer) << body.substr(0, 80);
    EXPECT_EQ(answer.code(), Code::kCorruption) << body.substr(0, 80);
  }
}

TEST(ScraperAnswerTest, EveryPrefixOfAnAnswerIsCorruption) {
  const std::string whole = with_data(R"("title":"Ünï","seats_available":12)");
  ASSERT_TRUE(parse_scraper_answer(whole));
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const auto answer = parse_scraper_answer(std::string_view(whole).substr(0, length));
    ASSERT_FALSE(answer) << length;
    EXPECT_EQ(answer.code(), Code::kCorruption) << length;
  }
}

}  // namespace
}  // namespace edged::upstream
