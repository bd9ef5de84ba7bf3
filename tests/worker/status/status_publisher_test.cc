// SPDX-License-Identifier: Apache-2.0
// The worker's status in a node that comes, goes and refuses.
#include "worker/status/status_publisher.h"

#include <gtest/gtest.h>

#include <boost/asio.hpp>

#include "tests/support/run_awaitable.h"
#include "tests/support/test_node.h"

namespace edged::worker {
namespace {

namespace asio = boost::asio;
using test::run_awaitable;
using namespace std::chrono_literals;

class StatusPublisherTest : public testing::Test {
 protected:
  StatusPublisherTest() {
    options_.interval = 20ms;
    node_.start();
  }

  std::unique_ptr<StatusPublisher> start() {
    auto publisher = std::make_unique<StatusPublisher>(
        io_.get_executor(), client_, options_, [this] { return collect(); });
    asio::co_spawn(io_, publisher->run(), asio::detached);
    return publisher;
  }

  asio::awaitable<StatusDocuments> collect() {
    ++collected_;
    StatusDocuments documents;
    documents.emplace_back("status:worker:a", std::to_string(collected_));
    documents.emplace_back("status:job:b", "{}");
    co_return documents;
  }

  // Until it was asked `times` more; what was published before is in the node then.
  void run_until_collected(int times) {
    const int goal = collected_ + times;
    io_.restart();
    while (collected_ < goal && io_.run_one_for(5s) > 0) {
    }
    ASSERT_GE(collected_, goal);
  }

  Result<net::KvEntry> read(const std::string& key) {
    return run_awaitable(io_, client_.get(options_.ns_id, key));
  }

  test::TestNode node_;
  asio::io_context io_;
  net::Client client_{io_.get_executor(), net::ClientOptions{.address = node_.address()}};
  StatusOptions options_;
  int collected_ = 0;
};

TEST_F(StatusPublisherTest, CreatesItsNamespaceAndPublishesForAMinute) {
  const auto publisher = start();
  run_until_collected(4);
  const auto entry = read("status:worker:a");
  ASSERT_TRUE(entry) << entry.error().to_string();
  EXPECT_GE(std::stoi(entry->value), 2);
  ASSERT_TRUE(entry->expires_at);
  const auto left = *entry->expires_at - SystemClock().wall_now();
  EXPECT_LE(left, 60s);
  EXPECT_GT(left, 30s);
  EXPECT_TRUE(read("status:job:b"));
  const auto namespaces = run_awaitable(io_, client_.list_namespaces());
  ASSERT_TRUE(namespaces);
  bool listed = false;
  for (const auto& one : *namespaces) listed = listed || one.title == "edged-system";
  EXPECT_TRUE(listed);
  publisher->stop();
}

TEST_F(StatusPublisherTest, TwoWorkersShareTheNamespace) {
  const auto first = start();
  const auto second = start();
  run_until_collected(8);
  EXPECT_TRUE(read("status:worker:a"));
  first->stop();
  second->stop();
}

TEST_F(StatusPublisherTest, ANodeThatComesBackGetsItAgain) {
  const auto publisher = start();
  run_until_collected(3);
  node_.stop();
  run_until_collected(2);
  node_.start();
  run_until_collected(4);
  const auto entry = read("status:worker:a");
  ASSERT_TRUE(entry) << entry.error().to_string();
  EXPECT_GE(std::stoi(entry->value), 6);
  publisher->stop();
}

TEST_F(StatusPublisherTest, ItIsWoken) {
  options_.interval = std::chrono::hours(1);
  const auto publisher = start();
  run_until_collected(1);
  publisher->wake();  // in the midst of the first
  run_until_collected(1);
  io_.restart();
  io_.run_for(50ms);
  publisher->wake();
  run_until_collected(1);
  publisher->stop();
}

TEST_F(StatusPublisherTest, StoppingEndsIt) {
  const auto publisher = start();
  run_until_collected(2);
  publisher->stop();
  const int before = collected_;
  io_.restart();
  io_.run_for(100ms);
  EXPECT_LE(collected_, before + 1);
}

}  // namespace
}  // namespace edged::worker
