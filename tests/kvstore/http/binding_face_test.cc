// SPDX-License-Identifier: Apache-2.0
// What a Worker's env.KV sees of the node: each call of the binding and its answer, on a real
// store.
#include <unistd.h>

#include "tests/kvstore/http/binding_fixture.h"

namespace edged::kv_http {
namespace {

using std::chrono::seconds;
constexpr std::size_t kMegabyte = 1 << 20;

TEST_F(BindingFixture, PutGetDelete) {
  EXPECT_EQ(get("k").status, "404 Not Found");
  EXPECT_EQ(put("k", "value").status, "200 OK");
  const Answer answer = get("k");
  EXPECT_EQ(answer.status, "200 OK");
  EXPECT_EQ(answer.body, "value");
  EXPECT_FALSE(answer.headers.contains("CF-KV-Metadata"));
  EXPECT_FALSE(answer.headers.contains("CF-Expiration"));
  EXPECT_EQ(ask("HEAD", "/k?urlencoded=true").headers.at("Content-Length"), "5");
  EXPECT_EQ(ask("DELETE", "/k?urlencoded=true").status, "200 OK");
  EXPECT_EQ(get("k").status, "404 Not Found");
  EXPECT_EQ(ask("DELETE", "/k?urlencoded=true").status, "200 OK");
  EXPECT_EQ(put("empty", "").status, "200 OK");
  EXPECT_EQ(get("empty").status, "200 OK");
  EXPECT_EQ(get("empty").body, "");
}

TEST_F(BindingFixture, ReadsAndDeletesEscapeOneKeyDifferently) {
  const std::string raw = "a+&=:@$,;[]|^!'()*~b";
  const std::string escaped = "a%2B%26%3D%3A%40%24%2C%3B%5B%5D%7C%5E!'()*~b";
  EXPECT_EQ(put(raw, "v").status, "200 OK");
  EXPECT_EQ(get(raw).body, "v");
  EXPECT_EQ(ask("DELETE", "/" + escaped + "?urlencoded=true").status, "200 OK");
  EXPECT_EQ(get(raw).status, "404 Not Found");
}

TEST_F(BindingFixture, MetadataAndExpirationComeBack) {
  const std::string metadata = "{\"a\":\"\xE2\x80\xA8\x7F\",\"n\":1.50}";
  const Answer stored =
      ask("PUT", "/k?urlencoded=true&expiration_ttl=100", "v", {{"CF-KV-Metadata", metadata}});
  EXPECT_EQ(stored.status, "200 OK");
  const Answer answer = get("k");
  EXPECT_EQ(answer.headers.at("CF-KV-Metadata"), metadata);
  const std::string list = ask("GET", "/").body;
  EXPECT_NE(list.find("\"expiration\":" + answer.headers.at("CF-Expiration")), std::string::npos);
  EXPECT_NE(list.find("\"metadata\":\"{\\\"a\\\":\\\""), std::string::npos) << list;
  clock_.advance(seconds(101));
  EXPECT_EQ(get("k").status, "404 Not Found");
  EXPECT_EQ(ask("GET", "/").body, "{\"keys\":[],\"list_complete\":true}");
  EXPECT_EQ(put("k", "plain").status, "200 OK");
  EXPECT_FALSE(get("k").headers.contains("CF-KV-Metadata"));
}

TEST_F(BindingFixture, TheReasonPhraseSaysWhyAndTheOldValueStays) {
  put("k", "old");
  EXPECT_EQ(ask("PUT", "/k?urlencoded=true&expiration_ttl=30", "new").status,
            "400 Invalid expiration_ttl of 30. Expiration TTL must be at least 60.");
  EXPECT_EQ(ask("PUT",
                "/k?urlencoded=true",
                "new",
                {{"CF-KV-Metadata", "\"" + std::string(1023, 'm') + "\""}})
                .status,
            "413 Metadata length of 1025 exceeds limit of 1024.");
  EXPECT_EQ(get(std::string(513, 'k')).status,
            "414 UTF-8 encoded length of 513 exceeds key length limit of 512.");
  EXPECT_EQ(ask("PUT", "/k?expiration=\xC3\xA9", "new").status.substr(0, 29),
            "400 Invalid expiration of ??.");
  EXPECT_EQ(get("k").body, "old");
  EXPECT_EQ(ask("PURGE", "/k").status, "405 Method Not Allowed");
  EXPECT_EQ(ask("PURGE", "/k").headers.at("Allow"), "GET, HEAD, PUT, DELETE");
}

TEST_F(BindingFixture, LargeValuesAreStreamedBothWays) {
  std::string value(25 * kMegabyte, 'x');
  for (std::size_t i = 0; i < value.size(); i += 4096) value[i] = static_cast<char>(i >> 12);
  EXPECT_EQ(put("large", value).status, "200 OK");
  const Answer answer = get("large");
  EXPECT_EQ(answer.status, "200 OK");
  EXPECT_TRUE(answer.body == value);
  EXPECT_EQ(put("large", value + "x").status,
            "413 Value length of 26214401 exceeds limit of 26214400.");
  EXPECT_EQ(get("large").body.size(), value.size());
}

TEST_F(BindingFixture, AStreamOfUnknownLengthIsChunked) {
  const std::string begin =
      head("PUT", "/k?urlencoded=true", {}) + "Transfer-Encoding: chunked\r\n\r\n";
  std::string frames;
  for (int i = 0; i < 40; ++i) frames += "8000\r\n" + std::string(0x8000, 'a') + "\r\n";
  EXPECT_EQ(send(begin + frames + "0\r\n\r\n").status, "200 OK");
  EXPECT_EQ(get("k").body.size(), 40u * 0x8000);
  const std::string chunk = "100000\r\n" + std::string(kMegabyte, 'b') + "\r\n";
  std::string above;
  for (int i = 0; i < 26; ++i) above += chunk;
  EXPECT_EQ(send(begin + above + "0\r\n\r\n").status,
            "413 Value length of 27262976 exceeds limit of 26214400.");
  EXPECT_EQ(get("k").body.size(), 40u * 0x8000);
  EXPECT_EQ(send(begin + "zz\r\n").status.substr(0, 4), "400 ");
}

TEST_F(BindingFixture, AnUploadThatStopsHalfWayStoresNothing) {
  {
    http::RawClient client(address_);
    client.send(head("PUT", "/k?urlencoded=true", {}) + "Content-Length: 1000000\r\n\r\n" +
                std::string(500'000, 'x'));
  }
  EXPECT_EQ(get("k").status, "404 Not Found");
}

TEST_F(BindingFixture, ListsPageByPage) {
  for (int i = 0; i < 7; ++i) put("a" + std::to_string(i), "v");
  put("b", "v");
  EXPECT_EQ(ask("GET", "/?prefix=b&cursor=").body,
            "{\"keys\":[{\"name\":\"b\"}],\"list_complete\":true}");
  std::string cursor, names;
  int pages = 0;
  for (bool complete = false; !complete; ++pages) {
    const std::string page =
        ask("GET", "/?key_count_limit=3&prefix=a" + (cursor.empty() ? "" : "&cursor=" + cursor))
            .body;
    for (std::size_t at = 0; (at = page.find("\"name\":\"", at)) != std::string::npos; at += 8) {
      names += page.substr(at + 8, 2);
    }
    complete = page.find("\"list_complete\":true") != std::string::npos;
    const std::size_t at = page.find("\"cursor\":\"");
    EXPECT_EQ(at == std::string::npos, complete);
    if (!complete) cursor = page.substr(at + 10, page.rfind('"') - at - 10);
    ASSERT_LT(pages, 4);
  }
  EXPECT_EQ(names, "a0a1a2a3a4a5a6");
  EXPECT_EQ(pages, 3);
  // Exactly as many as the limit: complete, and without a cursor.
  EXPECT_EQ(ask("GET", "/?key_count_limit=7&prefix=a").body.find("cursor"), std::string::npos);
  EXPECT_EQ(ask("GET", "/?key_count_limit=1001").status,
            "400 Invalid key_count_limit of 1001. Please specify an integer less than 1000.");
}

TEST_F(BindingFixture, BulkReadsAnswerEachNameOnceInOrder) {
  put("j", "{\"a\":1}");
  put("t", "text", {{"CF-KV-Metadata", "[1]"}});
  put("null", "null");
  const auto bulk = [this](const std::string& body) { return ask("POST", "/bulk/get", body); };
  EXPECT_EQ(bulk(R"({"keys":["t","missing","j","t","__proto__"]})").body,
            R"({"t":"text","missing":null,"j":"{\"a\":1}","__proto__":null})");
  EXPECT_EQ(bulk(R"({"keys":["j","null"],"type":"json","cacheTtl":"60"})").body,
            R"({"j":{"a":1},"null":null})");
  EXPECT_EQ(bulk(R"({"keys":["t","missing"],"withMetadata":true})").body,
            R"({"t":{"value":"text","metadata":[1]},"missing":null})");
  EXPECT_EQ(bulk(R"({"keys":["t"],"type":"json"})").status,
            "400 At least one of the requested keys corresponds to a non-json value");
  EXPECT_EQ(bulk(R"({"keys":[]})").status, "400 You must request a minimum of 1 key");
  EXPECT_EQ(bulk(R"({"keys":["t"],"type":"stream"})").status,
            "400 \"stream\" is not a valid type. Use \"json\" or \"text\"");
  EXPECT_EQ(bulk(R"({"keys":["t"],"cacheTtl":"10"})").status,
            "400 Invalid cache_ttl of 10. Cache TTL must be at least 30.");
  std::string many = "{\"keys\":[\"k0\"";
  for (int i = 1; i <= 100; ++i) many += ",\"k" + std::to_string(i) + "\"";
  EXPECT_EQ(bulk(many + "]}").status, "400 You can request a maximum of 100 keys");
  EXPECT_EQ(bulk("nonsense").status.substr(0, 4), "400 ");
  EXPECT_EQ(bulk(std::string(3 * kMegabyte, ' ')).status.substr(0, 4), "400 ");
  const std::string half(13 * kMegabyte, 'x');
  put("h1", half);
  put("h2", half);
  EXPECT_EQ(bulk(R"({"keys":["h1","h2"]})").status,
            "413 Total size of request exceeds the limit of 25MB");
  EXPECT_EQ(bulk(R"({"keys":["h1"]})").body.size(), half.size() + 9);
  EXPECT_EQ(get("bulk%2Fget").status, "404 Not Found");
}

TEST_F(BindingFixture, NamespacesByHeaderAndByHost) {
  const auto other = store_->create_namespace("users", "");
  ASSERT_TRUE(other);
  put("k", "of default");
  put("k", "of users", {{"X-KV-Namespace", "users"}});
  EXPECT_EQ(get("k").body, "of default");
  EXPECT_EQ(get("k", {{"X-KV-Namespace", other->id}}).body, "of users");
  for (const std::string host : {"users", "users.kv.internal:4782", "USERS.kv.example.org"}) {
    EXPECT_EQ(get("k", {{"Host", host}}).body, "of users") << host;
  }
  EXPECT_EQ(get("k", {{"Host", id_ + ".kv.internal"}}).body, "of default");
  const std::string proxied =
      "GET http://users/k?urlencoded=true HTTP/1.1\r\nConnection: close\r\n\r\n";
  EXPECT_EQ(send(proxied).body, "of users");
}

TEST_F(BindingFixture, AWrongNamespaceIsNeverAMissingKey) {
  for (const Fields& fields : std::initializer_list<Fields>{{{"X-KV-Namespace", "nobody"}},
                                                            {{"Host", "nobody.kv.internal"}},
                                                            {{"Host", "fake-host"}},
                                                            {{"Host", "127.0.0.1"}}}) {
    for (const char* method : {"GET", "PUT", "DELETE"}) {
      EXPECT_EQ(ask(method, "/k?urlencoded=true", "", fields).status.substr(0, 4), "400 ");
    }
    EXPECT_EQ(ask("GET", "/", "", fields).status.substr(0, 4), "400 ");
    EXPECT_EQ(ask("POST", "/bulk/get", "{\"keys\":[\"k\"]}", fields).status.substr(0, 4), "400 ");
  }
  for (const char* target : {"/a/b", "//", "/healthz/x", "/%zz?urlencoded=true"}) {
    EXPECT_EQ(ask("GET", target).status.substr(0, 4), "400 ") << target;
  }
}

TEST_F(BindingFixture, TokensRuleOnceThereAreAny) {
  EXPECT_EQ(get("k", bearer("whatever")).status, "404 Not Found");
  const std::string reader = make_token("read").secret;
  const std::string foreign = make_token("read", {std::string(32, '0')}).secret;
  EXPECT_EQ(get("k").status.substr(0, 4), "401 ");
  EXPECT_EQ(get("k", bearer("wrong")).status.substr(0, 4), "401 ");
  EXPECT_EQ(get("k", bearer(reader)).status, "404 Not Found");
  EXPECT_EQ(put("k", "v", bearer(reader)).status.substr(0, 4), "403 ");
  EXPECT_EQ(ask("GET", "/", "", bearer(reader)).status.substr(0, 4), "403 ");
  EXPECT_EQ(get("k", bearer(foreign)).status.substr(0, 4), "400 ");
}

TEST_F(BindingFixture, WebPagesGetNothing) {
  put("k", "secret");
  EXPECT_EQ(get("k", {{"Origin", "http://evil.example"}}).status.substr(0, 4), "403 ");
  EXPECT_EQ(get("k", {{"Sec-Fetch-Site", "cross-site"}}).status.substr(0, 4), "403 ");
  // A page that made its own name lead here.
  for (const std::string host : {"evil.example", "default.evil.example"}) {
    EXPECT_EQ(get("k", {{"Host", host}, {"X-KV-Namespace", id_}}).status.substr(0, 4), "403 ");
  }
}

TEST_F(BindingFixture, ServesAUnixSocketToItsOwnUserWithoutAToken) {
  const std::string reader = make_token("read").secret;
  stop();
  server_.address = "unix:" + dir_.path() + "/binding.sock";
  start();
  EXPECT_EQ(put("k", "v").status, "200 OK");
  EXPECT_EQ(get("k").body, "v");
  EXPECT_EQ(put("k", "v", bearer(reader)).status.substr(0, 4), "403 ");
}

TEST_F(BindingFixture, ManyClientsAtOnce) {
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int client = 0; client < 8; ++client) {
    threads.emplace_back([this, client, &right] {
      const std::string key = "k" + std::to_string(client);
      const std::string value(static_cast<std::size_t>(client) * 40'000, 'v');
      for (int i = 0; i < 10; ++i) {
        if (put(key, value).status == "200 OK" && get(key).body == value) ++right;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 80);
}

}  // namespace
}  // namespace edged::kv_http
