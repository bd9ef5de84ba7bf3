// SPDX-License-Identifier: Apache-2.0
#include "worker/queue_push/push_format.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace edged::queue {
namespace {

std::vector<PushMessage> three() {
  std::vector<PushMessage> messages(3);
  for (std::size_t i = 0; i < messages.size(); ++i) {
    messages[i] = {static_cast<std::int64_t>(i + 1), 1, from_unix_ms(1000), "json", "{}"};
  }
  return messages;
}

// "A", "R" or "R" with its delay in milliseconds for each message; "-" for a refused answer.
std::string read(std::string_view answer) {
  const auto decisions = parse_push_answer(answer, three());
  if (!decisions) {
    EXPECT_EQ(decisions.code(), Code::kCorruption);
    EXPECT_NE(decisions.error().message().find("answer with an empty body"), std::string::npos);
    return "-";
  }
  std::string text;
  for (const PushDecision& decision : *decisions) {
    text += decision.acked ? 'A' : 'R';
    if (decision.delay) text += std::to_string(decision.delay->count());
  }
  return text;
}

TEST(PushFormatTest, TheBodyIsJsonWithIdsAsText) {
  std::vector<PushMessage> messages(2);
  messages[0] = {
      9'223'372'036'854'775'807, 1, from_unix_ms(1'764'480'000'123), "json", "[1.50,null]"};
  messages[1] = {2, 7, from_unix_ms(0), "te\"xt", "\"\\u0000\xC3\xBC\""};
  const boost::json::value value = boost::json::parse(make_push_body("a\"b", messages));
  EXPECT_EQ(value.at("queue"), "a\"b");
  const boost::json::array& list = value.at("messages").as_array();
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list[0].at("id"), "9223372036854775807");
  EXPECT_EQ(list[0].at("attempts"), 1);
  EXPECT_EQ(list[0].at("timestamp_ms"), 1'764'480'000'123);
  EXPECT_EQ(list[0].at("body"), boost::json::parse("[1.5,null]"));
  EXPECT_EQ(list[1].at("content_type"), "te\"xt");
  EXPECT_EQ(list[1].at("attempts"), 7);
  EXPECT_EQ(make_push_body("q", {}), R"({"queue":"q","messages":[]})");
}

TEST(PushFormatTest, ReadsAcksAndRetries) {
  struct Case {
    const char* answer;
    const char* decisions;
  };
  for (const Case& one : {
           Case{"", "AAA"},
           Case{" \r\n", "AAA"},
           Case{"{}", "AAA"},
           Case{R"({"ok":true})", "AAA"},
           Case{R"({"acks":[]})", "RRR"},
           Case{R"({"retries":[]})", "AAA"},
           Case{R"({"acks":[{"id":"2"}]})", "RAR"},
           Case{R"({"retries":[{"id":"2"}]})", "ARA"},
           Case{R"({"retries":[{"id":3,"delay_seconds":30}]})", "AAR30000"},
           Case{R"({"retries":[{"id":3,"delay_seconds":0.25}]})", "AAR250"},
           Case{R"({"retries":[{"id":3,"delay_seconds":null}]})", "AAR"},
           Case{R"({"retries":[{"id":3,"delay_seconds":-5}]})", "AAR0"},
           Case{R"({"retries":[{"id":3,"delay_seconds":1e300}]})", "AAR86400000"},
           Case{R"({"acks":[{"id":"1"},{"id":"2"}],"retries":[{"id":"2","delay_seconds":1}]})",
                "AR1000R"},
           Case{R"({"acks":[{"id":"99"},{"id":1}],"retries":[{"id":"-7"}]})", "ARR"},
           Case{R"({"acks":[{"id":"1","x":1},{"id":"1"}],"more":[]})", "ARR"},
       }) {
    EXPECT_EQ(read(one.answer), one.decisions) << one.answer;
  }
}

TEST(PushFormatTest, RefusesWhatMayBeAnotherPagesAnswer) {
  for (const char* answer : {"OK",
                             "<!doctype html><html></html>",
                             "true",
                             "null",
                             "[]",
                             "\"\"",
                             "{",
                             "{}{}",
                             R"({"acks":{}})",
                             R"({"acks":null})",
                             R"({"acks":["1"]})",
                             R"({"acks":[{}]})",
                             R"({"acks":[{"id":"x"}]})",
                             R"({"acks":[{"id":1.5}]})",
                             R"({"acks":[{"id":null}]})",
                             R"({"retries":[{"id":"1","delay_seconds":"5"}]})",
                             "\xFF\xFE{}"}) {
    EXPECT_EQ(read(answer), "-") << answer;
  }
  EXPECT_EQ(read(std::string(100'000, '[')), "-");
}

}  // namespace
}  // namespace edged::queue
