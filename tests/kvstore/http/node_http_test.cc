// SPDX-License-Identifier: Apache-2.0
// The node's pages over a loopback socket, with a Store that has nothing but figures.
#include "kvstore/http/node_http.h"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio.hpp>
#include <map>
#include <sstream>
#include <thread>

#include "tests/support/unsupported_store.h"

namespace edged::kv_http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

class FiguresOnly final : public test::UnsupportedStore {
 public:
  storage::StoreStats stats() const override {
    ++asked;
    storage::StoreStats stats;
    stats.disk_bytes = 1;
    stats.memory_bytes = 2;
    stats.keys_estimate = 3;
    stats.expired_reclaimed = 4;
    stats.writes = 5;
    stats.syncs = 6;
    stats.write_groups = 7;
    stats.recovered_lost_writes = 8;
    stats.engine = "engine 1.2";
    return stats;
  }

  mutable std::atomic<int> asked{0};
};

class NodeHttpTest : public testing::Test {
 protected:
  NodeHttpTest() {
    http::ServerOptions options;
    options.address = "127.0.0.1:0";
    node.emplace(context.get_executor(), options, store, metrics, clock, [this] {
      return is_ready ? Status() : Status(Code::kUnavailable, "the store is opening");
    });
    const Status listening = node->listen();
    EXPECT_TRUE(listening.ok()) << listening.message();
    thread = std::thread([this] { context.run(); });
  }
  ~NodeHttpTest() override {
    asio::co_spawn(context, node->drain(std::chrono::seconds(5)), asio::use_future).get();
    work.reset();
    thread.join();
  }

  std::string get(const std::string& path) {
    const std::string address = node->address();
    asio::io_context client_context;
    tcp::socket socket(client_context);
    socket.connect({asio::ip::make_address("127.0.0.1"),
                    static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)))});
    asio::write(
        socket,
        asio::buffer("GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
    std::string response;
    boost::system::error_code ended;
    asio::read(socket, asio::dynamic_buffer(response), ended);
    EXPECT_EQ(ended, asio::error::eof);
    return response;
  }

  // The page's samples by name and labels.
  std::map<std::string, double> samples() {
    std::istringstream page(get("/metrics"));
    std::map<std::string, double> result;
    for (std::string line; std::getline(page, line);) {
      const std::size_t space = line.rfind(' ');
      if (line.rfind("edged_", 0) != 0 && line.rfind("process_", 0) != 0) continue;
      result[line.substr(0, space)] = std::stod(line.substr(space + 1));
    }
    return result;
  }

  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
  FiguresOnly store;
  MetricsRegistry metrics;
  SystemClock clock;
  std::atomic<bool> is_ready{true};
  std::optional<NodeHttp> node;
  std::thread thread;
};

TEST_F(NodeHttpTest, ShowsTheStoresFigures) {
  const auto found = samples();
  const std::pair<const char*, double> expected[] = {
      {"edged_storage_disk_bytes", 1},
      {"edged_storage_memory_bytes", 2},
      {"edged_storage_keys_estimate", 3},
      {"edged_storage_expired_reclaimed", 4},
      {"edged_storage_writes", 5},
      {"edged_storage_syncs", 6},
      {"edged_storage_write_groups", 7},
      {"edged_storage_recovered_lost_writes", 8},
      {"edged_storage_engine_info{engine=\"engine 1.2\"}", 1},
  };
  for (const auto& [name, value] : expected) {
    ASSERT_TRUE(found.contains(name)) << name;
    EXPECT_EQ(found.at(name), value) << name;
  }
}

TEST_F(NodeHttpTest, AsksTheStoreOncePerPage) {
  const int before = store.asked;
  get("/metrics");
  EXPECT_GE(store.asked - before, 1);
  EXPECT_LE(store.asked - before, 2);  // two if the rendering took longer than the figures' age
}

TEST_F(NodeHttpTest, ShowsTheProcesssFigures) {
  const auto found = samples();
  EXPECT_GT(found.at("process_resident_memory_bytes"), 1 << 20);
  EXPECT_LT(found.at("process_resident_memory_bytes"), double(1ull << 40));
  EXPECT_GE(found.at("process_open_fds"), 3);
  EXPECT_NEAR(found.at("process_start_time_seconds"),
              static_cast<double>(to_unix_ms(clock.wall_now())) / 1000,
              60);
}

TEST_F(NodeHttpTest, IsReadyOnlyWhenTheNodeIs) {
  EXPECT_NE(get("/readyz").find("HTTP/1.1 200 OK"), std::string::npos);
  is_ready = false;
  const std::string response = get("/readyz");
  EXPECT_NE(response.find("HTTP/1.1 503 "), std::string::npos);
  EXPECT_NE(response.find("the store is opening"), std::string::npos);
  EXPECT_NE(get("/healthz").find("HTTP/1.1 200 OK"), std::string::npos);
}

}  // namespace
}  // namespace edged::kv_http
