// SPDX-License-Identifier: Apache-2.0
// Answers with a bad character: the fields beside it are read all the same.
#include "worker/upstream/answer_json.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <string>

#include "worker/upstream/json_source.h"
#include "worker/upstream/scraper_answer.h"

namespace edged::upstream {
namespace {

using namespace std::string_literals;

const std::string kReplaced = "\xEF\xBF\xBD";

struct BadText {
  std::string inside;                // between the quotes of a JSON string
  std::optional<std::string> reads;  // the field; nothing: unknown
};

std::vector<BadText> bad_texts() {
  return {
      {R"(a\ud83d)", "a" + kReplaced},
      {R"(\ud83d b)", kReplaced + " b"},
      {R"(\ude00)", kReplaced},
      {R"(\ude00\ud83d)", kReplaced + kReplaced},
      {R"(\ud83d\ud83d\ude00)", kReplaced + "😀"},
      {R"(\ud83d\ude00\ude00)", "😀" + kReplaced},
      {R"(\ud83dA)", kReplaced + "A"},
      {R"(\ud83d\n)", kReplaced + "\n"},
      {R"(\uD83D\uDE00)", "😀"},
      {"caf\xE9", "caf" + kReplaced},
      {"\xC0\xAF", kReplaced + kReplaced},
      {"\xED\xA0\xBD\xED\xB8\x80",
       kReplaced + kReplaced + kReplaced + kReplaced + kReplaced + kReplaced},
      {"\xF4\x90\x80\x80x", kReplaced + kReplaced + kReplaced + kReplaced + "x"},
      {"\xE2\x82", kReplaced + kReplaced},
      {"\xEF\xBF\xBE", "\xEF\xBF\xBE"},  // a noncharacter is text
      {"\xEF\xBB\xBFx", "\xEF\xBB\xBFx"},
      {"a\nb\tc\x01", "a\nb\tc\x01"},
      {R"(O\'Brien)", R"(O\'Brien)"},
      {R"(\x41)", R"(\x41)"},
      {R"(\u12)", R"(\u12)"},
      {R"(\uZZZZ)", R"(\uZZZZ)"},
      {R"(a\u0000b)", std::nullopt},
      {"a\0b"s, std::nullopt},
  };
}

TEST(AnswerJsonTest, ABadCharacterInTheTitleLeavesTheSeatsReadable) {
  for (const BadText& bad : bad_texts()) {
    const std::string members =
        R"("title":")" + bad.inside + R"(","seats_available":3,"instructor":"Jane Doe")";
    const auto seen = parse_scraper_answer(R"({"success":true,"data":{)" + members + "}}");
    ASSERT_TRUE(seen) << bad.inside << ": " << seen.error().to_string();
    EXPECT_EQ(seen->seats_available, 3) << bad.inside;
    EXPECT_EQ(seen->instructor, "Jane Doe") << bad.inside;
    EXPECT_EQ(seen->title, bad.reads) << bad.inside;
  }
}

TEST(AnswerJsonTest, PointersLeadThroughMembersBesideABadCharacter) {
  JsonReading reading;
  reading.fields.list = "/rows";
  reading.fields.class_nbr = "/nr";
  reading.fields.seats_available = "/seats/free";
  reading.fields.title = "/name";
  for (const BadText& bad : bad_texts()) {
    const std::string body = R"({")" + bad.inside + R"(":"x","rows":[{"nr":1,"name":")" +
                             bad.inside + R"("},{")" + bad.inside + R"(":[],"nr":2,"name":")" +
                             bad.inside + R"(","seats":{"free":3,")" + bad.inside + R"(":4}}]})";
    const auto seen = parse_json_answer(body, reading, {"2", "t"});
    ASSERT_TRUE(seen) << bad.inside << ": " << seen.error().to_string();
    EXPECT_EQ(seen->seats_available, 3) << bad.inside;
    EXPECT_EQ(seen->title, bad.reads) << bad.inside;
  }
}

