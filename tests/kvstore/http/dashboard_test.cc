// SPDX-License-Identifier: Apache-2.0
// The dashboard's page and its stream of figures over a loopback socket.
#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio.hpp>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "kvstore/http/dashboard_events.h"
#include "kvstore/http/dashboard_page.h"
#include "tests/proto/http/server_fixture.h"

namespace edged::kv_http {
namespace {

namespace asio = boost::asio;
using http::body_of;
using http::has_status;
using http::RawClient;

constexpr std::size_t kListenersMax = 3;

class DashboardTest : public testing::Test {
 protected:
  DashboardTest()
      : server(context.get_executor(), {.address = "127.0.0.1:0"}),
        events(
            context.get_executor(),
            [this] {
              std::string text("{\"n\":");
              return text.append(std::to_string(++made)).append("}");
            },
            [this](std::string_view credential) {
              if (open || credential == "good") return Status();
              return credential.empty() ? Status(Code::kUnauthenticated, "no token")
                                        : Status(Code::kDenied, "another token");
            },
            {.listeners_max = kListenersMax, .interval = std::chrono::milliseconds(20)}) {
    add_dashboard_page(server);
    events.add_routes(server);
    EXPECT_TRUE(server.listen().ok());
    thread = std::thread([this] { context.run(); });
  }
  ~DashboardTest() override {
    asio::post(context, [this] { events.stop(); });
    asio::co_spawn(context, server.drain(std::chrono::seconds(5)), asio::use_future).get();
    work.reset();
    thread.join();
  }

  static std::string request(const std::string& path,
                             const std::string& more = "",
                             const char* method = "GET") {
    std::string text(method);
    return text.append(" ")
        .append(path)
        .append(" HTTP/1.1\r\nHost: localhost\r\n")
        .append(more)
        .append("\r\n");
  }
  std::optional<std::string> ask(const std::string& path,
                                 const std::string& more = "",
                                 const char* method = "GET") {
    RawClient client(server.address());
    client.send(request(path, more, method));
    return client.response(std::string_view(method) == "HEAD");
  }

  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
  std::atomic<int> made{0};
  std::atomic<bool> open{true};
  http::Server server;
  DashboardEvents events;
  std::thread thread;
};

// A reader of the stream.
class Reader {
 public:
  explicit Reader(const std::string& address, const std::string& more = "") : client_(address) {
    std::string text("GET /dashboard/events HTTP/1.1\r\nHost: localhost\r\n");
    client_.send(text.append(more).append("\r\n"));
    head_ = client_.response().value_or("");
  }
  const std::string& head() const { return head_; }
  // The number in the next event; nothing at the end of the stream, or if there is none.
  std::optional<int> next() {
    constexpr std::string_view kBefore = "data: {\"n\":";
    if (!has_status(head_, 200)) return std::nullopt;
    const std::string event = client_.until("\n\r\n");  // an event in its chunk, or the last chunk
    const std::size_t at = event.find(kBefore);
    if (at == std::string::npos) return std::nullopt;
    return std::stoi(event.substr(at + kBefore.size()));
  }

