// SPDX-License-Identifier: Apache-2.0
// The bodies of bulk requests, and the answer of bulk reads.
#include <gtest/gtest.h>

#include "kvstore/http/bounded_json.h"
#include "kvstore/http/bulk_read.h"
#include "kvstore/http/bulk_write.h"

namespace edged::kv_http {
namespace {

const WallTime kNow = from_unix_ms(1'700'000'000'000);

Checked<std::vector<storage::Operation>> puts(std::string_view body) {
  return parse_bulk_put(boost::json::parse(body), 7, kNow);
}

std::string refusal(std::string_view body) {
  const auto parsed = puts(body);
  const auto* refused = std::get_if<Refusal>(&parsed);
  return refused == nullptr ? "" : std::to_string(refused->code) + " " + refused->text;
}

TEST(BulkPutTest, TakesEveryField) {
  const auto parsed = puts(
      R"([{"key":"a","value":"1"},{"key":"b","value":"AP8=","base64":true,"metadata":{"x":[1.5]},)"
      R"("expiration":1700000100,"expiration_ttl":60.0,"other":1},)"
      R"({"key":"c","value":"","metadata":null,"expiration":1700000060,"base64":null}])");
  const auto& operations = std::get<std::vector<storage::Operation>>(parsed);
  ASSERT_EQ(operations.size(), 3u);
  const auto& a = std::get<storage::Put>(operations[0]);
  EXPECT_EQ(a.ns, 7u);
  EXPECT_EQ(a.key + a.value + a.metadata, "a1");
  EXPECT_FALSE(a.expires_at || a.ttl);
  const auto& b = std::get<storage::Put>(operations[1]);
  EXPECT_EQ(b.value, std::string("\0\xFF", 2));
  EXPECT_EQ(b.metadata, "{\"x\":[1.5]}");
  EXPECT_EQ(b.ttl, std::chrono::seconds(60));
  EXPECT_FALSE(b.expires_at);
  const auto& c = std::get<storage::Put>(operations[2]);
  EXPECT_EQ(c.value + c.metadata, "");
  EXPECT_EQ(c.expires_at, from_unix_ms(1'700'000'060'000));
  EXPECT_EQ(std::get<std::vector<storage::Operation>>(puts("[]")).size(), 0u);
}

TEST(BulkPutTest, RefusesTheWholeForOneEntry) {
  const std::pair<std::string, std::string> cases[] = {
      {"{}", "10029 the body must be an array"},
      {"[1]", "10029 the body must be an array of objects"},
      {R"([{"value":"1"}])", "10029 each entry must have a key, and it must be a string"},
      {R"([{"key":1,"value":"1"}])", "10029 each entry must have a key, and it must be a string"},
      {R"([{"key":"a"}])", "10029 each entry must have a value, and it must be a string"},
      {R"([{"key":"a","value":1}])", "10029 each entry must have a value, and it must be a string"},
      {R"([{"key":"a","value":"x","base64":1}])", "10029 base64 must be true or false"},
      {R"([{"key":"","value":""}])", "10042 Key names must not be empty"},
      {R"([{"key":"..","value":""}])",
       "10042 Illegal key name \"..\". Please use a different name."},
      {R"([{"key":"ok","value":""},{"key":"k","value":"A*==","base64":true}])",
       "10012 could not base64 decode value for key: \"k\", err: 'illegal base64 data at input "
       "byte 1'"},
      {R"([{"key":"k","value":"QUI","base64":true}])",
       "10012 could not base64 decode value for key: \"k\", err: 'illegal base64 data at input "
       "byte 3'"},
      {R"([{"key":"k","value":"","expiration_ttl":30}])",
       "10034 Invalid expiration_ttl of 30. Expiration TTL must be at least 60."},
      {R"([{"key":"k","value":"","expiration_ttl":60.5}])",
       "10034 Invalid expiration_ttl of 60.5. Please specify integer greater than 0."},
      {R"([{"key":"k","value":"","expiration":1}])",
       "10033 Invalid expiration of 1. Please specify integer greater than the current number of "
       "seconds since the UNIX epoch."},
      {"[{\"key\":\"k\",\"value\":\"\",\"metadata\":\"" + std::string(1023, 'm') + "\"}]",
       "10047 Metadata length of 1025 exceeds limit of 1024."},
      {"[{\"key\":\"" + std::string(513, 'k') + "\",\"value\":\"\"}]",
       "10030 UTF-8 encoded length of 513 exceeds key length limit of 512."},
  };
  for (const auto& [body, text] : cases) EXPECT_EQ(refusal(body), text) << body.substr(0, 60);
}

TEST(BulkPutTest, BoundsTheEntries) {
  boost::json::array entries(10'000, boost::json::object{{"key", "k"}, {"value", ""}});
  const auto fits = parse_bulk_put(entries, 1, kNow);
  EXPECT_EQ(std::get<std::vector<storage::Operation>>(fits).size(), 10'000u);
  entries.push_back(entries.front());
  const auto more = parse_bulk_put(entries, 1, kNow);
  EXPECT_EQ(std::get<Refusal>(more).code, 10029);
}

TEST(BulkDeleteTest, TakesNames) {
  const auto parse = [](std::string_view body) {
    return parse_bulk_delete(boost::json::parse(body), 7);
  };
  const auto parsed = parse(R"(["a","b/c","a"])");
  const auto& operations = std::get<std::vector<storage::Operation>>(parsed);
  ASSERT_EQ(operations.size(), 3u);
  EXPECT_EQ(key_of(operations[1]), "b/c");
  for (const char* body : {"{}", "\"a\"", "[1]", "[{\"name\":\"a\"}]", "[\"\"]", "[\".\"]"}) {
    EXPECT_TRUE(std::holds_alternative<Refusal>(parse(body))) << body;
  }
}

std::string read_refusal(std::string_view body) {
  const auto parsed = parse_bulk_read(body);
  const auto* refused = std::get_if<Refusal>(&parsed);
  return refused == nullptr ? "" : refused->text;
}

TEST(BulkReadTest, ParsesRequests) {
  const auto parsed = parse_bulk_read(
      R"({"keys":["b","a","b"],"type":"json","withMetadata":true,"cacheTtl":"60"})");
  const auto& read = std::get<BulkRead>(parsed);
  EXPECT_EQ(read.keys, (std::vector<std::string>{"b", "a"}));
  EXPECT_TRUE(read.json && read.with_metadata);
  const auto plain = parse_bulk_read(R"({"keys":["a"]})");
  EXPECT_FALSE(std::get<BulkRead>(plain).json || std::get<BulkRead>(plain).with_metadata);
  EXPECT_EQ(read_refusal(R"({"keys":[]})"), "You must request a minimum of 1 key");
  std::string keys = "\"k\"";
  for (int i = 0; i < 99; ++i) keys += ",\"k\"";
  EXPECT_EQ(read_refusal("{\"keys\":[" + keys + "]}"), "");
  EXPECT_EQ(read_refusal("{\"keys\":[" + keys + ",\"k\"]}"),
            "You can request a maximum of 100 keys");
  EXPECT_EQ(read_refusal(R"({"keys":["a"],"type":"stream"})"),
            "\"stream\" is not a valid type. Use \"json\" or \"text\"");
  // Of several faults, the type is named.
  const std::vector<std::string> wrong_keys = {"", "\"\"", "1", keys + ",\"k\""};
  for (const std::string& wrong : wrong_keys) {
    EXPECT_EQ(read_refusal("{\"keys\":[" + wrong + "],\"type\":\"stream\"}"),
              "\"stream\" is not a valid type. Use \"json\" or \"text\"");
  }
  EXPECT_EQ(read_refusal(R"({"keys":["a"],"cacheTtl":"10"})"),
            "Invalid cache_ttl of 10. Cache TTL must be at least 30.");
  EXPECT_EQ(read_refusal(R"({"keys":["a",""]})"), "Key names must not be empty");
  for (const char* body : {"",
                           "[]",
                           "{",
                           "{}",
                           R"({"keys":"a"})",
                           R"({"keys":[1]})",
                           R"({"keys":["a"],"type":1})",
                           R"({"keys":["a"],"withMetadata":1})",
                           R"({"keys":["a"]} x)"}) {
    EXPECT_EQ(read_refusal(body), "invalid request") << body;
  }
  EXPECT_EQ(read_refusal(std::string(1'000'000, '[')), "invalid request");
}

storage::Entry entry(std::string value, std::string metadata = "") {
  storage::Entry one;
  one.value = std::move(value);
  one.metadata = std::move(metadata);
  return one;
}

std::string all_of(BulkReadAnswer& answer) {
  std::string text;
  for (std::string piece = answer.next(); !piece.empty(); piece = answer.next()) text += piece;
  return text;
}

TEST(BulkReadTest, AnswersInTheOrderOfTheKeys) {
  storage::Entry expiring = entry("v\n", "{\"a\": 1}");
  expiring.expires_at = from_unix_ms(1'700'000'000'500);
  const Status missing(Code::kNotFound, "no");
  BulkReadAnswer plain(
      {{"z", "__proto__", "a"}, false, false}, {expiring, missing, entry("")}, true);
  EXPECT_EQ(plain.check(), std::nullopt);
  EXPECT_EQ(all_of(plain), R"({"z":"v\n","__proto__":null,"a":""})");
  BulkReadAnswer with({{"z", "__proto__", "a"}, false, true}, {expiring, missing, entry("")}, true);
  EXPECT_EQ(all_of(with),
            R"({"z":{"value":"v\n","metadata":{"a":1},"expiration":1700000001},"__proto__":null,)"
            R"("a":{"value":"","metadata":null}})");
  BulkReadAnswer binding({{"z"}, false, true}, {expiring}, false);
  EXPECT_EQ(all_of(binding), R"({"z":{"value":"v\n","metadata":{"a":1}}})");
  BulkReadAnswer json({{"a", "b"}, true, false}, {entry("{\"x\": [1]}"), entry("null")}, false);
  EXPECT_EQ(json.check(), std::nullopt);
  EXPECT_EQ(all_of(json), R"({"a":{"x": [1]},"b":null})");
}

TEST(BulkReadTest, RefusesWhatIsNotOfTheType) {
  BulkReadAnswer text({{"a"}, false, false}, {entry("\xFF")}, false);
  EXPECT_EQ(text.check(), bulk_read_not_text());
  for (const char* value : {"", "x", "1 2", "{"}) {
    BulkReadAnswer json({{"a"}, true, false}, {entry(value)}, false);
    EXPECT_EQ(json.check(), bulk_read_not_json()) << value;
  }
  const std::string half(kBulkReadBytesMax / 2, 'v');
  BulkReadAnswer fits({{"a", "b"}, false, false}, {entry(half), entry(half)}, false);
  EXPECT_EQ(fits.check(), std::nullopt);
  BulkReadAnswer large({{"a", "b"}, false, false}, {entry(half), entry(half + "v")}, false);
  EXPECT_EQ(large.check(), bulk_read_too_large());
  BulkReadAnswer stale({{"a"}, false, false}, {Status(Code::kStale, "old")}, false);
  EXPECT_EQ(stale.error().code(), Code::kStale);
}

TEST(BulkReadTest, WritesALargeValueInPieces) {
  std::string value;
  while (value.size() < 2'000'000) value += "\u20AC\x01";
  BulkReadAnswer answer({{"a"}, false, false}, {entry(value)}, false);
  std::string text;
  std::size_t pieces = 0;
  for (std::string piece = answer.next(); !piece.empty(); piece = answer.next(), ++pieces) {
    EXPECT_LE(piece.size(), 400u * 1024);
    text += piece;
  }
  EXPECT_GT(pieces, 20u);
  EXPECT_EQ(boost::json::parse(text).at("a").as_string(), value);
}

TEST(BoundedJsonTest, BoundsTheMemory) {
  BoundedJson small(1 << 20);
  std::string body = "[";
  for (int i = 0; i < 100'000; ++i) body += "1,";
  Status fed = small.feed(body);
  EXPECT_EQ(fed.code(), Code::kTooLarge);
  BoundedJson large(64 << 20);
  ASSERT_TRUE(large.feed(body).ok());
  EXPECT_EQ(large.finish().code(), Code::kInvalidArgument);
}

TEST(BoundedJsonTest, ReadsPieces) {
  BoundedJson parser(1 << 20);
  for (const char c : std::string(R"( {"a" : ["\u20ac", 1.5e3, true]} )")) {
    ASSERT_TRUE(parser.feed(std::string(1, c)).ok());
  }
  const auto document = parser.finish();
  ASSERT_TRUE(document);
  EXPECT_EQ((*document)->at("a").as_array().size(), 3u);
  BoundedJson deep(1 << 20);
  EXPECT_EQ(deep.feed(std::string(513, '[')).code(), Code::kInvalidArgument);
  BoundedJson twice(1 << 20);
  EXPECT_EQ(twice.feed("1 2").code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace edged::kv_http
