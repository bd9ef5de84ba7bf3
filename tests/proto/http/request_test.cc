// SPDX-License-Identifier: Apache-2.0
// The pure parts of the HTTP server: targets, addresses, routes.
#include "proto/http/request.h"

#include <gtest/gtest.h>

#include "proto/http/host_port.h"
#include "proto/http/input_buffer.h"
#include "proto/http/response_text.h"
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

TEST(ResponseTextTest, WritesTheHead) {
  ResponseHead head;
  head.content_type = "text/x";
  head.headers.emplace_back("X-A", "b");
  EXPECT_EQ(head_text(head, {.body_bytes = 5}),
            "HTTP/1.1 200 OK\r\nContent-Type: text/x\r\nCache-Control: no-store\r\n"
            "X-Content-Type-Options: nosniff\r\nX-A: b\r\nContent-Length: 5\r\n\r\n");
  head = {};
  EXPECT_EQ(head_text(head, {.keep_alive = false}),
            "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
            "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n");
  head.status = 204;
  EXPECT_EQ(head_text(head, {.version = 10, .body_bytes = 0}),
            "HTTP/1.0 204 No Content\r\nCache-Control: no-store\r\n"
            "X-Content-Type-Options: nosniff\r\nConnection: keep-alive\r\n\r\n");
}

TEST(ResponseTextTest, NothingBreaksTheFrame) {
  ResponseHead head;
  head.status = 400;
  head.reason = "a\r\nX-Injected: b\xC3\xA9\x7F~";
  head.headers.emplace_back("X-A", std::string("b\r\n\r\nc\0d\x7F\xC3\xA9", 11));
  const std::string text = head_text(head, {.body_bytes = 0});
  EXPECT_TRUE(text.starts_with("HTTP/1.1 400 a??X-Injected: b???~\r\n")) << text;
  EXPECT_NE(text.find("\r\nX-A: b    c d\x7F\xC3\xA9\r\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("\r\n\r\n"), text.size() - 4);
}

TEST(InputBufferTest, HoldsABoundedNumberOfBytes) {
  InputBuffer buffer;
  EXPECT_TRUE(buffer.empty());
  InputBuffer::Room room = buffer.prepare(4);
  std::copy_n("abcd", 4, room.at);
  buffer.commit(3);
  EXPECT_EQ(buffer.view(), "abc");
  buffer.consume(2);
  room = buffer.prepare(1'000'000);
  EXPECT_EQ(room.size, InputBuffer::kBytesMax - 1);
  std::fill_n(room.at, room.size, 'x');
  buffer.commit(room.size);
  EXPECT_EQ(buffer.view().substr(0, 3), "cxx");
  EXPECT_EQ(buffer.prepare(1).size, 0U);
  buffer.commit(0);
  buffer.clear();
  EXPECT_TRUE(buffer.empty());
}

}  // namespace
}  // namespace edged::http