 private:
  RawClient client_;
  std::string head_;
};

TEST_F(DashboardTest, ServesThePageAndAllItNames) {
  const auto page = ask("/");
  ASSERT_TRUE(has_status(page, 200));
  EXPECT_NE(page->find("Content-Type: text/html; charset=utf-8"), std::string::npos);
  EXPECT_NE(page->find("Content-Security-Policy: default-src 'none';"), std::string::npos);
  EXPECT_EQ(page->find("unsafe"), std::string::npos);
  const std::string body = body_of(page);
  std::size_t named = 0;
  for (std::size_t at = 0; (at = body.find("=\"/dashboard/", at)) != std::string::npos;
       ++at, ++named) {
    const std::string path = body.substr(at + 2, body.find('"', at + 2) - at - 2);
    EXPECT_TRUE(has_status(ask(path), 200)) << path;
  }
  EXPECT_GE(named, 5u);
  EXPECT_TRUE(has_status(ask("/dashboard/absent.js"), 404));
  EXPECT_TRUE(has_status(ask("/", "", "POST"), 405));
}

TEST_F(DashboardTest, CompressesForWhoeverTakesIt) {
  const auto packed = ask("/dashboard/main.js", "Accept-Encoding: gzip, br\r\n");
  ASSERT_TRUE(has_status(packed, 200));
  EXPECT_NE(packed->find("Content-Encoding: gzip"), std::string::npos);
  EXPECT_EQ(body_of(packed).substr(0, 2), "\x1f\x8b");
  const auto plain = ask("/dashboard/main.js");
  EXPECT_EQ(plain->find("Content-Encoding"), std::string::npos);
  EXPECT_LT(body_of(packed).size(), body_of(plain).size());
}

// Links lead to the page from anywhere; the figures are for the page alone.
TEST_F(DashboardTest, OtherSitesMayLinkToThePageButNotReadTheFigures) {
  const std::string foreign = "Sec-Fetch-Site: cross-site\r\n";
  EXPECT_TRUE(has_status(ask("/", foreign), 200));
  EXPECT_TRUE(has_status(ask("/dashboard/events", foreign), 403));
  EXPECT_TRUE(has_status(ask("/dashboard/main.js", foreign), 403));
}

TEST_F(DashboardTest, StreamsSnapshotsAsTheyAreMade) {
  Reader reader(server.address());
  ASSERT_TRUE(has_status(reader.head(), 200));
  EXPECT_NE(reader.head().find("Content-Type: text/event-stream"), std::string::npos);
  EXPECT_NE(reader.head().find("Cache-Control: no-store"), std::string::npos);
  const auto first = reader.next();
  ASSERT_TRUE(first);
  for (int last = *first, i = 0; i < 5; ++i) {
    const auto next = reader.next();
    ASSERT_TRUE(next);
    EXPECT_GT(*next, last);
    last = *next;
  }
}

TEST_F(DashboardTest, ReadersShareTheSnapshots) {
  Reader one(server.address()), two(server.address());
  std::set<int> seen_by_both;
  std::set<int> of_one;
  for (int i = 0; i < 20; ++i) of_one.insert(one.next().value_or(0));
  for (int i = 0; i < 20; ++i) {
    const int number = two.next().value_or(0);
    if (of_one.contains(number)) seen_by_both.insert(number);
  }
  EXPECT_FALSE(seen_by_both.empty());
}

TEST_F(DashboardTest, MakesNoSnapshotsWhileNobodyReads) {
  EXPECT_EQ(made, 0);
  { EXPECT_TRUE(Reader(server.address()).next()); }
  // The server sees that the reader is gone when it writes; then the number stands still.
  const auto end = http::steady_clock::now() + http::kPatience;
  for (int before = -1; before != made && http::steady_clock::now() < end;) {
    before = made;
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
  }
  const int before = made;
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_EQ(made, before);
  EXPECT_TRUE(Reader(server.address()).next());
  EXPECT_GT(made, before);
}

TEST_F(DashboardTest, HasABoundOfReaders) {
  std::vector<std::unique_ptr<Reader>> readers;
  for (std::size_t i = 0; i < kListenersMax; ++i) {
    readers.push_back(std::make_unique<Reader>(server.address()));
    ASSERT_TRUE(readers.back()->next());
  }
  const auto refused = ask("/dashboard/events");
  EXPECT_TRUE(has_status(refused, 503));
  EXPECT_NE(refused->find("Retry-After: "), std::string::npos);
  readers.pop_back();
  const auto end = http::steady_clock::now() + http::kPatience;
  bool taken = false;
  while (!taken && http::steady_clock::now() < end) {
    taken = Reader(server.address()).next().has_value();
    if (!taken) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_TRUE(taken);
}

TEST_F(DashboardTest, FiguresNeedTheRightToReadThem) {
  open = false;
  EXPECT_TRUE(has_status(ask("/dashboard/events"), 401));
  EXPECT_TRUE(has_status(ask("/dashboard/events", "Authorization: Bearer bad\r\n"), 403));
  EXPECT_EQ(made, 0);
  EXPECT_TRUE(has_status(ask("/"), 200));
  EXPECT_TRUE(Reader(server.address(), "Authorization: Bearer good\r\n").next());
}

TEST_F(DashboardTest, ARevokedTokenEndsItsStream) {
  Reader reader(server.address());
  EXPECT_TRUE(reader.next());
  open = false;
  const auto end = http::steady_clock::now() + http::kPatience;
  bool ended = false;
  while (!ended && http::steady_clock::now() < end) ended = !reader.next();
  EXPECT_TRUE(ended);
}

TEST_F(DashboardTest, OtherMethodsAndPathsAreRefused) {
  EXPECT_TRUE(has_status(ask("/dashboard/events", "", "HEAD"), 405));
  EXPECT_TRUE(has_status(ask("/dashboard/events", "Content-Length: 0\r\n", "POST"), 405));
  EXPECT_TRUE(has_status(ask("/dashboard/events/x"), 404));
  EXPECT_EQ(made, 0);
}

// A node that stops must not wait for its dashboards.
TEST_F(DashboardTest, StoppingEndsTheStreams) {
  Reader reader(server.address());
  EXPECT_TRUE(reader.next());
  asio::post(context, [this] { events.stop(); });
  const auto end = http::steady_clock::now() + http::kPatience;
  bool ended = false;
  while (!ended && http::steady_clock::now() < end) ended = !reader.next();
  EXPECT_TRUE(ended);
  EXPECT_TRUE(has_status(ask("/dashboard/events"), 503));
}

// The head of a stream promises that the connection goes on; a server that drains ends it anyway.
TEST_F(DashboardTest, DrainingDoesNotWaitForTheConnectionsOfStreams) {
  Reader reader(server.address());
  EXPECT_TRUE(reader.next());
  asio::post(context, [this] { events.stop(); });
  const auto begun = http::steady_clock::now();
  asio::co_spawn(context, server.drain(2 * http::kPatience), asio::use_future).get();
  EXPECT_LT(http::steady_clock::now() - begun, http::kPatience);
}

}  // namespace
}  // namespace edged::kv_http