TEST(AnswerJsonTest, WordsOfAFailureAreTextOfOneLine) {
  for (const BadText& bad : bad_texts()) {
    const auto gone = parse_scraper_answer(R"({"success":false,"error":")" + bad.inside + R"("})");
    ASSERT_FALSE(gone) << bad.inside;
    EXPECT_EQ(gone.code(), Code::kNotFound) << bad.inside;
    EXPECT_EQ(gone.error().message().find_first_of("\n\t\x01\0"s), std::string::npos) << bad.inside;
  }
  const auto cut =
      parse_scraper_answer(R"({"success":false,"error":")" + std::string(199, 'x') + R"(é"})");
  EXPECT_EQ(cut.error().message(),
            "the upstream has no such section: " + std::string(199, 'x') + "…");
  const auto object = parse_scraper_answer(R"({"success":false,"error":{"code":4.5}})");
  EXPECT_EQ(object.error().message(), R"(the upstream has no such section: {"code":4.5})");
}

TEST(AnswerJsonTest, AByteOrderMarkIsNoPartOfTheAnswer) {
  const auto seen = parse_scraper_answer(
      "\xEF\xBB\xBF"
      R"({"success":true,"data":{"seats_available":3}})");
  ASSERT_TRUE(seen) << seen.error().to_string();
  EXPECT_EQ(seen->seats_available, 3);
}

TEST(AnswerJsonTest, NumbersThatJsonOrADoubleDoesNotHaveAreUnknown) {
  for (const char* number : {"NaN",
                             "Infinity",
                             "-Infinity",
                             "1e999",
                             "-1e999",
                             "1e99999999999999999999",
                             "99999999999999999999999999999999",
                             "1e-999999999999"}) {
    const auto seen =
        parse_scraper_answer(R"({"success":true,"data":{"title":"NaN \ud83d","seats_available":)" +
                             std::string(number) + R"(,"seats_capacity":30}})");
    ASSERT_TRUE(seen) << number << ": " << seen.error().to_string();
    EXPECT_NE(seen->seats_available, 3) << number;
    EXPECT_EQ(seen->seats_capacity, 30) << number;
    EXPECT_EQ(seen->title, "NaN " + kReplaced) << number;
  }
}

TEST(AnswerJsonTest, DeepNestingBesideTheFieldsIsReadUpToABound) {
  const auto nested = [](std::size_t depth) {
    return R"({"success":true,"data":{"seats_available":3,"x":)" + std::string(depth, '[') +
           std::string(depth, ']') + "}}";
  };
  EXPECT_TRUE(parse_scraper_answer(nested(200)));
  const auto deep = parse_scraper_answer(nested(100'000));
  ASSERT_FALSE(deep);
  EXPECT_EQ(deep.code(), Code::kCorruption);
}

TEST(AnswerJsonTest, OfMembersWithOneNameTheLastCounts) {
  const auto seen = parse_scraper_answer(
      R"({"success":true,"data":{"seats_available":1,"title":"a","seats_available":3,"title":"b"}})");
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->seats_available, 3);
  EXPECT_EQ(seen->title, "b");
}

TEST(AnswerJsonTest, WiderCharactersAreRefusedWithTheReason) {
  const auto wide = [](std::string_view text, bool big_endian, std::string mark) {
    std::string out = std::move(mark);
    for (const char c : text) {
      if (big_endian) out += '\0';
      out += c;
      if (!big_endian) out += '\0';
    }
    return out;
  };
  for (const std::string& body : {wide("{}", false, "\xFF\xFE"),
                                  wide("{}", true, "\xFE\xFF"),
                                  wide("{}", false, ""),
                                  wide("{}", true, "")}) {
    const auto seen = parse_scraper_answer(body);
    ASSERT_FALSE(seen);
    EXPECT_EQ(seen.code(), Code::kCorruption);
    EXPECT_NE(seen.error().message().find("UTF-16 or UTF-32"), std::string::npos)
        << seen.error().message();
  }
}

TEST(AnswerJsonTest, WhatIsNoJsonStaysSo) {
  for (const std::string body : {"",
                                 " ",
                                 "{",
                                 R"({"success":true,"data":{"title":"a)",
                                 R"("\)",
                                 "<html>\xE9</html>",
                                 R"({"a":\ud83d})",
                                 "[1,,2]",
                                 "{} {}"}) {
    EXPECT_EQ(parse_answer_json(body).code(), Code::kCorruption) << body;
  }
}

}  // namespace
}  // namespace edged::upstream
