// SPDX-License-Identifier: Apache-2.0
// The pure parts of the HTTP server: targets, addresses, routes.
#include "proto/http/request.h"

#include <gtest/gtest.h>

#include "proto/http/host_port.h"
#include "proto/http/router.h"

namespace edged::http {
namespace {

using Query = std::map<std::string, std::string>;

TEST(RequestTargetTest, TakesPathAndQueryApart) {
  const struct {
    const char* target;
    const char* path;
    Query query;
  } cases[] = {
      {"/", "/", {}},
      {"/a/b?x=1&y=2", "/a/b", {{"x", "1"}, {"y", "2"}}},
      {"/a%2fb%20c+d", "/a/b c+d", {}},
      {"/a?x=%26+%3D&flag&=v", "/a", {{"x", "& ="}, {"flag", ""}, {"", "v"}}},
      {"/a?x=1&x=2&&", "/a", {{"x", "2"}}},
      {"/a?x=a=b?c/d", "/a", {{"x", "a=b?c/d"}}},
      {"/%C3%A9", "/\xc3\xa9", {}},
      {"HTTP://host:1/a?x=1", "/a", {{"x", "1"}}},
      {"https://host", "/", {}},
      {"http://host?x=1", "/", {{"x", "1"}}},
  };
  for (const auto& item : cases) {
    const auto target = parse_target(item.target);
    ASSERT_TRUE(target) << item.target << ": " << target.error().message();
    EXPECT_EQ(target->path, item.path) << item.target;
    EXPECT_EQ(target->query, item.query) << item.target;
  }
}

TEST(RequestTargetTest, RefusesOtherForms) {
  for (const char* target : {"",
                             "*",
                             "a",
                             "host:80",
                             "ftp://host/a",
                             "/a#b",
                             "/%",
                             "/%4",
                             "/%4g",
                             "/%00",
                             "/%0a",
                             "/a?x=%",
                             "/a?%zz=1",
                             "%2Fa%"}) {
    const auto parsed = parse_target(target);
    EXPECT_FALSE(parsed) << target;
    EXPECT_EQ(parsed.code(), Code::kInvalidArgument) << target;
  }
}

TEST(HostPortTest, TakesAddressesApart) {
  EXPECT_EQ(split_host_port("127.0.0.1:4781")->host, "127.0.0.1");
  EXPECT_EQ(split_host_port("127.0.0.1:4781")->port, 4781);
  EXPECT_EQ(split_host_port("localhost:0")->host, "localhost");
  EXPECT_EQ(split_host_port("[::1]:65535")->host, "::1");
  EXPECT_EQ(split_host_port("[::1]:65535")->port, 65535);
  for (const char* bad :
       {"", ":", ":1", "a", "a:", "a:b", "a:65536", "a:-1", "a:1x", "::1:80", "[]:1"}) {
    EXPECT_EQ(split_host_port(bad).code(), Code::kInvalidArgument) << bad;
  }
}

TEST(RouterTest, FindsTheExactPathThenTheLongestPrefix) {
  Router router;
  const Handler handler = [](Request) -> boost::asio::awaitable<Response> { co_return Response(); };
  for (const char* path : {"/", "/a", "/a/", "/a/b/"}) router.add("GET", path, handler);
  router.add("POST", "/a/b/", handler);
  router.add("DELETE", "/only", handler);
  EXPECT_EQ(router.find("GET", "/a").allow, "GET, HEAD");
  EXPECT_EQ(router.find("GET", "/a/b/c/d").allow, "GET, HEAD, POST");
  EXPECT_EQ(router.find("GET", "/a/b").allow, "GET, HEAD");
  EXPECT_NE(router.find("GET", "/").handler, nullptr);
  EXPECT_NE(router.find("HEAD", "/a/x").handler, nullptr);
  EXPECT_EQ(router.find("PUT", "/a/x").handler, nullptr);
  EXPECT_EQ(router.find("HEAD", "/only").handler, nullptr);
  EXPECT_EQ(router.find("HEAD", "/only").allow, "DELETE");
  for (const char* unknown : {"", "/x", "/only/", "/ab", "a"}) {
    EXPECT_EQ(router.find("GET", unknown).allow, "") << unknown;
  }
}

}  // namespace
}  // namespace edged::http
