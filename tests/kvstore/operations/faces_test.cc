// SPDX-License-Identifier: Apache-2.0
// The binary face and the operations stand on the same store, rights and counts: what one writes
// the other reads.
#include <gtest/gtest.h>

#include <set>
#include <sstream>

#include "kvstore/server/server.h"
#include "proto/net/blocking_client.h"
#include "tests/kvstore/operations/operations_fixture.h"

namespace edged::operations {
namespace {

using namespace std::chrono_literals;

class FacesTest : public OperationsFixture {
 protected:
  void SetUp() override {
    OperationsFixture::SetUp();
    serve();
  }
  void TearDown() override {
    client_.reset();
    server_.reset();
    OperationsFixture::TearDown();
  }
  void serve() {
    server::ServerOptions options;
    options.listen = {"127.0.0.1:0"};
    options.io_threads = 1;
    options.access = table_.get();
    server_ = std::make_unique<server::Server>(options, *operations_, *store_, clock_, *registry_);
    const Status started = server_->start();
    ASSERT_TRUE(started.ok()) << started.to_string();
    client_ = std::make_unique<net::BlockingClient>(
        net::ClientOptions{server_->addresses().front(), 30s, 60s});
  }

  std::unique_ptr<server::Server> server_;
  std::unique_ptr<net::BlockingClient> client_;
};

TEST_F(FacesTest, WhatTheBinaryFaceWritesTheOperationsRead) {
  for (const std::size_t bytes : {std::size_t{0}, std::size_t{100}, std::size_t{3} << 20}) {
    const std::string value(bytes, 'v');
    const auto version = client_->put(
        "default", {.key = "key", .value = value, .metadata = R"({"a":[1,null]})", .ttl = 60s});
    ASSERT_TRUE(version) << version.error().to_string();
    const auto entry = get(anybody(), "key", 25 << 20);
    ASSERT_TRUE(entry) << entry.error().to_string();
    EXPECT_TRUE(entry->value == value);
    EXPECT_EQ(entry->metadata, R"({"a":[1,null]})");
    EXPECT_EQ(entry->version, *version);
    EXPECT_EQ(entry->expires_at, clock_.wall_now() + 60s);
    const auto page = list(anybody(), "k");
    ASSERT_TRUE(page);
    ASSERT_EQ(page->items.size(), 1U);
    EXPECT_EQ(page->items[0].value_bytes, bytes);
  }
  clock_.advance(60s);
  EXPECT_EQ(get(anybody(), "key").code(), Code::kNotFound);
  EXPECT_EQ(client_->get("default", "key").code(), Code::kNotFound);
}

TEST_F(FacesTest, WhatTheOperationsWriteTheBinaryFaceReads) {
  storage::Put put = put_of("small", "value");
  put.metadata = "7";
  put.expires_at = clock_.wall_now() + 90s;
  EXPECT_EQ(write_one(anybody(), put), Code::kOk);
  const std::string large(2 << 20, 'L');
  const auto upload = begin_upload(anybody(), "large");
  ASSERT_TRUE(upload);
  ASSERT_EQ(append(**upload, large), Code::kOk);
  const auto written = put_upload(**upload);
  ASSERT_TRUE(written);
  const auto small = client_->get("default", "small");
  ASSERT_TRUE(small) << small.error().to_string();
  EXPECT_EQ(small->value, "value");
  EXPECT_EQ(small->metadata, "7");
  const auto read = client_->get("default", "large");
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->value == large);
  EXPECT_EQ(read->version, written->version);
  EXPECT_EQ(write_one(anybody(), delete_of("small")), Code::kOk);
  EXPECT_EQ(client_->get("default", "small").code(), Code::kNotFound);
  EXPECT_TRUE(client_->remove("default", "large").ok());
  EXPECT_EQ(get(anybody(), "large").code(), Code::kNotFound);
}

TEST_F(FacesTest, ConditionsHoldAcrossFaces) {
  const auto first = client_->put("default", {.key = "key", .value = "1"});
  ASSERT_TRUE(first);
  storage::Put put = put_of("key", "2");
  put.condition = storage::Condition::kVersion;
  put.version = *first;
  EXPECT_EQ(write_one(anybody(), put), Code::kOk);
  EXPECT_EQ(write_one(anybody(), put), Code::kVersionMismatch);
  EXPECT_EQ(client_->remove("default", "key", *first).code(), Code::kVersionMismatch);
}

TEST_F(FacesTest, NamespacesAndTokensAreTheSame) {
  const auto made = client_->create_namespace("made", "");
  ASSERT_TRUE(made) << made.error().to_string();
  EXPECT_EQ(operations_->find_namespace(anybody(), "made")->id, made->id);
  EXPECT_TRUE(client_->create_token(R"({"name":"reader","scopes":["read"]})"));
  EXPECT_EQ(operations_->identify(Face::kRest, std::nullopt).code(), Code::kUnauthenticated);
  EXPECT_EQ(client_->get("made", "key").code(), Code::kUnauthenticated);
}

// Prometheus refuses a page on which a series stands twice.
TEST_F(FacesTest, NoSeriesIsRegisteredTwice) {
  ASSERT_TRUE(client_->put("default", {.key = "key", .value = "1"}));
  EXPECT_TRUE(get(anybody(), "key"));
  std::istringstream page(registry_->render());
  std::set<std::string> seen;
  std::string line;
  while (std::getline(page, line)) {
    if (line.empty() || line.front() == '#') continue;
    EXPECT_TRUE(seen.insert(line.substr(0, line.rfind(' '))).second) << line;
  }
  EXPECT_TRUE(seen.contains("edged_kv_requests_total{opcode=\"put\",class=\"answered\"}"));
  EXPECT_TRUE(
      seen.contains("edged_kv_requests_total{face=\"rest\",opcode=\"put\",class=\"answered\"}"));
}

// The server's reads are on the operations' pool, which lives on.
TEST_F(FacesTest, AServerEndsBeforeTheOperations) {
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(client_->put("default", {.key = "key", .value = std::string(2 << 20, 'v')}));
    ASSERT_TRUE(client_->get("default", "key"));
    client_.reset();
    server_.reset();
    EXPECT_EQ(operations_->work().under_way()->value(), 0U);
    start();
    serve();
  }
}

}  // namespace
}  // namespace edged::operations
