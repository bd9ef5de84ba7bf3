// SPDX-License-Identifier: Apache-2.0
// The server and the client together, over loopback TCP and a unix socket, on a store in memory.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio.hpp>
#include <filesystem>
#include <memory>
#include <thread>

#include "kvstore/server/server.h"
#include "proto/net/blocking_client.h"
#include "tests/support/memory_store.h"

namespace edged::server {
namespace {

using namespace std::chrono_literals;
namespace asio = boost::asio;
using net::BlockingClient;
using net::PutItem;
using net::PutMode;

std::string temporary_path() {
  std::string pattern = (std::filesystem::temp_directory_path() / "edged-server-XXXXXX").string();
  return ::mkdtemp(pattern.data());
}

class ServerClientTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(store_.create_namespace("default", std::string(32, 'a')).has_value());
    start({"127.0.0.1:0"});
  }
  void TearDown() override {
    server_.reset();
    std::filesystem::remove_all(directory_);
  }

  void start(std::vector<std::string> listen, Limits limits = {}) {
    ServerOptions options;
    options.listen = std::move(listen);
    options.unix_path = directory_ + "/kv.sock";
    options.io_threads = 2;
    options.limits = limits;
    server_ = std::make_unique<Server>(options, store_, clock_, registry_);
    const Status started = server_->start();
    ASSERT_TRUE(started.ok()) << started.to_string();
  }

  std::unique_ptr<BlockingClient> client(std::chrono::milliseconds timeout = 60s) {
    return std::make_unique<BlockingClient>(
        net::ClientOptions{server_->addresses().front(), 30s, timeout});
  }

  const std::string directory_ = temporary_path();
  SystemClock clock_;
  MetricsRegistry registry_;
  test::MemoryStore store_{clock_};
  std::unique_ptr<Server> server_;
};

TEST_F(ServerClientTest, KeepsAndReturnsAnEntry) {
  auto kv = client();
  const WallTime expires = from_unix_ms(4'000'000'000'123);
  const Result<std::uint64_t> version = kv->put(
      "default", {.key = "a", .value = "hi", .metadata = "{\"m\":1}", .expires_at = expires});
  ASSERT_TRUE(version) << version.error().to_string();
  const Result<net::KvEntry> entry = kv->get(std::string(32, 'a'), "a");
  ASSERT_TRUE(entry) << entry.error().to_string();
  EXPECT_EQ(entry->value, "hi");
  EXPECT_EQ(entry->metadata, "{\"m\":1}");
  EXPECT_EQ(entry->expires_at, expires);
  EXPECT_EQ(entry->version, *version);
  EXPECT_EQ(kv->get("default", "b").code(), Code::kNotFound);
  EXPECT_EQ(kv->get("nowhere", "b").code(), Code::kNamespaceNotFound);
}

TEST_F(ServerClientTest, ServesTheUnixSocket) {
  BlockingClient kv({.address = "unix:" + server_->unix_path()});
  EXPECT_TRUE(kv.ping().ok());
  ASSERT_TRUE(kv.put("default", {.key = "a", .value = "1"}));
  EXPECT_EQ(kv.get("default", "a")->value, "1");
}

TEST_F(ServerClientTest, HonoursConditions) {
  auto kv = client();
  const std::uint64_t version = *kv->put("default", {.key = "a", .value = "1"});
  EXPECT_EQ(kv->put("default", {.key = "a", .mode = PutMode::kIfAbsent}).code(), Code::kExists);
  EXPECT_EQ(kv->put("default", {.key = "b", .mode = PutMode::kIfPresent}).code(), Code::kNotFound);
  EXPECT_EQ(kv->put("default", {.key = "a", .mode = PutMode::kIfVersion, .if_version = version + 1})
                .code(),
            Code::kVersionMismatch);
  EXPECT_TRUE(kv->put("default", {.key = "a", .mode = PutMode::kIfVersion, .if_version = version}));
  EXPECT_EQ(kv->remove("default", "a", version).code(), Code::kVersionMismatch);
  EXPECT_TRUE(kv->remove("default", "a").ok());
  EXPECT_TRUE(kv->remove("default", "a").ok());
  EXPECT_EQ(kv->remove("default", "a", version).code(), Code::kNotFound);
}

TEST_F(ServerClientTest, ExpiresByTtl) {
  auto kv = client();
  ASSERT_TRUE(kv->put("default", {.key = "a", .value = "1", .ttl = 1ms}));
  std::this_thread::sleep_for(5ms);
  EXPECT_EQ(kv->get("default", "a").code(), Code::kNotFound);
}

