// SPDX-License-Identifier: Apache-2.0
// The pure parts of the REST face: paths, queries, cursors, metadata and envelopes.
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "kvstore/http/list_cursor.h"
#include "kvstore/http/metadata.h"
#include "kvstore/http/rest_envelope.h"
#include "kvstore/http/rest_path.h"

namespace edged::kv_http {
namespace {

constexpr const char* kId = "0f2ac74b498b48028cb68387c421e279";

std::string below_namespaces(const std::string& rest) {
  return "/client/v4/accounts/a1/storage/kv/namespaces" + rest;
}

TEST(RestPathTest, KnowsEveryEndpoint) {
  const std::string ns = std::string("/") + kId;
  const std::pair<std::string, RestPlace> cases[] = {
      {"/client/v4/user/tokens/verify", RestPlace::kVerifyToken},
      {"/client/v4/user", RestPlace::kUser},
      {"/client/v4/accounts", RestPlace::kAccounts},
      {"/client/v4/accounts/a1", RestPlace::kAccount},
      {"/client/v4/memberships", RestPlace::kMemberships},
      {"/client/v4/accounts/a1/queues", RestPlace::kQueues},
      {"/client/v4/accounts/a1/queues/q/messages/pull", RestPlace::kQueues},
      {below_namespaces(""), RestPlace::kNamespaces},
      {below_namespaces(ns), RestPlace::kNamespace},
      {below_namespaces(ns + "/keys"), RestPlace::kKeys},
      {below_namespaces(ns + "/values/k"), RestPlace::kValue},
      {below_namespaces(ns + "/metadata/k"), RestPlace::kMetadata},
      {below_namespaces(ns + "/bulk"), RestPlace::kBulk},
      {below_namespaces(ns + "/bulk/delete"), RestPlace::kBulkDelete},
      {below_namespaces(ns + "/bulk/get"), RestPlace::kBulkGet},
  };
  for (const auto& [path, place] : cases) EXPECT_EQ(parse_rest_path(path).place, place) << path;
  const std::string path = below_namespaces(ns + "/values/a%2Fb");
  const RestPath parsed = parse_rest_path(path);
  EXPECT_EQ(parsed.account, "a1");
  EXPECT_EQ(parsed.ns, kId);
  EXPECT_EQ(parsed.key_segment, "a%2Fb");
}

TEST(RestPathTest, NormalisesNothing) {
  const std::string ns = std::string("/") + kId;
  for (const std::string& path : {std::string("/client/v4/"),
                                  std::string("/client/v4"),
                                  std::string("/client/v4//user"),
                                  std::string("/client/v4/user/"),
                                  std::string("/client/v4/user/tokens"),
                                  std::string("/client/v4/x/../user"),
                                  std::string("/client/v4/accounts/"),
                                  std::string("/client/v4/accounts/%G0/queues"),
                                  std::string("/client/v4/accounts/a1/storage/kv"),
                                  std::string("/client/v4/accounts/a1/storage/%6Bv/namespaces"),
                                  below_namespaces("/"),
                                  below_namespaces(ns + "/"),
                                  below_namespaces(ns + "/values"),
                                  below_namespaces(ns + "/values/a/b"),
                                  below_namespaces(ns + "/values/../keys"),
                                  below_namespaces(ns + "/keys/k"),
                                  below_namespaces(ns + "/bulk/put"),
                                  below_namespaces(ns + "/bulk/get/x"),
                                  "/client/v4/" + std::string(4000, '/')}) {
    EXPECT_EQ(parse_rest_path(path).place, RestPlace::kUnknown) << path;
  }
  const std::string dots = below_namespaces(ns + "/values/..");
  EXPECT_EQ(parse_rest_path(dots).place, RestPlace::kValue);
  EXPECT_EQ(parse_rest_path(dots).key_segment, "..");
  const std::string empty = below_namespaces(ns + "/values/");
  EXPECT_EQ(parse_rest_path(empty).place, RestPlace::kValue);
  EXPECT_EQ(parse_rest_path(empty).key_segment, "");
}

TEST(RestPathTest, DecodesQueriesAsFormsAre) {
  bool bad = false;
  const auto get = [&bad](std::string_view query, std::string_view name) {
    return query_parameter(query, name, bad);
  };
  EXPECT_EQ(get("a=1&b=2", "b"), "2");
  EXPECT_EQ(get("a=1&a=2", "a"), "1");
  EXPECT_EQ(get("prefix=", "prefix"), "");
  EXPECT_EQ(get("prefix", "prefix"), "");
  EXPECT_EQ(get("prefix=a+b%20c%2B%26", "prefix"), "a b c+&");
  EXPECT_EQ(get("%70refix=x", "prefix"), "x");
  EXPECT_EQ(get("&&=x&prefix=a=b", "prefix"), "a=b");
  EXPECT_EQ(get("", "prefix"), std::nullopt);
  EXPECT_EQ(get("prefixes=1", "prefix"), std::nullopt);
  EXPECT_EQ(get("other=%GG", "prefix"), std::nullopt);
  EXPECT_FALSE(bad);
  EXPECT_EQ(get("prefix=%GG", "prefix"), std::nullopt);
  EXPECT_TRUE(bad);
}

TEST(ListCursorTest, NamesTheLastKey) {
  for (const std::string& key : {std::string("k"),
                                 std::string("a/b"),
                                 std::string(1, '\0'),
                                 std::string(512, '\xFF'),
                                 std::string("\U0001F600\uFF5E")}) {
    const std::string cursor = make_list_cursor(key);
    EXPECT_EQ(cursor.find_first_not_of(
                  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
              std::string::npos);
    EXPECT_EQ(parse_list_cursor(cursor), key);
  }
}

TEST(ListCursorTest, RefusesEverythingElse) {
  for (const std::string& cursor : {std::string(""),
                                    std::string("AQ"),    // no key
                                    std::string("AWE="),  // padded
                                    std::string("AWF"),   // bits behind the last byte
                                    std::string("AmE"),   // version 2
                                    std::string("A"),
                                    std::string("AW+"),
                                    std::string("not a cursor"),
                                    make_list_cursor(std::string(513, 'k')),
                                    std::string(100'000, 'A')}) {
    EXPECT_EQ(parse_list_cursor(cursor), std::nullopt) << cursor.substr(0, 40);
  }
  EXPECT_EQ(parse_list_cursor("AWE"), "a");
}

TEST(MetadataTest, IsStoredInOneLineAsItWasSpelt) {
  const auto stored = [](std::string_view text) {
    return std::get<std::string>(parse_metadata(text));
  };
  EXPECT_EQ(stored("{\r\n \"a b\" : [ 1.0 , 1e5 ] }"), "{\"a b\":[1.0,1e5]}");
  EXPECT_EQ(stored("\"a\\\" b\\\\\""), "\"a\\\" b\\\\\"");
  EXPECT_EQ(stored("123456789012345678901234567890"), "123456789012345678901234567890");
  EXPECT_EQ(stored(" null "), "");
  for (const char* falsy : {"{}", "0", "\"\"", "false", "[]"}) EXPECT_EQ(stored(falsy), falsy);
  EXPECT_EQ(stored("\"\u2028\x7F\""), "\"\u2028\x7F\"");
  const std::string deep = std::string(500, '[') + std::string(500, ']');
  EXPECT_EQ(stored(deep), deep);
}

TEST(MetadataTest, IsRefused) {
  for (const char* text : {"", " ", "{", "{a:1}", "1 2", "nul", "\"a\nb\"", "\"\xFF\"", "[1,]"}) {
    EXPECT_EQ(std::get<Refusal>(parse_metadata(text)),
              (Refusal{400, 10147, "metadata must be valid json"}))
        << text;
  }
  EXPECT_EQ(std::get<Refusal>(parse_metadata(std::string(513, '['))).code, 10147);
  std::string text(1025, ' ');
  text[0] = '1';
  EXPECT_EQ(std::get<Refusal>(parse_metadata(text)).code, 10047);
  text.pop_back();
  EXPECT_EQ(std::get<std::string>(parse_metadata(text)), "1");
}

TEST(MetadataTest, IsShownAsJsonWhateverIsStored) {
  EXPECT_EQ(shown_metadata(""), "null");
  EXPECT_EQ(shown_metadata("{ \"a\": 1.0 }\r\n"), "{\"a\":1.0}");
  EXPECT_EQ(shown_metadata("x\r\ny: \xFF"), "\"x\\r\\ny: \uFFFD\"");
  const std::string deep(600, '[');
  EXPECT_EQ(shown_metadata(deep), "\"" + deep + "\"");
}

TEST(RestEnvelopeTest, WrapsResults) {
  EXPECT_EQ(rest_success("[1]").body,
            "{\"success\":true,\"errors\":[],\"messages\":[],\"result\":[1]}\n");
  EXPECT_EQ(rest_success("[]", "{\"count\":0}").body,
            "{\"success\":true,\"errors\":[],\"messages\":[],\"result\":[],\"result_info\":{"
            "\"count\":0}}\n");
  EXPECT_EQ(rest_success("null").content_type, "application/json");
}

TEST(RestEnvelopeTest, NamesErrors) {
  struct Case {
    http::Response response;
    int status;
    const char* error;
  };
  const Case cases[] = {
      {rest_failure("get", Status(Code::kNotFound, "no")), 404, "10009 get: 'key not found'"},
      {rest_failure("list keys", Status(Code::kNamespaceNotFound, "no")),
       404,
       "10013 list keys: 'namespace not found'"},
      {rest_failure("put", Status(Code::kDiskFull, "disk full")), 507, "10001 put: 'disk full'"},
      {rest_failure("put", Status(Code::kBusy, "x")), 429, "10022 put: 'too many requests'"},
      {rest_failure("get", Status(Code::kStale, "old")), 503, "10001 get: 'old'"},
      {rest_failure("put", Status(Code::kDenied, "the token lacks the scope write")),
       403,
       "10037 put: 'the token lacks the scope write'"},
      {rest_failure("put", Status(Code::kUnauthenticated, "x")), 401, "10000 Authentication error"},
      {rest_failure("put", Status(Code::kIoError, "x")), 500, "10001 put: 'x'"},
      {rest_failure("put", *check_key("")), 400, "10042 put: 'Key names must not be empty'"},
      {rest_no_route("/client/v4/\xFF\""),
       404,
       "7003 Could not route to /client/v4/\uFFFD\", perhaps your object identifier is invalid?"},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(one.response.status, one.status) << one.error;
    const auto body = boost::json::parse(one.response.body).as_object();
    EXPECT_FALSE(body.at("success").as_bool());
    EXPECT_TRUE(body.at("result").is_null());
    const auto& error = body.at("errors").as_array().at(0).as_object();
    EXPECT_EQ(std::to_string(error.at("code").as_int64()) + " " +
                  std::string(error.at("message").as_string()),
              one.error);
  }
}

}  // namespace
}  // namespace edged::kv_http
