// SPDX-License-Identifier: Apache-2.0
// Values, metadata and lists of keys over the REST face.
#include "kvstore/http/kv_rules.h"
#include "tests/kvstore/http/rest_fixture.h"

namespace edged::kv_http {
namespace {

using RestValuesTest = RestFixture;

std::string form(const std::vector<std::pair<std::string, std::string>>& parts) {
  std::string body;
  for (const auto& [name, bytes] : parts) {
    body += "--b\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + bytes + "\r\n";
  }
  return body + "--b--\r\n";
}

const Fields kForm = {{"Authorization", "Bearer any"},
                      {"Content-Type", "multipart/form-data; boundary=\"b\""}};

std::string large_value() {
  std::string value(3'000'001, '\0');
  for (std::size_t i = 0; i < value.size(); ++i) value[i] = static_cast<char>(i * 31 ^ i >> 11);
  return value;
}

TEST_F(RestValuesTest, AreWrittenReadAndDeleted) {
  EXPECT_TRUE(put_value("k", "hello").result().is_null());
  const Answer read = get(value_path("k"));
  EXPECT_EQ(read.status, 200);
  EXPECT_EQ(read.body, "hello");
  EXPECT_EQ(read.headers.at("content-type"), "application/octet-stream");
  EXPECT_FALSE(read.headers.contains("expiration"));
  EXPECT_TRUE(request("DELETE", value_path("k")).result().is_null());
  const Answer gone = get(value_path("k"));
  EXPECT_EQ(gone.error(), "404 10009 get: 'key not found'");
  EXPECT_EQ(gone.reason, "Not Found");
  EXPECT_TRUE(request("DELETE", value_path("k")).result().is_null());
}

TEST_F(RestValuesTest, AreOnDiskBeforeTheAnswer) {
  const auto before = store_->stats().syncs;
  put_value("k", "v").result();
  EXPECT_GT(store_->stats().syncs, before);
  const auto between = store_->stats().syncs;
  request("DELETE", value_path("k")).result();
  EXPECT_GT(store_->stats().syncs, between);
}

TEST_F(RestValuesTest, HaveAnyBytesAndSizes) {
  using namespace std::string_literals;
  for (const std::string& value : {""s,
                                   "\0\xFF\r\n\r\n"s,
                                   std::string(64 * 1024, 'a'),
                                   std::string(64 * 1024 + 1, 'b'),
                                   std::string(256 * 1024, 'c'),
                                   std::string(256 * 1024 + 1, 'd'),
                                   large_value()}) {
    put_value("k", value).result();
    const Answer read = get(value_path("k"));
    EXPECT_EQ(read.status, 200);
    EXPECT_TRUE(read.body == value) << value.size();
    const Answer head = request("HEAD", value_path("k"));
    EXPECT_EQ(head.status, 200);
    EXPECT_EQ(head.headers.at("content-length"), std::to_string(value.size()));
    EXPECT_EQ(head.body, "");
  }
}

TEST_F(RestValuesTest, MayComeInChunks) {
  const std::string head = "PUT " + value_path("k") +
                           " HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer x\r\n"
                           "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
  exchange(head + "5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\n").result();
  EXPECT_EQ(get(value_path("k")).body, "hello, world");
}

TEST_F(RestValuesTest, OfTheLargestSizeFitAndOfMoreAreRefused) {
  const std::string largest(kValueBytesMax, 'v');
  put_value("k", largest).result();
  EXPECT_TRUE(get(value_path("k")).body == largest);
  EXPECT_EQ(put_value("k", largest + "v").error(),
            "413 10024 put: 'Value length of 26214401 exceeds limit of 26214400.'");
  EXPECT_EQ(request("PUT", value_path("k"), form({{"value", largest + "vv"}}), kForm).error(),
            "413 10024 put: 'Value length of 26214402 exceeds limit of 26214400.'");
  EXPECT_EQ(get(value_path("k")).body.size(), kValueBytesMax);
  // Metadata is judged before the value.
  const std::string metadata = "\"" + std::string(1023, 'm') + "\"";
  EXPECT_EQ(
      request(
          "PUT", value_path("k"), form({{"value", largest + "v"}, {"metadata", metadata}}), kForm)
          .error(),
      "413 10047 put: 'Metadata length of 1025 exceeds limit of 1024.'");
}

TEST_F(RestValuesTest, HaveKeysOfAllKinds) {
  const std::pair<std::string, std::string> cases[] = {
      {"a%2Fb", "a/b"},
      {"%2Fa%2F%2Fb", "/a//b"},
      {"a+b", "a+b"},
      {"a%20b", "a b"},
      {"%2525", "%25"},
      {"..%2Fx", "../x"},
      {"...", "..."},
      {"%01%7F", "\x01\x7F"},
      {"%23%3F", "#?"},
      {"[]|^!$&'()*,;=:@~", "[]|^!$&'()*,;=:@~"},
      {"%F0%9F%98%80", "\U0001F600"},
      {"bulk", "bulk"},
      {std::string(512, 'k'), std::string(512, 'k')},
  };
  for (const auto& [segment, key] : cases) {
    put_value(segment, "value of " + key).result();
    EXPECT_EQ(get(value_path(segment)).body, "value of " + key);
    const auto stored = store_->get(ns_, key, storage::ReadTier::kDisk, storage::Reader::kAnyone);
    ASSERT_TRUE(stored) << key;
    EXPECT_EQ(stored->value, "value of " + key);
  }
}

TEST_F(RestValuesTest, RefuseKeys) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "400 10042 put: 'Key names must not be empty'"},
      {".", "400 10042 put: 'Illegal key name \".\". Please use a different name.'"},
      {"%2E%2E", "400 10042 put: 'Illegal key name \"..\". Please use a different name.'"},
      {std::string(513, 'k'),
       "414 10030 put: 'UTF-8 encoded length of 513 exceeds key length limit of 512.'"},
      {"%FF", "400 10042 put: 'Could not URL-decode key name'"},
  };
  for (const auto& [segment, error] : cases) {
    EXPECT_EQ(put_value(segment, "v").error(), error);
    EXPECT_EQ(get(value_path(segment)).status, std::stoi(error.substr(0, 3)));
    EXPECT_EQ(request("DELETE", value_path(segment)).status, std::stoi(error.substr(0, 3)));
    EXPECT_EQ(get(in_ns("/metadata/" + segment)).status, std::stoi(error.substr(0, 3)));
  }
}

