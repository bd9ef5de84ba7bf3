// SPDX-License-Identifier: Apache-2.0
// A web page must not reach the server through a browser on its machine, whatever name it uses.
#include "proto/http/own_host.h"

#include <gtest/gtest.h>

#include "tests/proto/http/server_fixture.h"

namespace edged::http {
namespace {

using Hosts = std::vector<std::string>;

TEST(AuthorityTest, TakesHostAndPortApart) {
  const struct {
    const char* text;
    const char* host;
    std::optional<std::uint16_t> port;
  } cases[] = {
      {"localhost", "localhost", std::nullopt},
      {"LocalHost.:80", "localhost", 80},
      {"localhost:", "localhost", std::nullopt},
      {"127.0.0.1:65535", "127.0.0.1", 65535},
      {"[::1]", "::1", std::nullopt},
      {"[FE80::1]:0", "fe80::1", 0},
      {"a_b-c.example", "a_b-c.example", std::nullopt},
  };
  for (const auto& item : cases) {
    const auto authority = parse_authority(item.text);
    ASSERT_TRUE(authority) << item.text;
    EXPECT_EQ(authority->host, item.host) << item.text;
    EXPECT_EQ(authority->port, item.port) << item.text;
  }
}

TEST(AuthorityTest, RefusesWhatIsNone) {
  for (const char* text : {"",
                           ".",
                           "..",
                           "a..b",
                           ".a",
                           ":80",
                           "a:b",
                           "a:-1",
                           "a:65536",
                           "a:80:80",
                           "a:80 ",
                           "a b",
                           "user@localhost",
                           "localhost/x",
                           "localhost?x",
                           "localhost\\x",
                           "a,b",
                           "%6cocalhost",
                           "[::1",
                           "::1",
                           "[]",
                           "[::1]x",
                           "[::1]:x",
                           "[::1%25lo]",
                           "[127.0.0.1]",
                           "\xc3\xa9.example",
                           "localhost, localhost"}) {
    EXPECT_FALSE(parse_authority(text)) << text;
  }
  EXPECT_FALSE(parse_authority(std::string(254, 'a')));
}

TEST(OwnHostTest, IsNumericOrLocalhostOrConfigured) {
  const Hosts hosts{"KV.Example.org.", "edged"};
  for (const char* own : {"127.0.0.1:4781",
                          "10.0.0.7",
                          "[::1]:4781",
                          "[2001:db8::1]",
                          "localhost",
                          "LOCALHOST.",
                          "kv.example.org",
                          "KV.EXAMPLE.ORG.:443",
                          "edged"}) {
    EXPECT_TRUE(is_own_host(*parse_authority(own), hosts)) << own;
  }
  for (const char* foreign : {"evil.example",
                              "localhost.evil.example",
                              "127.0.0.1.evil.example",
                              "127.1",
                              "2130706433",
                              "0x7f.0.0.1",
                              "127.0.0.01",
                              "x.kv.example.org",
                              "example.org",
                              "evil-localhost",
                              "edged2"}) {
    EXPECT_FALSE(is_own_host(*parse_authority(foreign), hosts)) << foreign;
  }
}

TEST_F(ServerTest, RefusesAHostThatIsNotItsOwn) {
  start();
  const auto status = [this](const std::string& host) {
    const auto response = ask("GET /hello HTTP/1.1\r\nHost: " + host + "\r\n\r\n");
    return response ? response->substr(9, 3) : "none";
  };
  for (const char* own : {"here", "HERE.", "here:4781", "127.0.0.1", "[::1]:4781", "localhost:1"}) {
    EXPECT_EQ(status(own), "200") << own;
  }
  for (const char* foreign : {"evil.example", "evil.example:4781", "localhost.evil.example"}) {
    EXPECT_EQ(status(foreign), "403") << foreign;
  }
  for (const char* odd : {"", "user@here", "here here", "here:80:80", "[::1", "here, here"}) {
    EXPECT_EQ(status(odd), "400") << odd;
  }
}

// The page at evil.example has let its name lead here: Origin and Host agree.
TEST_F(ServerTest, ARebindingPageGetsNothing) {
  start();
  for (const char* target : {"/hello", "/healthz", "/metrics", "/nothing"}) {
    EXPECT_TRUE(
        has_status(ask(std::string("GET ") + target +
                       " HTTP/1.1\r\nHost: evil.example:4781\r\n"
                       "Origin: http://evil.example:4781\r\nSec-Fetch-Site: same-origin\r\n\r\n"),
                   403))
        << target;
  }
  EXPECT_TRUE(
      has_status(ask("POST /echo HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\n"
                     "Content-Length: 2\r\n\r\nab"),
                 403));
}

TEST_F(ServerTest, TheTargetsHostCountsAsHostDoes) {
  start();
  const auto get = [this](const std::string& target, const std::string& headers) {
    return ask("GET " + target + " HTTP/1.1\r\n" + headers + "\r\n");
  };
  EXPECT_TRUE(has_status(get("http://here/hello", kHost), 200));
  EXPECT_TRUE(has_status(get("http://evil.example/hello", kHost), 403));
  EXPECT_TRUE(has_status(get("http://here/hello", "Host: evil.example\r\n"), 403));
  EXPECT_TRUE(has_status(get("http://user@here/hello", kHost), 400));
  EXPECT_TRUE(has_status(get("http:///hello", kHost), 400));
  EXPECT_TRUE(
      has_status(get("http://localhost:1/hello", kHost + "Origin: http://localhost:1\r\n"), 200));
  EXPECT_TRUE(has_status(get("http://localhost:1/hello", kHost + "Origin: http://here\r\n"), 403));
}

TEST_F(ServerTest, AnOldRequestNeedsNoHostAndHasNoOrigin) {
  start();
  EXPECT_EQ(body_of(ask("GET /hello HTTP/1.0\r\n\r\n")), "GET /hello []");
  const auto with = ask("GET /hello HTTP/1.0\r\nOrigin: http://here\r\n\r\n");
  ASSERT_TRUE(with);
  EXPECT_EQ(with->substr(9, 3), "403");
}

}  // namespace
}  // namespace edged::http
