// SPDX-License-Identifier: Apache-2.0
// Bodies of queue `email` that anybody may have written.
#include "worker/mail/letter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/base/rfc3339.h"

namespace edged::mail {
namespace {

using ::testing::HasSubstr;

TEST(LetterTest, ReadsEveryField) {
  const Result<Letter> letter = parse_letter(
      R"({"key":"w.seat_available.7","to":"a@b.example","kind":"class-monitor",
          "from":"F <f@b.example>","url":"https://u.example","data":{"run_id":3},
          "valid_until":"2026-01-31T12:00:00Z"})",
      5);
  ASSERT_TRUE(letter) << letter.error().to_string();
  EXPECT_EQ(letter->key, "w.seat_available.7");
  EXPECT_EQ(letter->recipient, "a@b.example");
  EXPECT_EQ(letter->kind, "class-monitor");
  EXPECT_EQ(letter->from, "F <f@b.example>");
  EXPECT_EQ(letter->url, "https://u.example");
  EXPECT_EQ(letter->valid_until, parse_rfc3339("2026-01-31T12:00:00Z"));
  EXPECT_EQ(letter->data.at("run_id").as_int64(), 3);
  EXPECT_EQ(letter->message_id, 5);
}

TEST(LetterTest, TakesContentInPlaceOfAKind) {
  const Result<Letter> letter = parse_letter(
      R"({"to":"a@b.example","subject":"S","text":"T","html":"<p>","headers":{"X-A":"1"}})", 41);
  ASSERT_TRUE(letter) << letter.error().to_string();
  EXPECT_EQ(letter->key, "m.41");
  EXPECT_EQ(letter->content.subject, "S");
  EXPECT_EQ(letter->content.text, "T");
  EXPECT_EQ(letter->content.html, "<p>");
  ASSERT_EQ(letter->content.headers.size(), 1U);
  EXPECT_EQ(letter->content.headers[0].second, "1");
}

struct BrokenCase {
  const char* name;
  const char* body;
  const char* reason;
};

class BrokenLetterTest : public ::testing::TestWithParam<BrokenCase> {};

TEST_P(BrokenLetterTest, IsRefusedWithItsReason) {
  const Result<Letter> letter = parse_letter(GetParam().body, 1);
  ASSERT_FALSE(letter);
  EXPECT_EQ(letter.code(), Code::kInvalidArgument);
  EXPECT_THAT(letter.error().message(), HasSubstr(GetParam().reason));
}

constexpr BrokenCase kBroken[] = {
    {"Empty", "", "not a JSON object"},
    {"Array", "[]", "not a JSON object"},
    {"Null", "null", "not a JSON object"},
    {"Cut", R"({"to":"a@b.example")", "not a JSON object"},
    {"NoRecipient", R"({"text":"x"})", "\"to\" is missing"},
    {"RecipientsAsArray", R"({"to":["a@b.example"],"text":"x"})", "\"to\" must be a string"},
    {"NoContent", R"({"to":"a@b.example","subject":"x"})", "neither \"kind\" nor"},
    {"KeyWithBlank", R"({"to":"a@b.example","text":"x","key":"a b"})", "Message-ID"},
    {"KeyWithLineEnd", R"({"to":"a@b.example","text":"x","key":"a\r\nBcc: x"})", "Message-ID"},
    {"KeyWithAt", R"({"to":"a@b.example","text":"x","key":"a@b"})", "Message-ID"},
    {"Time", R"({"to":"a@b.example","text":"x","valid_until":"soon"})", "a time like"},
    {"Data", R"({"to":"a@b.example","kind":"k","data":[]})", "\"data\" must be an object"},
    {"Headers", R"({"to":"a@b.example","text":"x","headers":{"a":1}})", "object of strings"},
    {"Nul", R"({"to":"a@b.example","text":"x\u0000"})", "without a NUL"},
};

INSTANTIATE_TEST_SUITE_P(Bodies,
                         BrokenLetterTest,
                         ::testing::ValuesIn(kBroken),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(LetterTest, DeepNestingIsRefusedNotFollowed) {
  const std::string body = R"({"to":"a@b.example","kind":"k","data":)" + std::string(100'000, '[');
  EXPECT_FALSE(parse_letter(body, 1));
}

}  // namespace
}  // namespace edged::mail
