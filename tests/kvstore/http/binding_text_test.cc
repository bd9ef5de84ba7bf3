// SPDX-License-Identifier: Apache-2.0
// Requests and answers of the binding face as text: each row of the protocol's tables, and what no
// workerd sends.
#include <gtest/gtest.h>

#include "kvstore/http/binding_answer.h"
#include "kvstore/http/binding_request.h"
#include "kvstore/http/list_cursor.h"

namespace edged::kv_http {
namespace {

using namespace std::chrono_literals;

const WallTime kNow = from_unix_ms(1'700'000'000'500);

http::RequestHead head(std::string method, const std::string& target) {
  http::RequestHead head;
  head.method = std::move(method);
  const std::size_t mark = target.find('?');
  head.target_path = target.substr(0, mark);
  if (mark != std::string::npos) head.query = target.substr(mark + 1);
  head.content_length = 0;
  return head;
}

BindingRequest parsed(const http::RequestHead& head) {
  auto result = parse_binding_request(head, kNow);
  const auto* refused = std::get_if<Refusal>(&result);
  EXPECT_EQ(refused, nullptr) << head.target_path << ": " << (refused ? refused->text : "");
  return refused ? BindingRequest{} : std::get<BindingRequest>(result);
}

std::string refused(const http::RequestHead& head) {
  const auto result = parse_binding_request(head, kNow);
  const auto* refusal = std::get_if<Refusal>(&result);
  return refusal ? std::to_string(refusal->status) + " " + refusal->text : "accepted";
}

TEST(BindingRequestTest, KnowsTheCallByMethodAndPath) {
  const struct {
    const char* method;
    const char* target;
    BindingCall call;
    const char* key;
  } cases[] = {
      {"GET", "/k?urlencoded=true", BindingCall::kGet, "k"},
      {"HEAD", "/k?urlencoded=true", BindingCall::kGet, "k"},
      {"PUT", "/k?urlencoded=true", BindingCall::kPut, "k"},
      {"DELETE", "/k?urlencoded=true", BindingCall::kDelete, "k"},
      {"GET", "/", BindingCall::kList, ""},
      {"POST", "/bulk/get", BindingCall::kBulkRead, ""},
      {"POST", "/bulk/get/", BindingCall::kBulkRead, ""},
      {"GET", "/bulk%2Fget?urlencoded=true", BindingCall::kGet, "bulk/get"},
      {"PUT", "/bulk%2Fget?urlencoded=true", BindingCall::kPut, "bulk/get"},
  };
  for (const auto& item : cases) {
    const BindingRequest request = parsed(head(item.method, item.target));
    EXPECT_EQ(request.call, item.call) << item.method << item.target;
    EXPECT_EQ(request.key, item.key) << item.method << item.target;
  }
}

TEST(BindingRequestTest, DecodesTheKeyOnce) {
  const std::pair<const char*, const char*> cases[] = {
      {"/a+b?urlencoded=true", "a+b"},
      {"/a%2Bb?urlencoded=true", "a+b"},
      {"/a%20b?urlencoded=TRUE", "a b"},
      {"/%252F?urlencoded=true", "%2F"},
      {"/..%2Fx?urlencoded=true", "../x"},
      {"/%2F%2F?urlencoded=true", "//"},
      {"/a%2F?urlencoded=true", "a/"},
      {"/a/?urlencoded=true", "a"},
      {"/[]|^!$&'()*,;=:@+~?urlencoded=true", "[]|^!$&'()*,;=:@+~"},
      {"/%F0%9F%98%80%00%7F?urlencoded=true", nullptr},
      {"/a%2Fb", "a%2Fb"},
      {"/%zz", "%zz"},
      {"/a%2Fb?urlencoded=false", "a%2Fb"},
  };
  for (const auto& [target, key] : cases) {
    const std::string expected = key ? key : std::string("\xF0\x9F\x98\x80\0\x7F", 6);
    EXPECT_EQ(parsed(head("GET", target)).key, expected) << target;
  }
}

TEST(BindingRequestTest, RefusesBadKeys) {
  const std::string long_key(513, 'k');
  EXPECT_EQ(refused(head("PUT", "/")), "400 Key names must not be empty");
  EXPECT_EQ(refused(head("DELETE", "/?urlencoded=true")), "400 Key names must not be empty");
  EXPECT_EQ(refused(head("GET", "//")), "400 Key names must not be empty");
  EXPECT_EQ(refused(head("GET", "/%2E%2E?urlencoded=true")),
            "400 Illegal key name \"..\". Please use a different name.");
  EXPECT_EQ(refused(head("GET", "/" + long_key)),
            "414 UTF-8 encoded length of 513 exceeds key length limit of 512.");
  EXPECT_EQ(refused(head("GET", "/%f?urlencoded=true")), "400 Could not URL-decode key name");
  EXPECT_EQ(refused(head("GET", "/%FF?urlencoded=true")), "400 Could not URL-decode key name");
  EXPECT_EQ(refused(head("GET", "/a/b")).substr(0, 4), "400 ");
  EXPECT_EQ(refused(head("GET", "/a//")).substr(0, 4), "400 ");
  EXPECT_EQ(refused(head("GET", "/bulk/get")).substr(0, 4), "400 ");
  for (const char* method : {"POST", "PATCH", "OPTIONS", "get", "PURGE"}) {
    EXPECT_EQ(refused(head(method, "/k")), "405 Method Not Allowed") << method;
  }
  EXPECT_EQ(binding_methods("/"), "GET, HEAD");
  EXPECT_EQ(binding_methods("/bulk/get"), "POST");
  EXPECT_EQ(binding_methods("/k"), "GET, HEAD, PUT, DELETE");
}

TEST(BindingRequestTest, ReadsThePutsOptions) {
  BindingRequest request = parsed(head("PUT", "/k?urlencoded=true&expiration=1700000100"));
  EXPECT_EQ(request.expiry.at, from_unix_ms(1'700'000'100'000));
  request = parsed(head("PUT", "/k?urlencoded=true&expiration=1&expiration_ttl=60"));
  EXPECT_EQ(request.expiry.ttl, 60s);
  EXPECT_EQ(request.expiry.at, std::nullopt);
  http::RequestHead with = head("PUT", "/k");
  with.headers["cf-kv-metadata"] = "{\"a\":\"\xE2\x80\xA8\x7F\"}";
  EXPECT_EQ(parsed(with).metadata, "{\"a\":\"\xE2\x80\xA8\x7F\"}");
  with.headers["cf-kv-metadata"] = "0";
  EXPECT_EQ(parsed(with).metadata, "0");
  with.content_length = 26'214'400;
  EXPECT_EQ(refused(with), "accepted");
  with.content_length = std::nullopt;  // chunked
  EXPECT_EQ(refused(with), "accepted");
}

TEST(BindingRequestTest, RefusesBadPutsInTheStatedOrder) {
  http::RequestHead put = head("PUT", "/k?expiration=1&expiration_ttl=30");
  put.headers["cf-kv-metadata"] = "\"" + std::string(1023, 'm') + "\"";
  put.content_length = 26'214'401;
  EXPECT_EQ(refused(put), "400 Invalid expiration_ttl of 30. Expiration TTL must be at least 60.");
  put.query = "expiration=1";
  EXPECT_EQ(refused(put),
            "400 Invalid expiration of 1. Please specify integer greater than the current number "
            "of seconds since the UNIX epoch.");
  put.query = "expiration=1700000030";
  EXPECT_EQ(refused(put),
            "400 Invalid expiration of 1700000030. Expiration times must be at least 60 seconds in "
            "the future.");
  put.query = "expiration_ttl=0";
  EXPECT_EQ(refused(put),
            "400 Invalid expiration_ttl of 0. Please specify integer greater than 0.");
  put.query = "";
  EXPECT_EQ(refused(put), "413 Metadata length of 1025 exceeds limit of 1024.");
  put.headers.clear();
  EXPECT_EQ(refused(put), "413 Value length of 26214401 exceeds limit of 26214400.");
  put.headers["cf-kv-metadata"] = "{";
  EXPECT_EQ(refused(put).substr(0, 4), "400 ");
  put.headers.clear();
  put.query = "expiration=%zz";
  EXPECT_EQ(refused(put), "400 Could not URL-decode the query");
}

TEST(BindingRequestTest, ChecksTheCacheTtlOfReadsAlone) {
  EXPECT_EQ(refused(head("GET", "/k?urlencoded=true&cache_ttl=30")), "accepted");
  EXPECT_EQ(refused(head("GET", "/k?urlencoded=true&cache_ttl=10")),
            "400 Invalid cache_ttl of 10. Cache TTL must be at least 30.");
  EXPECT_EQ(refused(head("PUT", "/k?urlencoded=true&cache_ttl=10")), "accepted");
}

TEST(BindingRequestTest, ReadsTheListsOptions) {
  BindingRequest request = parsed(head("GET", "/"));
  EXPECT_EQ(request.limit, 1000U);
  EXPECT_EQ(request.prefix, "");
  request = parsed(head("GET", "/?prefix=&cursor="));
  EXPECT_EQ(request.start_after, "");
  const std::string cursor = make_list_cursor("a key");
  request = parsed(head("GET", "/?key_count_limit=7&prefix=a+b%2F&cursor=" + cursor));
  EXPECT_EQ(request.limit, 7U);
  EXPECT_EQ(request.prefix, "a b/");
  EXPECT_EQ(request.start_after, "a key");
  EXPECT_EQ(refused(head("GET", "/?key_count_limit=0")),
            "400 Invalid key_count_limit of 0. Please specify an integer greater than 0.");
  EXPECT_EQ(refused(head("GET", "/?key_count_limit=1001")),
            "400 Invalid key_count_limit of 1001. Please specify an integer less than 1000.");
  EXPECT_EQ(refused(head("GET", "/?prefix=" + std::string(513, 'p'))),
            "414 UTF-8 encoded length of 513 exceeds key length limit of 512.");
  EXPECT_EQ(refused(head("GET", "/?cursor=%21")).substr(0, 4), "400 ");
  EXPECT_EQ(refused(head("GET", "/?prefix=%")), "400 Could not URL-decode the query");
}

TEST(BindingNamespaceTest, HeaderThenHost) {
  const std::vector<std::string> hosts{"kv.example.org"};
  http::RequestHead request = head("GET", "/k");
  EXPECT_EQ(binding_namespace(request, hosts), std::nullopt);
  const std::pair<const char*, const char*> cases[] = {{"users.kv.internal", "users"},
                                                       {"Users.KV.internal:80", "users"},
                                                       {"a.b.kv.internal", "a.b"},
                                                       {"users.kv.example.org", "users"},
                                                       {"users", "users"},
                                                       {"fake-host", nullptr},
                                                       {"localhost:4782", nullptr},
                                                       {"127.0.0.1:4782", nullptr},
                                                       {"[::1]:4782", nullptr},
                                                       {"kv.example.org", nullptr},
                                                       {"kv.internal", nullptr},
                                                       {".kv.internal", nullptr},
                                                       {"users.evil.example", nullptr}};
  for (const auto& [host, name] : cases) {
    request.authority = host;
    const auto found = binding_namespace(request, hosts);
    EXPECT_EQ(found.value_or("none"), name ? name : "none") << host;
  }
  request.authority = "users.kv.internal";
  request.headers["x-kv-namespace"] = "0f2ac74b498b48028cb68387c421e279";
  EXPECT_EQ(binding_namespace(request, hosts), "0f2ac74b498b48028cb68387c421e279");
  request.headers["x-kv-namespace"] = "";
  EXPECT_EQ(binding_namespace(request, hosts), "users");
}

TEST(BindingNamespaceTest, NoPublicNameIsAHostOfTheFace) {
  const std::vector<std::string> hosts{"kv.example.org"};
  for (const char* host : {"fake-host", "users", "users.kv.internal", "users.kv.example.org"}) {
    EXPECT_TRUE(is_binding_host(host, hosts)) << host;
  }
  for (const char* host : {"users.evil.example",
                           "evil.example",
                           "kv.internal.evil.example",
                           "xkv.example.org",
                           "kv.internal"}) {
    EXPECT_FALSE(is_binding_host(host, hosts)) << host;
  }
}

TEST(BindingAnswerTest, TheReasonSaysWhy) {
  const http::Response refusal =
      binding_refusal({414, 10030, "UTF-8 encoded length of 513 exceeds key length limit of 512."});
  EXPECT_EQ(refusal.status, 414);
  EXPECT_EQ(refusal.reason, "UTF-8 encoded length of 513 exceeds key length limit of 512.");
  EXPECT_EQ(refusal.body, refusal.reason);
  EXPECT_EQ(binding_failure(Status(Code::kInternal, std::string(2000, 'x'))).reason.size(), 512U);
  EXPECT_EQ(binding_missing().status, 404);
}

TEST(BindingAnswerTest, NothingButAMissingKeyIs404) {
  for (int value = 1; value <= 0x0403; ++value) {
    const Code code = static_cast<Code>(value);
    if (code_name(code) == "unknown") continue;
    const int status = binding_failure(Status(code, "why")).status;
    EXPECT_GE(status, 400) << value;
    EXPECT_NE(status, 404) << value;
    EXPECT_NE(status, 410) << value;
  }
  EXPECT_EQ(binding_failure(Status(Code::kUnauthenticated, "")).status, 401);
  EXPECT_EQ(binding_failure(Status(Code::kDenied, "")).status, 403);
  EXPECT_EQ(binding_failure(Status(Code::kNamespaceNotFound, "")).status, 400);
  EXPECT_EQ(binding_failure(Status(Code::kDiskFull, "")).status, 507);
}

TEST(BindingAnswerTest, ListsLeaveAbsentThingsOut) {
  EXPECT_EQ(binding_list({}, false).body, "{\"keys\":[],\"list_complete\":true}");
  std::vector<storage::ListItem> items(2);
  items[0].key = "a\"\n";
  items[1].key = "b";
  items[1].entry.metadata = "{\"a\":1}";
  items[1].entry.expires_at = from_unix_ms(1'700'000'000'001);
  EXPECT_EQ(binding_list(items, true).body,
            "{\"keys\":[{\"name\":\"a\\\"\\n\"},{\"name\":\"b\",\"expiration\":1700000001,"
            "\"metadata\":\"{\\\"a\\\":1}\"}],\"list_complete\":false,\"cursor\":\"" +
                make_list_cursor("b") + "\"}");
}

TEST(BindingAnswerTest, HeadersSayWhatThereIs) {
  storage::Entry entry;
  EXPECT_TRUE(binding_headers(entry).empty());
  entry.metadata = "[1]";
  entry.expires_at = from_unix_ms(1'700'000'000'000);
  const auto headers = binding_headers(entry);
  ASSERT_EQ(headers.size(), 2U);
  EXPECT_EQ(headers[0], std::pair(std::string("CF-KV-Metadata"), std::string("[1]")));
  EXPECT_EQ(headers[1], std::pair(std::string("CF-Expiration"), std::string("1700000000")));
}

}  // namespace
}  // namespace edged::kv_http