TEST_F(ServerClientTest, SplitsMultiCallsIntoFrames) {
  auto kv = client(30s);
  std::vector<PutItem> items;
  std::vector<std::string> keys;
  for (int i = 0; i < 2500; ++i) {
    keys.push_back("key:" + std::to_string(i));
    items.push_back(
        {.key = keys.back(), .value = std::string(1500, static_cast<char>('a' + i % 26))});
  }
  items[7].mode = PutMode::kIfPresent;
  items[8].key = std::string(513, 'x');
  const auto results = kv->multi_put("default", items);
  ASSERT_TRUE(results) << results.error().to_string();
  ASSERT_EQ(results->size(), items.size());
  const auto entries = kv->multi_get("default", keys);
  ASSERT_TRUE(entries) << entries.error().to_string();
  ASSERT_EQ(entries->size(), keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (i == 7 || i == 8) {
      EXPECT_EQ((*results)[i].code(), i == 7 ? Code::kNotFound : Code::kInvalidArgument);
      EXPECT_FALSE((*entries)[i]);
      continue;
    }
    ASSERT_TRUE((*results)[i]) << i;
    ASSERT_TRUE((*entries)[i]) << i;
    EXPECT_EQ((*entries)[i]->value, items[i].value) << i;
  }
}

TEST_F(ServerClientTest, ListsInPages) {
  auto kv = client(30s);
  for (int i = 0; i < 30; ++i) {
    ASSERT_TRUE(kv->put(
        "default", {.key = "p:" + std::to_string(100 + i), .value = std::string(100'000, 'v')}));
  }
  ASSERT_TRUE(kv->put("default", {.key = "q", .value = "other"}));
  for (const bool with_values : {false, true}) {
    std::vector<std::string> keys;
    net::KvListRequest request{
        .prefix = "p:", .cursor = "", .limit = 12, .with_values = with_values};
    do {
      const auto page = kv->list("default", request);
      ASSERT_TRUE(page) << page.error().to_string();
      for (const auto& item : page->items) {
        keys.push_back(item.key);
        EXPECT_EQ(item.value_bytes, 100'000u);
        EXPECT_EQ(item.entry.value.size(), with_values ? 100'000u : 0u);
      }
      request.cursor = page->cursor;
    } while (!request.cursor.empty());
    ASSERT_EQ(keys.size(), 30u);
    EXPECT_TRUE(std::is_sorted(keys.begin(), keys.end()));
  }
}

TEST_F(ServerClientTest, AdministersNamespaces) {
  auto kv = client();
  const auto created = kv->create_namespace("second", "");
  ASSERT_TRUE(created) << created.error().to_string();
  EXPECT_EQ(created->title, "second");
  EXPECT_EQ(kv->create_namespace("second", "").code(), Code::kExists);
  const auto all = kv->list_namespaces();
  ASSERT_TRUE(all);
  EXPECT_EQ(all->size(), 2u);
  const auto stats = kv->stats();
  ASSERT_TRUE(stats);
  EXPECT_NE(stats->find("\"namespaces\":2"), std::string::npos) << *stats;
  EXPECT_NE(stats->find("\"engine\":\"memory\""), std::string::npos) << *stats;
}

TEST_F(ServerClientTest, RefusesWhatIsTooLargeBeforeSending) {
  auto kv = client();
  EXPECT_EQ(kv->put("default", {.key = "a", .value = std::string((25 << 20) + 1, 'x')}).code(),
            Code::kTooLarge);
  EXPECT_TRUE(kv->put("default", {.key = "a", .value = std::string(1 << 20, 'x')}));
  EXPECT_EQ(kv->get("default", "a")->value.size(), std::size_t{1} << 20);
  EXPECT_EQ(kv->put("default", {.key = ""}).code(), Code::kInvalidArgument);
}

TEST_F(ServerClientTest, ReadsFromDiskWhenMemoryCannotAnswer) {
  auto kv = client();
  ASSERT_TRUE(kv->put("default", {.key = "a", .value = "1"}));
  store_.only_disk = true;
  EXPECT_EQ(kv->get("default", "a")->value, "1");
  EXPECT_EQ((*kv->multi_get("default", {"a", "b"}))[0]->value, "1");
}

TEST_F(ServerClientTest, PassesTheStoresRefusalOn) {
  auto kv = client();
  store_.refuse = Code::kDiskFull;
  EXPECT_EQ(kv->put("default", {.key = "a"}).code(), Code::kDiskFull);
  store_.refuse = Code::kBusy;
  EXPECT_EQ(kv->put("default", {.key = "a"}).code(), Code::kBusy);
}

TEST_F(ServerClientTest, ClientReconnectsAfterARestart) {
  auto kv = client();
  ASSERT_TRUE(kv->put("default", {.key = "a", .value = "1"}));
  const std::string address = server_->addresses().front();
  server_.reset();
  EXPECT_EQ(kv->get("default", "a").code(), Code::kUnavailable);
  const auto before = std::chrono::steady_clock::now();
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(kv->get("default", "a").code(), Code::kUnavailable);
  }
  // If each request waited for its deadline, the run would take minutes.
  EXPECT_LT(std::chrono::steady_clock::now() - before, 60s) << "a dead node must cost no time";
  start({address});
  Result<net::KvEntry> entry = kv->get("default", "a");
  for (int i = 0; i < 6000 && !entry; ++i) {
    std::this_thread::sleep_for(10ms);
    entry = kv->get("default", "a");
  }
  ASSERT_TRUE(entry) << entry.error().to_string();
  EXPECT_EQ(entry->value, "1");
}

TEST_F(ServerClientTest, WriteWithoutAnAnswerIsUnknown) {
  auto kv = client(500ms);
  while (!kv->ping().ok()) {  // on a busy machine the first ones may take longer
  }
  store_.hold_writes();
  EXPECT_EQ(kv->put("default", {.key = "a", .value = "1"}).code(), Code::kUnknownOutcome);
  store_.release_writes();
}

TEST_F(ServerClientTest, DrainAnswersWhatIsInFlight) {
  auto kv = client(10s);
  ASSERT_TRUE(kv->ping().ok());
  store_.hold_writes();
  std::atomic<int> code{-1};
  std::thread writer(
      [&] { code = static_cast<int>(kv->put("default", {.key = "a", .value = "1"}).code()); });
  while (store_.waiting_writes() == 0) {
    std::this_thread::yield();
  }
  std::thread stopper([&] { server_->stop(); });
  std::this_thread::sleep_for(50ms);
  store_.release_writes();
  writer.join();
  stopper.join();
  EXPECT_EQ(code, static_cast<int>(Code::kOk));
}

TEST_F(ServerClientTest, RefusesAnAddressInUse) {
  ServerOptions options;
  options.listen = server_->addresses();
  MetricsRegistry registry;
  Server second(options, store_, clock_, registry);
  const Status started = second.start();
  EXPECT_EQ(started.code(), Code::kUnavailable);
  EXPECT_NE(started.message().find("port in use"), std::string::npos) << started.message();
  EXPECT_NE(started.message().find(options.listen.front()), std::string::npos) << started.message();
  ServerOptions on_socket;
  on_socket.unix_path = server_->unix_path();
  Server third(on_socket, store_, clock_, registry);
  EXPECT_EQ(third.start().code(), Code::kUnavailable);
  EXPECT_TRUE(client()->ping().ok()) << "the first server must not have suffered";
}

TEST_F(ServerClientTest, ReplacesAStaleSocketFile) {
  server_.reset();
  {
    asio::io_context io;
    asio::local::stream_protocol::acceptor abandoned(
        io, asio::local::stream_protocol::endpoint(directory_ + "/kv.sock"));
  }
  ASSERT_TRUE(std::filesystem::exists(directory_ + "/kv.sock"));
  start({});
  BlockingClient kv({.address = "unix:" + server_->unix_path()});
  EXPECT_TRUE(kv.ping().ok());
}

TEST(BlockingClientTest, EndsAtItsDeadlineWhenNobodyAnswers) {
  asio::io_context io;
  asio::ip::tcp::acceptor silent(io, {asio::ip::make_address("127.0.0.1"), 0});
  const std::string address = "127.0.0.1:" + std::to_string(silent.local_endpoint().port());
  BlockingClient kv({address, 100ms, 300ms});
  const auto before = std::chrono::steady_clock::now();
  const Status pinged = kv.ping();
  EXPECT_EQ(pinged.code(), Code::kUnavailable) << pinged.to_string();
  EXPECT_LT(std::chrono::steady_clock::now() - before, 60s);
}

TEST(BlockingClientTest, RefusesAnAddressThatIsNone) {
  BlockingClient kv({.address = "nonsense"});
  EXPECT_EQ(kv.ping().code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace edged::server
