// SPDX-License-Identifier: Apache-2.0
// Streams whose sockets a Poller watches: nothing that arrives is missed, whatever comes together,
// and nobody is called who has gone.
#include "proto/net/poller.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "proto/net/stream.h"

namespace edged::net {
namespace {

namespace asio = boost::asio;
using asio::local::stream_protocol;
using Error = boost::system::error_code;

// A stream of the poller, and its peer as a plain descriptor.
class Pair {
 public:
  Pair(asio::io_context& io, Poller& poller) : stream_(Socket(io)) {
    int fds[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    peer_ = fds[1];
    Socket socket(io);
    socket.assign(stream_protocol(), fds[0]);
    stream_ = Stream(std::move(socket));
    stream_.use_poller(poller);
  }
  ~Pair() { end(); }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;

  void send(const std::string& bytes) {
    ASSERT_EQ(::send(peer_, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  std::string receive(std::size_t bytes_max) {
    std::string bytes(bytes_max, '\0');
    const ssize_t count = ::recv(peer_, bytes.data(), bytes.size(), MSG_DONTWAIT);
    bytes.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    return bytes;
  }
  void end() {
    if (peer_ >= 0) ::close(std::exchange(peer_, -1));
  }
  Stream& stream() { return stream_; }

  // Reads on and on into `got`, `room` bytes at a time, until the end.
  void collect(std::size_t room) {
    buffer_.resize(room);
    stream_.async_read_some(asio::buffer(buffer_), [this, room](Error error, std::size_t count) {
      got.append(buffer_.data(), count);
      last_error = error;
      if (!error) collect(room);
    });
  }

  std::string got;
  Error last_error;

 private:
  Stream stream_;
  int peer_ = -1;
  std::vector<char> buffer_;
};

class PollerTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(poller_.open().ok()); }
  // Until nothing has happened for a while.
  void run() {
    while (io_.run_one_for(std::chrono::milliseconds(50)) > 0) {
    }
  }

  asio::io_context io_{1};
  Poller poller_{io_};
};

TEST_F(PollerTest, ReadsWhatComesWheneverItComes) {
  Pair pair(io_, poller_);
  pair.send("before ");
  pair.collect(100);
  run();
  EXPECT_EQ(pair.got, "before ");
  pair.send("after");
  run();
  EXPECT_EQ(pair.got, "before after");
  EXPECT_FALSE(pair.last_error);
}

TEST_F(PollerTest, TheEndThatComesWithTheLastBytesIsNotMissed) {
  Pair pair(io_, poller_);
  pair.send("last");
  pair.end();
  pair.collect(100);
  run();
  EXPECT_EQ(pair.got, "last");
  EXPECT_EQ(pair.last_error, asio::error::eof);
}

TEST_F(PollerTest, MoreThanTheBufferHoldsIsReadToTheEnd) {
  Pair pair(io_, poller_);
  const std::string bytes(1000, 'x');
  pair.send(bytes);
  pair.collect(100);  // ten full buffers; the eleventh finds nothing
  run();
  EXPECT_EQ(pair.got.size(), 1000U);
  EXPECT_FALSE(pair.last_error);
  pair.send("y");
  run();
  EXPECT_EQ(pair.got.back(), 'y');
}

TEST_F(PollerTest, NobodyReadsAndTheNextReadStillFindsIt) {
  Pair pair(io_, poller_);
  pair.send("early");
  run();  // told while nobody waits
  pair.collect(100);
  run();
  EXPECT_EQ(pair.got, "early");
}

TEST_F(PollerTest, AFullBufferIsWrittenOnWhenThePeerReads) {
  Pair pair(io_, poller_);
  const std::string bytes(4 << 20, 'z');
  std::size_t sent = pair.stream().send_now(bytes);
  ASSERT_GT(sent, 0U);
  ASSERT_LT(sent, bytes.size());
  bool written = false;
  std::size_t more = 0;
  pair.stream().async_write_some(asio::buffer(bytes.data() + sent, bytes.size() - sent),
                                 [&](Error error, std::size_t count) {
                                   written = !error;
                                   more = count;
                                 });
  run();
  EXPECT_FALSE(written) << "the peer has read nothing";
  std::size_t received = 0;
  while (received < sent) {
    const std::size_t count = pair.receive(1 << 20).size();
    ASSERT_GT(count, 0U);
    received += count;
  }
  run();
  EXPECT_TRUE(written);
  EXPECT_GT(more, 0U);
}

TEST_F(PollerTest, ReadingAndWritingAtOnce) {
  Pair pair(io_, poller_);
  const std::string bytes(4 << 20, 'z');
  const std::size_t sent = pair.stream().send_now(bytes);
  bool written = false;
  pair.stream().async_write_some(asio::buffer(bytes), [&](Error, std::size_t) { written = true; });
  pair.collect(100);
  pair.send("meanwhile");
  run();
  EXPECT_EQ(pair.got, "meanwhile");
  EXPECT_FALSE(written);
  for (std::size_t received = 0; received < sent;) received += pair.receive(1 << 20).size();
  run();
  EXPECT_TRUE(written);
}

TEST_F(PollerTest, AfterCloseNoHandlerIsCalled) {
  Pair pair(io_, poller_);
  bool called = false;
  char byte = 0;
  pair.stream().async_read_some(asio::buffer(&byte, 1), [&](Error, std::size_t) { called = true; });
  pair.send("x");
  pair.stream().close();
  run();
  EXPECT_FALSE(called);
}

TEST_F(PollerTest, OneOfABatchClosesAndDestroysAnother) {
  auto first = std::make_unique<Pair>(io_, poller_);
  auto second = std::make_unique<Pair>(io_, poller_);
  int calls = 0;
  char bytes[2];
  const auto end_other = [&calls](std::unique_ptr<Pair>& other) {
    return [&calls, &other](Error, std::size_t) {
      ++calls;
      other.reset();
    };
  };
  first->stream().async_read_some(asio::buffer(&bytes[0], 1), end_other(second));
  second->stream().async_read_some(asio::buffer(&bytes[1], 1), end_other(first));
  first->send("a");
  second->send("b");
  run();
  EXPECT_EQ(calls, 1) << "the other one has gone before its turn";
}

TEST_F(PollerTest, OneThatGoesWhileItWaitsForLaterIsNotTold) {
  auto pair = std::make_unique<Pair>(io_, poller_);
  pair->send("ab");
  char bytes[2];
  bool second = false;
  pair->stream().async_read_some(asio::buffer(&bytes[0], 1), [&](Error, std::size_t) {
    pair->stream().async_read_some(asio::buffer(&bytes[1], 1),
                                   [&](Error, std::size_t) { second = true; });
  });
  io_.run_one_for(std::chrono::milliseconds(50));
  pair.reset();
  run();
  EXPECT_FALSE(second);
}

TEST_F(PollerTest, TheEndOfABatchComesBehindAllThatAreReady) {
  constexpr std::size_t kPairs = 50;
  std::vector<std::unique_ptr<Pair>> pairs;
  std::vector<char> bytes(kPairs);
  std::size_t told = 0, told_at_end = 0, ends = 0;
  for (std::size_t i = 0; i < kPairs; ++i) {
    pairs.push_back(std::make_unique<Pair>(io_, poller_));
    pairs[i]->stream().async_read_some(asio::buffer(&bytes[i], 1), [&](Error, std::size_t) {
      if (told++ > 0) return;
      EXPECT_TRUE(poller_.at_end_of_batch([&] {
        told_at_end = told;
        ++ends;
      }));
    });
    pairs[i]->send("x");
  }
  run();
  EXPECT_EQ(told, kPairs);
  EXPECT_EQ(told_at_end, kPairs);
  EXPECT_EQ(ends, 1U);
  EXPECT_FALSE(poller_.at_end_of_batch([] { FAIL() << "this is no batch"; }));
}

TEST_F(PollerTest, ClosedItLetsTheLoopEnd) {
  Pair pair(io_, poller_);
  asio::post(io_, [this] { poller_.close(); });
  io_.run_for(std::chrono::seconds(10));
  EXPECT_TRUE(io_.stopped());
}

}  // namespace
}  // namespace edged::net
