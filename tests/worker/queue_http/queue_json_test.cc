// SPDX-License-Identifier: Apache-2.0
// Requests of Cloudflare's Queues API, good and bad, and what is answered.
#include "worker/queue_http/queue_json.h"

#include <gtest/gtest.h>

#include <string>

#include "proto/base/base64.h"

namespace edged::queue {
namespace {

namespace json = boost::json;

template <typename Parse>
Code code_of(const std::string& text, Parse parse) {
  const Result<json::object> object = parse_object(text);
  if (!object) return object.error().code();
  const auto parsed = parse(*object);
  return parsed ? Code::kOk : parsed.error().code();
}

TEST(QueueJsonTest, ReadsMessages) {
  struct Case {
    const char* text;
    const char* body;
    const char* content_type;
    int delay_s;  // -1: none
  };
  for (const Case& one : {Case{R"({"body":{"a":1.5}})", R"({"a":1.5})", "json", -1},
                          Case{R"({"body":null,"delay_seconds":0})", "null", "json", 0},
                          Case{R"({"body":"x","content_type":"text"})", R"("x")", "text", -1},
                          Case{R"({"body":"AAE=","content_type":"bytes","delay_seconds":86400})",
                               R"("AAE=")",
                               "bytes",
                               86'400}}) {
    const Result<OutgoingMessage> message = parse_message(*parse_object(one.text));
    ASSERT_TRUE(message) << one.text;
    EXPECT_EQ(message->body, one.body);
    EXPECT_EQ(message->content_type, one.content_type);
    EXPECT_EQ(message->delay ? message->delay->count() / 1000 : -1, one.delay_s);
  }
}

TEST(QueueJsonTest, RefusesMessages) {
  for (const char* text : {"[]",
                           "{",
                           "1",
                           "\"\"",
                           "{}",
                           R"({"body":1,"content_type":"text"})",
                           R"({"body":1,"content_type":7})",
                           R"({"body":1,"content_type":"v8"})",
                           R"({"body":"%","content_type":"bytes"})",
                           R"({"body":1,"delay_seconds":-1})",
                           R"({"body":1,"delay_seconds":86401})",
                           R"({"body":1,"delay_seconds":1.5})",
                           R"({"body":1,"delay_seconds":"1"})",
                           R"({"body":1,"delay_seconds":99999999999999999999})"}) {
    EXPECT_EQ(code_of(text, parse_message), Code::kInvalidArgument) << text;
  }
  const std::string deep = R"({"body":)" + std::string(5000, '[') + std::string(5000, ']') + "}";
  EXPECT_EQ(code_of(deep, parse_message), Code::kInvalidArgument);
}

TEST(QueueJsonTest, HoldsTheLimitsOfSize) {
  const auto message = [](std::size_t bytes) {
    return R"({"content_type":"text","body":")" + std::string(bytes, 'x') + "\"}";
  };
  EXPECT_EQ(code_of(message(kMessageBytesMax), parse_message), Code::kOk);
  EXPECT_EQ(code_of(message(kMessageBytesMax + 1), parse_message), Code::kTooLarge);
  const auto batch = [&](std::size_t count, std::size_t bytes) {
    std::string text = R"({"messages":[)";
    for (std::size_t i = 0; i < count; ++i) text += (i > 0 ? "," : "") + message(bytes);
    return text + "]}";
  };
  EXPECT_EQ(code_of(batch(100, 1), parse_batch), Code::kOk);
  EXPECT_EQ(code_of(batch(101, 1), parse_batch), Code::kInvalidArgument);
  EXPECT_EQ(code_of(batch(2, 127'000), parse_batch), Code::kOk);
  EXPECT_EQ(code_of(batch(3, 127'000), parse_batch), Code::kTooLarge);
  for (const char* text : {"{}",
                           R"({"messages":[]})",
                           R"({"messages":{}})",
                           R"({"messages":[1]})",
                           R"({"messages":[{"body":1}],"delay_seconds":-1})"}) {
    EXPECT_EQ(code_of(text, parse_batch), Code::kInvalidArgument) << text;
  }
}

TEST(QueueJsonTest, ABatchsDelayIsThatOfMessagesWithout) {
  const auto messages = parse_batch(
      *parse_object(R"({"delay_seconds":9,"messages":[{"body":1},{"body":2,"delay_seconds":0}]})"));
  ASSERT_TRUE(messages);
  EXPECT_EQ((*messages)[0].delay, std::chrono::seconds(9));
  EXPECT_EQ((*messages)[1].delay, std::chrono::seconds(0));
}

TEST(QueueJsonTest, ReadsPulls) {
  const auto plain = parse_pull(*parse_object(" \n"));
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->batch_size, 5);
  EXPECT_FALSE(plain->visibility_timeout);
  const auto full =
      parse_pull(*parse_object(R"({"batch_size":100,"visibility_timeout_ms":43200000,"x":1})"));
  ASSERT_TRUE(full);
  EXPECT_EQ(full->batch_size, 100);
  EXPECT_EQ(full->visibility_timeout, QueuePull::kVisibilityTimeoutMax);
  for (const char* text : {R"({"batch_size":0})",
                           R"({"batch_size":101})",
                           R"({"batch_size":"5"})",
                           R"({"visibility_timeout_ms":0})",
                           R"({"visibility_timeout_ms":43200001})"}) {
    EXPECT_EQ(code_of(text, parse_pull), Code::kInvalidArgument) << text;
  }
}

TEST(QueueJsonTest, ReadsRefs) {
  const auto refs = parse_refs(*parse_object(R"({"refs":[{"ref":"a"},{"ref":"a","x":1}]})"));
  ASSERT_TRUE(refs);
  EXPECT_EQ(*refs, (std::vector<std::string>{"a", "a"}));
  std::string many = R"({"refs":[{"ref":"a"})";
  for (int i = 1; i < QueuePull::kBatchSizeMax; ++i) many += R"(,{"ref":"a"})";
  EXPECT_TRUE(parse_refs(*parse_object(many + "]}")));
  many += R"(,{"ref":"a"}]})";
  for (const std::string& text : {std::string("{}"),
                                  std::string(R"({"refs":[]})"),
                                  std::string(R"({"refs":"a"})"),
                                  std::string(R"({"refs":["a"]})"),
                                  std::string(R"({"refs":[{"ref":5}]})"),
                                  many}) {
    EXPECT_EQ(code_of(text, parse_refs), Code::kInvalidArgument) << text;
  }
}

TEST(QueueJsonTest, WritesMetrics) {
  EXPECT_EQ(describe_metrics(QueueBacklog()),
            (json::object{
                {"backlog_bytes", 0}, {"backlog_count", 0}, {"oldest_message_timestamp_ms", 0}}));
  QueueBacklog backlog;
  backlog.messages = 3;
  backlog.bytes = 5'000'000'000;
  backlog.oldest = from_unix_ms(1'767'225'600'123);
  EXPECT_EQ(describe_metadata(backlog),
            (json::object{{"metrics",
                           {{"backlog_bytes", 5'000'000'000},
                            {"backlog_count", 3},
                            {"oldest_message_timestamp_ms", 1'767'225'600'123}}}}));
}

TEST(QueueJsonTest, ReadsAcksAndRetries) {
  const auto settle = parse_settle(*parse_object(
      R"({"acks":[{"lease_id":"a"}],"retries":[{"lease_id":"b","delay_seconds":5},{"lease_id":"c"}]})"));
  ASSERT_TRUE(settle);
  EXPECT_EQ(settle->acks, std::vector<std::string>{"a"});
  ASSERT_EQ(settle->retries.size(), 2u);
  EXPECT_EQ(settle->retries[0].delay, std::chrono::seconds(5));
  EXPECT_FALSE(settle->retries[1].delay);
  for (const char* text : {"{}",
                           R"({"acks":1})",
                           R"({"acks":["a"]})",
                           R"({"acks":[{}]})",
                           R"({"retries":[{"lease_id":5}]})",
                           R"({"retries":[{"lease_id":"a","delay_seconds":-1}]})"}) {
    EXPECT_EQ(code_of(text, parse_settle), Code::kInvalidArgument) << text;
  }
}

TEST(QueueJsonTest, ReadsSettingsAndConsumers) {
  const auto change = parse_settings(*parse_object(
      R"({"settings":{"delivery_delay":5,"delivery_paused":true,"message_retention_period":60}})"));
  ASSERT_TRUE(change);
  EXPECT_EQ(change->delivery_delay, std::chrono::seconds(5));
  EXPECT_EQ(change->is_paused, true);
  EXPECT_EQ(change->message_retention, std::chrono::seconds(60));
  for (const char* text : {R"({"settings":1})",
                           R"({"settings":{"message_retention_period":59}})",
                           R"({"settings":{"delivery_paused":"no"}})"}) {
    EXPECT_EQ(code_of(text, parse_settings), Code::kInvalidArgument) << text;
  }
  const auto consumer = parse_consumer(*parse_object(
      R"({"type":"http_pull","dead_letter_queue":"d","settings":{"max_retries":0,"retry_delay":7}})"));
  ASSERT_TRUE(consumer);
  EXPECT_EQ(consumer->change.dead_letter_queue, "d");
  EXPECT_EQ(consumer->change.max_retries, 0);
  EXPECT_EQ(consumer->change.retry_delay, std::chrono::seconds(7));
  for (const char* text : {"{}",
                           R"({"type":"http_pull","settings":{"max_retries":101}})",
                           R"({"type":"http_pull","dead_letter_queue":1})"}) {
    EXPECT_EQ(code_of(text, parse_consumer), Code::kInvalidArgument) << text;
  }
}

TEST(QueueJsonTest, WritesBodiesAsCloudflareDoes) {
  Pulled pulled;
  for (const auto& [type, body] : {std::pair{"json", R"({"a": 1})"},
                                   std::pair{"text", R"("é\n")"},
                                   std::pair{"bytes", R"("AAE=")"}}) {
    PulledMessage one;
    one.lease_id = "lease";
    one.message.content_type = type;
    one.message.body = body;
    pulled.messages.push_back(one);
  }
  const json::object answer = describe_pulled(pulled);
  const json::array& messages = answer.at("messages").as_array();
  EXPECT_EQ(messages[0].at("body").as_string(), to_base64(R"({"a": 1})"));
  EXPECT_EQ(messages[1].at("body").as_string(), "é\n");
  EXPECT_EQ(messages[2].at("body").as_string(), "AAE=");
}

}  // namespace
}  // namespace edged::queue
