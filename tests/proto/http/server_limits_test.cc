// SPDX-License-Identifier: Apache-2.0
// Limits, time-outs, the end of descriptors, and drain.
#include <sys/resource.h>
#include <unistd.h>

#include "tests/proto/http/server_fixture.h"

namespace edged::http {
namespace {

TEST_F(ServerTest, RefusesAHeaderAboveTheLimit) {
  start();
  const std::string start_line = "GET /hello HTTP/1.1\r\n" + kHost + "X-Long: ";
  EXPECT_TRUE(has_status(ask(start_line + std::string(7 * 1024, 'x') + "\r\n\r\n"), 200));
  EXPECT_TRUE(has_status(ask(start_line + std::string(9 * 1024, 'x') + "\r\n\r\n"), 431));
  EXPECT_TRUE(has_status(ask("GET /" + std::string(200'000, 'x')), 431));
}

TEST_F(ServerTest, RefusesABodyAboveTheLimit) {
  options.body_bytes_max = 1000;
  start();
  const auto post = [this](std::size_t size) {
    return ask("POST /echo HTTP/1.1\r\n" + kHost + "Content-Length: " + std::to_string(size) +
               "\r\n\r\n" + std::string(size, 'x'));
  };
  EXPECT_TRUE(has_status(post(1000), 200));
  EXPECT_TRUE(has_status(post(1001), 413));
  EXPECT_TRUE(has_status(post(1'000'000), 413));
  EXPECT_TRUE(has_status(
      ask("POST /echo HTTP/1.1\r\n" + kHost + "Transfer-Encoding: chunked\r\n\r\n3e9\r\n" +
          std::string(1001, 'x') + "\r\n0\r\n\r\n"),
      413));
}

TEST_F(ServerTest, ALateHandlerDoesNotHoldUpOthers) {
  start();
  RawClient slow(address);
  slow.send("GET /slow HTTP/1.1\r\n" + kHost + "\r\n");
  slow_started.get_future().wait();
  EXPECT_TRUE(has_status(ask("GET /hello HTTP/1.1\r\n" + kHost + "\r\n"), 200));
  release();
  EXPECT_EQ(body_of(slow.response()), "late");
}

TEST_F(ServerTest, ClosesAConnectionWhoseHeaderNeverEnds) {
  options.header_timeout = milliseconds(200);
  start();
  RawClient silent(address);
  RawClient client(address);
  const auto begin = steady_clock::now();
  client.send("GET /hello HTTP/1.1\r\n");
  std::atomic<bool> closed{false};
  std::thread dripping([&] {  // bytes keep coming, and do not move the deadline
    while (!closed) {
      client.send("X-A: b\r\n");
      std::this_thread::sleep_for(milliseconds(50));
    }
  });
  EXPECT_TRUE(client.closed());
  const auto took = steady_clock::now() - begin;
  closed = true;
  dripping.join();
  EXPECT_GE(took, milliseconds(150));
  EXPECT_TRUE(silent.closed());
}

TEST_F(ServerTest, ClosesAConnectionWhoseBodyIsTooSlow) {
  options.transfer_grace = milliseconds(200);
  options.transfer_rate_min = 1000;
  start();
  RawClient client(address);
  client.send("POST /echo HTTP/1.1\r\n" + kHost + "Content-Length: 1000\r\n\r\nonly this");
  EXPECT_TRUE(client.closed());
}

TEST_F(ServerTest, ABodyAtTheSlowestRateIsTaken) {
  options.transfer_grace = milliseconds(1000);
  options.transfer_rate_min = 20;  // 20 bytes buy a second
  start();
  RawClient client(address);
  client.send("POST /echo HTTP/1.1\r\n" + kHost + "Content-Length: 600\r\n\r\n");
  for (int i = 0; i < 30; ++i) {  // takes longer than the grace
    client.send(std::string(20, 'x'));
    std::this_thread::sleep_for(milliseconds(50));
  }
  EXPECT_TRUE(has_status(client.response(), 200));
}

TEST_F(ServerTest, ClosesIdleConnections) {
  options.idle_timeout = milliseconds(200);
  start();
  RawClient client(address);
  client.send("GET /hello HTTP/1.1\r\n" + kHost + "\r\n");
  EXPECT_TRUE(has_status(client.response(), 200));
  EXPECT_TRUE(client.closed());
}

TEST_F(ServerTest, DrainLetsARequestEndAndClosesTheIdle) {
  start();
  RawClient idle(address);
  idle.send("GET /hello HTTP/1.1\r\n" + kHost + "\r\n");
  ASSERT_TRUE(has_status(idle.response(), 200));
  RawClient busy(address);
  busy.send("GET /slow HTTP/1.1\r\n" + kHost + "\r\n");
  slow_started.get_future().wait();
  auto drained = drain(kPatience);
  EXPECT_TRUE(idle.closed());
  EXPECT_EQ(drained.wait_for(milliseconds(50)), std::future_status::timeout);
  EXPECT_THROW(RawClient late(address), boost::system::system_error);
  release();
  const auto response = busy.response();
  ASSERT_TRUE(has_status(response, 200));
  EXPECT_NE(response->find("Connection: close\r\n"), std::string::npos) << *response;
  EXPECT_TRUE(busy.closed());
  EXPECT_LT(drained.get(), kPatience);
  EXPECT_LT(drain(kPatience).get(), kPatience);  // twice is safe
}

TEST_F(ServerTest, DrainGivesUpAfterItsTimeout) {
  start();
  RawClient busy(address);
  busy.send("GET /slow HTTP/1.1\r\n" + kHost + "\r\n");
  slow_started.get_future().wait();
  EXPECT_LT(drain(milliseconds(100)).get(), kPatience);
  EXPECT_TRUE(busy.closed());
}

TEST_F(ServerTest, SaysWhyItCannotListen) {
  start();
  ServerOptions taken;
  taken.address = address;
  Server second(context.get_executor(), taken);
  const Status status = second.listen();
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_EQ(status.message(), "could not listen on " + address + ": Address already in use");
  for (const std::string bad : {"", "4781", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:70000", ":1"}) {
    ServerOptions wrong;
    wrong.address = bad;
    EXPECT_EQ(Server(context.get_executor(), wrong).listen().code(), Code::kInvalidArgument) << bad;
  }
}

TEST_F(ServerTest, AcceptsAgainWhenDescriptorsRanOut) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "UBSan's vptr check probes memory with a pipe and needs descriptors itself";
#endif
  start();
  RawClient before(address);  // makes sure that accepting works, and what it needs is open
  before.send("GET /hello HTTP/1.1\r\n" + kHost + "\r\n");
  ASSERT_TRUE(has_status(before.response(), 200));
  RawClient starved(address, [] {
    // The client has its descriptor; the server gets none for its end.
    const int next = ::dup(0);
    ::close(next);
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = static_cast<rlim_t>(next);
    ::setrlimit(RLIMIT_NOFILE, &limit);
  });
  starved.send("GET /hello HTTP/1.1\r\n" + kHost + "\r\n");
  before.send("GET /hello HTTP/1.1\r\n" + kHost + "\r\n");
  EXPECT_TRUE(has_status(before.response(), 200));  // the others go on
  EXPECT_FALSE(starved.readable(milliseconds(300)));
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  EXPECT_TRUE(has_status(starved.response(), 200));
}

}  // namespace
}  // namespace edged::http
