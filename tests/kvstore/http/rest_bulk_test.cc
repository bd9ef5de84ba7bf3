// SPDX-License-Identifier: Apache-2.0
// Bulk writes, deletes and reads over the REST face.
#include <atomic>

#include "kvstore/http/bulk_write.h"
#include "kvstore/http/kv_rules.h"
#include "tests/kvstore/http/rest_fixture.h"

namespace edged::kv_http {
namespace {

using RestBulkTest = RestFixture;

json::object counts(std::size_t written) {
  return {{"successful_key_count", written}, {"unsuccessful_keys", json::array{}}};
}

TEST_F(RestBulkTest, WritesEntriesInOrder) {
  const std::string body =
      R"([{"key":"a","value":"1"},{"key":"b","value":"AP8=","base64":true,"metadata":{"x":1},)"
      R"("expiration_ttl":60},{"key":"a","value":"2"}])";
  EXPECT_EQ(request("PUT", in_ns("/bulk"), body).result(), json::value(counts(3)));
  EXPECT_EQ(get(value_path("a")).body, "2");
  EXPECT_EQ(get(value_path("b")).body, std::string("\0\xFF", 2));
  EXPECT_EQ(get(in_ns("/metadata/b")).result(), json::value(json::object{{"x", 1}}));
  EXPECT_TRUE(get(value_path("b")).headers.contains("expiration"));
  EXPECT_EQ(request("PUT", in_ns("/bulk"), "[]").result(), json::value(counts(0)));
}

TEST_F(RestBulkTest, StoresNothingIfAnEntryIsInvalid) {
  const std::pair<std::string, std::string> cases[] = {
      {R"([{"key":"a","value":"1"},{"key":"k","value":"*","base64":true}])",
       "400 10012 bulk put: 'could not base64 decode value for key: \"k\", err: 'illegal base64 "
       "data at input byte 0''"},
      {R"([{"key":"a","value":"1"},{"key":"","value":""}])",
       "400 10042 bulk put: 'Key names must not be empty'"},
      {R"([{"key":"a","value":"1"},{"key":"b","value":"","expiration_ttl":1}])",
       "400 10034 bulk put: 'Invalid expiration_ttl of 1. Expiration TTL must be at least 60.'"},
      {R"({"key":"a","value":"1"})", "400 10029 bulk put: 'the body must be an array'"},
  };
  for (const auto& [body, error] : cases) {
    EXPECT_EQ(request("PUT", in_ns("/bulk"), body).error(), error);
  }
  const Answer broken = request("PUT", in_ns("/bulk"), R"([{"key":"a","value":"1"})");
  EXPECT_EQ(broken.status, 400);
  EXPECT_NE(broken.error().find("10029 bulk put: 'the body is not JSON"), std::string::npos);
  EXPECT_EQ(get(value_path("a")).status, 404);
}

TEST_F(RestBulkTest, DeletesInBothForms) {
  for (const char* key : {"a", "b", "c", "d"}) put(key, "v");
  EXPECT_EQ(request("DELETE", in_ns("/bulk"), R"(["a","missing"])").result(),
            json::value(counts(2)));
  EXPECT_EQ(request("POST", in_ns("/bulk/delete"), R"(["b","b"])").result(),
            json::value(counts(2)));
  EXPECT_EQ(get(in_ns("/keys")).info().at("count").to_number<int>(), 2);
  EXPECT_EQ(request("POST", in_ns("/bulk/delete"), R"(["c",""])").error(),
            "400 10042 bulk remove keys: 'Key names must not be empty'");
  EXPECT_EQ(request("POST", in_ns("/bulk/delete"), R"([{"name":"c"}])").error(),
            "400 10029 bulk remove keys: 'the body must be an array of key names'");
  EXPECT_EQ(get(value_path("c")).status, 200);
}

TEST_F(RestBulkTest, Reads) {
  put("a", "1");
  put("__proto__", "p");
  request("PUT",
          in_ns("/bulk"),
          R"([{"key":"m","value":"[1]","metadata":{"x":1},"expiration_ttl":60}])");
  EXPECT_EQ(request("POST", in_ns("/bulk/get"), R"({"keys":["__proto__","a","missing"]})").body,
            "{\"success\":true,\"errors\":[],\"messages\":[],\"result\":{\"values\":{\"__proto__\":"
            "\"p\",\"a\":\"1\",\"missing\":null}}}\n");
  const std::int64_t now = to_unix_ms(clock_.wall_now()) / 1000;
  EXPECT_EQ(
      request("POST", in_ns("/bulk/get"), R"({"keys":["m","a"],"type":"json","withMetadata":true})")
          .result(),
      json::value(
          json::object{{"values",
                        json::object{{"m",
                                      json::object{{"value", json::array{1}},
                                                   {"metadata", json::object{{"x", 1}}},
                                                   {"expiration", now + 60}}},
                                     {"a", json::object{{"value", 1}, {"metadata", nullptr}}}}}}));
}

TEST_F(RestBulkTest, RefusesReads) {
  put("text", "x");
  put("binary", "\xFF");
  std::string many = "\"k\"";
  for (int i = 0; i < 100; ++i) many += ",\"k\"";
  const std::pair<std::string, std::string> cases[] = {
      {"{\"keys\":[" + many + "]}",
       "400 10029 bulk get keys: 'You can request a maximum of 100 keys'"},
      {R"({"keys":[]})", "400 10029 bulk get keys: 'You must request a minimum of 1 key'"},
      {R"({"keys":["k"],"type":"stream"})",
       "400 10029 bulk get keys: '\"stream\" is not a valid type. Use \"json\" or \"text\"'"},
      {R"({"keys":["text"],"type":"json"})",
       "400 10029 bulk get keys: 'At least one of the requested keys corresponds to a non-json "
       "value'"},
      {R"({"keys":["binary"]})",
       "400 10029 bulk get keys: 'At least one of the requested keys corresponds to a non-text "
       "value'"},
      {"[]", "400 10029 bulk get keys: 'invalid request'"},
      {"", "400 10029 bulk get keys: 'invalid request'"},
  };
  for (const auto& [body, error] : cases) {
    EXPECT_EQ(request("POST", in_ns("/bulk/get"), body).error(), error);
  }
}

TEST_F(RestBulkTest, ReadsUpTo25MiB) {
  const std::string half(kBulkReadBytesMax / 2, 'v');
  for (const char* key : {"a", "b"}) put(key, half);
  const Answer answer = request("POST", in_ns("/bulk/get"), R"({"keys":["a","b"]})");
  const json::value values = answer.result().at("values");
  EXPECT_TRUE(values.at("a").as_string() == half);
  EXPECT_TRUE(values.at("b").as_string() == half);
  put("c", "v");
  EXPECT_EQ(request("POST", in_ns("/bulk/get"), R"({"keys":["a","b","c"]})").error(),
            "413 10029 bulk get keys: 'Total size of request exceeds the limit of 25MB'");
}

TEST_F(RestBulkTest, TakesTenThousandEntries) {
  std::string entries;
  for (int i = 0; i < 10'000; ++i) {
    if (i != 0) entries += ',';
    entries +=
        R"({"key":"k)" + std::to_string(i) + R"(","value":")" + std::string(200, 'v') + "\"}";
  }
  EXPECT_EQ(request("PUT", in_ns("/bulk"), "[" + entries + "]").result(),
            json::value(counts(10'000)));
  EXPECT_EQ(get(value_path("k9999")).body.size(), 200u);
  EXPECT_EQ(request("PUT", in_ns("/bulk"), "[" + entries + R"(,{"key":"x","value":""}])").error(),
            "400 10029 bulk put: 'You can send a maximum of 10000 entries in one request'");
  EXPECT_EQ(get(value_path("x")).status, 404);
}

TEST_F(RestBulkTest, BoundsTheBodyAndItsValues) {
  // Small values take many times their text.
  RestOptions options;
  options.bulk_memory_bytes_max = 8 << 20;
  stop();
  start(options);
  std::string many = "[1";
  while (many.size() < 1u << 20) many += ",1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1";
  EXPECT_EQ(request("PUT", in_ns("/bulk"), many + "]").error(),
            "413 10024 bulk put: 'the body has too many values'");
  const std::string large = "[\"" + std::string(kBulkBodyBytesMax, 'x') + "\"]";
  EXPECT_EQ(request("POST", in_ns("/bulk/delete"), large).status, 413);
  EXPECT_EQ(get(in_ns("/keys")).status, 200);
}

TEST_F(RestBulkTest, TakesTurns) {
  std::vector<std::thread> clients;
  std::atomic<int> written{0};
  for (int client = 0; client < 6; ++client) {
    clients.emplace_back([this, client, &written] {
      std::string body = "[";
      for (int i = 0; i < 50; ++i) {
        if (i != 0) body += ',';
        body += R"({"key":"c)" + std::to_string(client) + "-" + std::to_string(i) +
                R"(","value":")" + std::string(20'000, 'v') + "\"}";
      }
      if (request("PUT", in_ns("/bulk"), body + "]").status == 200) ++written;
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(written, 6);
  EXPECT_EQ(get(in_ns("/keys")).info().at("count").to_number<int>(), 300);
}

}  // namespace
}  // namespace edged::kv_http