TEST_F(RestValuesTest, Expire) {
  const std::int64_t now = to_unix_ms(clock_.wall_now()) / 1000;
  put_value("ttl", "v", "?expiration_ttl=60").result();
  put_value("at", "v", "?expiration=" + std::to_string(now + 100)).result();
  put_value("both", "v", "?expiration=1&expiration_ttl=120").result();
  EXPECT_EQ(get(value_path("ttl")).headers.at("expiration"), std::to_string(now + 60));
  EXPECT_EQ(get(value_path("at")).headers.at("expiration"), std::to_string(now + 100));
  EXPECT_EQ(get(value_path("both")).headers.at("expiration"), std::to_string(now + 120));
  put_value("at", "w").result();
  EXPECT_FALSE(get(value_path("at")).headers.contains("expiration"));
  clock_.advance(std::chrono::milliseconds(59'999));
  EXPECT_EQ(get(value_path("ttl")).status, 200);
  clock_.advance(std::chrono::milliseconds(1));
  EXPECT_EQ(get(value_path("ttl")).error(), "404 10009 get: 'key not found'");
  EXPECT_EQ(get(in_ns("/metadata/ttl")).error(), "404 10009 metadata: 'key not found'");
  EXPECT_EQ(get(in_ns("/keys")).items().size(), 2u);
}

TEST_F(RestValuesTest, RefuseExpirations) {
  put_value("k", "old").result();
  const std::string soon = std::to_string(to_unix_ms(clock_.wall_now()) / 1000 + 30);
  const std::pair<std::string, std::string> cases[] = {
      {"expiration_ttl=0",
       "400 10034 put: 'Invalid expiration_ttl of 0. Please specify integer greater than 0.'"},
      {"expiration_ttl=30",
       "400 10034 put: 'Invalid expiration_ttl of 30. Expiration TTL must be at least 60.'"},
      {"expiration_ttl=",
       "400 10034 put: 'Invalid expiration_ttl of . Please specify integer greater than 0.'"},
      {"expiration=1",
       "400 10033 put: 'Invalid expiration of 1. Please specify integer greater than the current "
       "number of seconds since the UNIX epoch.'"},
      {"expiration=" + soon,
       "400 10033 put: 'Invalid expiration of " + soon +
           ". Expiration times must be at least 60 seconds in the future.'"},
      {"expiration=%", "400 10029 put: 'invalid request'"},
  };
  for (const auto& [query, error] : cases) {
    EXPECT_EQ(put_value("k", large_value(), "?" + query).error(), error);
  }
  EXPECT_EQ(get(value_path("k")).body, "old");
}

TEST_F(RestValuesTest, ComeWithMetadataInEitherOrder) {
  const std::string value =
      "--bb\r\n\r\nContent-Disposition: form-data; name=\"metadata\"\r\n\r\n1";
  request("PUT", value_path("k"), form({{"metadata", "{\"a\": [1.50]}"}, {"value", value}}), kForm)
      .result();
  EXPECT_EQ(get(value_path("k")).body, value);
  request("PUT", value_path("k"), form({{"value", "v"}, {"metadata", "{\"a\": [1.50]}"}}), kForm)
      .result();
  EXPECT_EQ(get(value_path("k")).body, "v");
  EXPECT_EQ(get(in_ns("/metadata/k")).body,
            "{\"success\":true,\"errors\":[],\"messages\":[],\"result\":{\"a\":[1.50]}}\n");
  const std::string large = large_value();
  request("PUT", value_path("k"), form({{"x", "y"}, {"value", large}, {"metadata", "0"}}), kForm)
      .result();
  EXPECT_TRUE(get(value_path("k")).body == large);
  EXPECT_EQ(get(in_ns("/metadata/k")).result(), json::value(0));
  // A plain put takes away the metadata; other parts mean nothing.
  put_value("k", "v").result();
  EXPECT_TRUE(get(in_ns("/metadata/k")).result().is_null());
  request("PUT", value_path("k"), form({{"value", "v"}, {"metadata[a]", "1"}}), kForm).result();
  EXPECT_TRUE(get(in_ns("/metadata/k")).result().is_null());
  request("PUT", value_path("k"), form({{"value", "v"}, {"metadata", "null"}}), kForm).result();
  EXPECT_EQ(get(in_ns("/keys")).items().at(0).as_object(), (json::object{{"name", "k"}}));
}

TEST_F(RestValuesTest, RefuseForms) {
  put_value("k", "old").result();
  const std::pair<std::string, std::string> cases[] = {
      {form({{"metadata", "1"}}), "400 10029 put: 'the multipart form has no part named value'"},
      {form({{"value", "1"}, {"value", "2"}}),
       "400 10029 put: 'the form has two parts named value'"},
      {form({{"value", "1"}, {"metadata", "{a}"}}), "400 10147 metadata must be valid json"},
      {form({{"value", "1"}, {"metadata", std::string(100'000, ' ')}}).append(1 << 20, 'x'),
       "413 10047 put: 'Metadata length of 100000 exceeds limit of 1024.'"},
      {"--b\r\nContent-Disposition: form-data; name=\"value\"\r\n\r\nhalf",
       "400 10029 put: 'the multipart form ends within a part'"},
      {"{}", "400 10029 put: 'the multipart form has no line with its boundary'"},
  };
  for (const auto& [body, error] : cases) {
    EXPECT_EQ(request("PUT", value_path("k"), body, kForm).error(), error);
  }
  const Fields none = {{"Authorization", "Bearer any"}, {"Content-Type", "multipart/form-data"}};
  EXPECT_EQ(request("PUT", value_path("k"), form({{"value", "1"}}), none).error(),
            "400 10029 put: 'the multipart form's Content-Type has no usable boundary'");
  EXPECT_EQ(get(value_path("k")).body, "old");
}

TEST_F(RestValuesTest, KeysAreListedInPages) {
  for (int i = 0; i < 12; ++i) put("a" + std::to_string(10 + i), "v");
  put("\uFF5E", "v");
  put("\U0001F600", "v");
  const Answer all = get(in_ns("/keys?prefix=&cursor="));
  EXPECT_EQ(all.items().size(), 14u);
  EXPECT_EQ(all.info(), (json::object{{"count", 14}, {"cursor", ""}}));
  EXPECT_EQ(all.items().at(12).at("name").as_string(), "\uFF5E");
  std::vector<std::string> names;
  std::string cursor;
  int pages = 0;
  do {
    const Answer page = get(in_ns("/keys?prefix=a&limit=5&cursor=" + cursor));
    for (const json::value& key : page.items()) {
      names.emplace_back(key.at("name").as_string());
    }
    cursor = std::string(page.info().at("cursor").as_string());
    ++pages;
    // Deleting the key that the cursor stands on changes nothing.
    if (pages == 1) request("DELETE", value_path(names.back()));
  } while (!cursor.empty());
  EXPECT_EQ(pages, 3);
  EXPECT_EQ(names.size(), 12u);
  // Exactly as many as the limit are one page.
  EXPECT_EQ(get(in_ns("/keys?prefix=a&limit=11")).info().at("cursor").as_string(), "");
  EXPECT_EQ(get(in_ns("/keys?prefix=b")).info(), (json::object{{"count", 0}, {"cursor", ""}}));
}

TEST_F(RestValuesTest, ListsShowExpirationAndMetadata) {
  request("PUT",
          value_path("k") + "?expiration_ttl=60",
          form({{"value", "v"}, {"metadata", "{\"a\":\"\u20AC\"}"}}),
          kForm)
      .result();
  const std::int64_t now = to_unix_ms(clock_.wall_now()) / 1000;
  EXPECT_EQ(
      get(in_ns("/keys")).items().at(0).as_object(),
      (json::object{
          {"name", "k"}, {"expiration", now + 60}, {"metadata", json::object{{"a", "\u20AC"}}}}));
}

TEST_F(RestValuesTest, ListsArePagesOfAThousand) {
  std::vector<std::string> body;
  std::string entries = "[";
  for (int i = 0; i < 2000; ++i) {
    entries += std::string(i == 0 ? "" : ",") + R"({"key":"k)" + std::to_string(10'000 + i) +
               R"(","value":""})";
  }
  request("PUT", in_ns("/bulk"), entries + "]").result();
  const Answer first = get(in_ns("/keys"));
  EXPECT_EQ(first.items().size(), 1000u);
  const std::string cursor(first.info().at("cursor").as_string());
  const Answer second = get(in_ns("/keys?cursor=" + cursor));
  EXPECT_EQ(second.items().size(), 1000u);
  EXPECT_EQ(second.items().front().at("name").as_string(), "k11000");
  EXPECT_EQ(second.info().at("cursor").as_string(), "");
}

TEST_F(RestValuesTest, ListsRefuseTheirParameters) {
  const std::pair<std::string, std::string> cases[] = {
      {"limit=0", "400 10028 invalid limit argument"},
      {"limit=1001", "400 10028 invalid limit argument"},
      {"limit=x", "400 10028 invalid limit argument"},
      {"cursor=x", "400 10041 invalid \"list keys\" cursor"},
      {"prefix=" + std::string(513, 'p'),
       "414 10030 list keys: 'UTF-8 encoded length of 513 exceeds key length limit of 512.'"},
      {"prefix=%FF", "400 10042 list keys: 'Could not URL-decode key name'"},
      {"prefix=%F", "400 10029 list keys: 'invalid request'"},
  };
  for (const auto& [query, error] : cases) EXPECT_EQ(get(in_ns("/keys?" + query)).error(), error);
  EXPECT_EQ(get(in_ns("/keys?limit=1")).info().at("count").to_number<int>(), 0);
}

}  // namespace
}  // namespace edged::kv_http
