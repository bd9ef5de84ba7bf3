// SPDX-License-Identifier: Apache-2.0
// The client's calls against a node on a real store: what client.h promises beyond put and get.
// With EDGED_TEST_TLS in the environment all of it goes through TLS.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "proto/net/blocking_client.h"
#include "tests/kvstore/server_fixture.h"
#include "tests/support/certificate.h"

namespace edged::server {
namespace {

using namespace std::chrono_literals;
using net::AddItem;
using net::BatchItem;
using net::BlockingClient;
using net::CheckItem;
using net::PutItem;
using net::RemoveItem;
using net::TouchItem;

class ClientOperationsTest : public ServerFixture {
 protected:
  void SetUp() override {
    ServerFixture::SetUp();
    net::ClientOptions options{address_, 30s, 60s};
    if (std::getenv("EDGED_TEST_TLS") != nullptr) {
      serve_with_tls();
      options.address = address_;
      options.tls_ca_file = certificate_;
    }
    client_ = std::make_unique<BlockingClient>(options);
  }
  std::string get(const std::string& key) {
    const auto entry = client_->get("default", key);
    return entry ? entry->value : std::string(code_name(entry.code()));
  }
  void serve_with_tls() {
    const test::CertificateFiles files = test::make_certificate(dir_.path(), "node");
    const auto tls = net::ServerTls::load({files.certificate, files.key});
    ASSERT_TRUE(tls) << tls.error().to_string();
    certificate_ = files.certificate;
    start({}, *tls);
  }
  std::string certificate_;  // with TLS: what to trust
  std::unique_ptr<BlockingClient> client_;
};

std::string pattern(std::size_t bytes) {
  std::string text(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) {
    text[i] = static_cast<char>(i * 11 + i / 253);
  }
  return text;
}

TEST_F(ClientOperationsTest, CarriesValuesOfAllSizes) {
  for (const std::size_t bytes : {std::size_t{0},
                                  std::size_t{70'000},
                                  std::size_t{1 << 20},
                                  std::size_t{(1 << 20) + 1},
                                  std::size_t{25 << 20}}) {
    const std::string value = pattern(bytes);
    const auto version = client_->put("default", {.key = "a", .value = value, .metadata = "{}"});
    ASSERT_TRUE(version) << version.error().to_string();
    const auto entry = client_->get("default", "a");
    ASSERT_TRUE(entry) << entry.error().to_string();
    EXPECT_TRUE(entry->value == value) << bytes;
    EXPECT_EQ(entry->metadata, "{}");
    EXPECT_EQ(entry->version, *version);
  }
}

TEST_F(ClientOperationsTest, MultiGetFetchesWhatDoesNotFitAlone) {
  const std::string large = pattern(3 << 20);
  ASSERT_TRUE(client_->put("default", {.key = "a", .value = "1"}));
  ASSERT_TRUE(client_->put("default", {.key = "b", .value = large}));
  ASSERT_TRUE(client_->put("default", {.key = "d", .value = "4"}));
  const auto entries = client_->multi_get("default", {"b", "a", "c", "b", "d"});
  ASSERT_TRUE(entries) << entries.error().to_string();
  ASSERT_EQ(entries->size(), 5u);
  EXPECT_TRUE((*entries)[0]->value == large);
  EXPECT_EQ((*entries)[1]->value, "1");
  EXPECT_FALSE((*entries)[2]);
  EXPECT_TRUE((*entries)[3]->value == large);
  EXPECT_EQ((*entries)[4]->value, "4");
  const auto puts = client_->multi_put("default", {{.key = "x", .value = large}, {.key = "y"}});
  ASSERT_TRUE(puts);
  EXPECT_EQ((*puts)[0].code(), Code::kTooLarge);
  EXPECT_TRUE((*puts)[1]);
}

TEST_F(ClientOperationsTest, TouchesAddsAndInvalidates) {
  ASSERT_TRUE(client_->put("default", {.key = "a", .value = "1"}));
  ASSERT_TRUE(client_->touch("default", TouchItem{.key = "a", .ttl = 60s}));
  EXPECT_TRUE(client_->get("default", "a")->expires_at);
  const auto got = client_->get_and_touch("default", TouchItem{.key = "a"});
  ASSERT_TRUE(got);
  EXPECT_EQ(got->value, "1");
  EXPECT_FALSE(got->expires_at);
  EXPECT_EQ(client_->touch("default", TouchItem{.key = "a", .if_version = 1}).code(),
            Code::kVersionMismatch);
  EXPECT_EQ(client_->touch("default", TouchItem{.key = "a", .ttl = -1s}).code(),
            Code::kInvalidArgument);
  EXPECT_EQ(*client_->add("default", AddItem{.key = "n", .delta = 5, .initial = -2}), 3);
  EXPECT_EQ(*client_->add("default", AddItem{.key = "n", .delta = -4}), -1);
  EXPECT_EQ(client_->add("default", AddItem{.key = ""}).code(), Code::kInvalidArgument);
  EXPECT_TRUE(client_->invalidate("default", "n").ok());
  EXPECT_EQ(get("n"), "not_found");
}

TEST_F(ClientOperationsTest, LeasesLetOneFill) {
  const auto won = client_->get_or_lease("default", "a", 10s);
  ASSERT_TRUE(won) << won.error().to_string();
  ASSERT_NE(won->lease, 0u);
  const auto wait = client_->get_or_lease("default", "a", 10s);
  ASSERT_TRUE(wait);
  EXPECT_EQ(wait->lease, 0u);
  EXPECT_FALSE(wait->entry);
  EXPECT_GT(wait->retry_after.count(), 0);
  ASSERT_TRUE(client_->put("default", {.key = "a", .value = "filled", .lease = won->lease}));
  EXPECT_EQ(client_->get_or_lease("default", "a", 10s)->entry->value, "filled");
  EXPECT_EQ(client_->put("default", {.key = "a", .value = "late", .lease = won->lease}).code(),
            Code::kStale);
}

TEST_F(ClientOperationsTest, BatchesAreAllOrNothing) {
  std::vector<BatchItem> items{CheckItem{.key = "a", .wants = CheckItem::Wants::kAbsent},
                               PutItem{.key = "a", .value = "1"},
                               AddItem{.key = "n", .delta = 7}};
  auto result = client_->batch("default", items);
  ASSERT_TRUE(result) << result.error().to_string();
  EXPECT_TRUE(result->written);
  EXPECT_EQ(result->items[2].number, 7);
  result = client_->batch("default", items);
  ASSERT_TRUE(result);
  EXPECT_FALSE(result->written);
  EXPECT_EQ(result->items[0].status.code(), Code::kExists);
  EXPECT_EQ(result->items[1].status.code(), Code::kConflict);
  EXPECT_EQ(get("n"), "7");
  items = {RemoveItem{.key = "a", .if_version = 5}};
  result = client_->batch("default", items);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->items[0].status.code(), Code::kVersionMismatch);
  EXPECT_EQ(client_->batch("default", {}).code(), Code::kInvalidArgument);
}

TEST_F(ClientOperationsTest, WatchesUntilTheNodeGoesAndGoesOnWhereItWas) {
  auto watch = client_->watch("default", "w:");
  ASSERT_TRUE(watch) << watch.error().to_string();
  auto none = client_->next(**watch, 10ms);
  ASSERT_TRUE(none) << none.error().to_string();
  EXPECT_TRUE(none->empty());
  ASSERT_TRUE(client_->put("default", {.key = "w:1", .value = "1"}));
  ASSERT_TRUE(client_->put("default", {.key = "other", .value = "1"}));
  ASSERT_TRUE(client_->remove("default", "w:1").ok());
  std::vector<net::KvChange> changes;
  while (changes.size() < 2) {
    const auto next = client_->next(**watch, 10s);
    ASSERT_TRUE(next) << next.error().to_string();
    ASSERT_FALSE(next->empty());
    changes.insert(changes.end(), next->begin(), next->end());
  }
  EXPECT_EQ(changes[0].kind, net::KvChangeKind::kPut);
  EXPECT_EQ(changes[1].kind, net::KvChangeKind::kDelete);
  EXPECT_EQ(changes[1].version, (*watch)->seen());

  const std::string address = address_;
  server_->stop();
  EXPECT_EQ(client_->next(**watch, 10s).code(), Code::kUnavailable);
  const auto missed = storage::write_and_wait(
      *store_, storage::Put{.ns = 1, .key = "w:2", .value = "x"}, storage::Durability::kWal);
  ASSERT_TRUE(missed);
  start({});
  client_ = std::make_unique<BlockingClient>(net::ClientOptions{address_, 30s, 60s});
  auto resumed = client_->watch("default", "w:", changes[1].version);
  ASSERT_TRUE(resumed) << resumed.error().to_string();
  const auto next = client_->next(**resumed, 10s);
  ASSERT_TRUE(next);
  ASSERT_EQ(next->size(), 1u);
  EXPECT_EQ(next->front().key, "w:2");
  watch->reset();
  resumed->reset();
}

TEST_F(ClientOperationsTest, AdministersNamespaces) {
  ASSERT_TRUE(client_->create_namespace("other", ""));
  ASSERT_TRUE(client_->put("other", {.key = "a", .value = "123"}));
  const auto usage = client_->namespace_usage("other");
  ASSERT_TRUE(usage);
  EXPECT_NE(usage->find("\"keys\":1,\"bytes\":4"), std::string::npos) << *usage;
  EXPECT_EQ(client_->rename_namespace("other", "default").code(), Code::kExists);
  ASSERT_TRUE(client_->rename_namespace("other", "renamed").ok());
  ASSERT_TRUE(client_->clear_namespace("renamed").ok());
  EXPECT_EQ(client_->get("renamed", "a").code(), Code::kNotFound);
  ASSERT_TRUE(client_->delete_namespace("renamed").ok());
  EXPECT_EQ(client_->get("renamed", "a").code(), Code::kNamespaceNotFound);
  EXPECT_TRUE(client_->confirm_clock().ok());
}

TEST_F(ClientOperationsTest, CallsUnderWayOutliveADrainAndNewOnesGoElsewhere) {
  std::atomic<bool> stop{false};
  std::atomic<int> answered{0}, unavailable{0}, other{0};
  std::thread writer([&] {
    net::ClientOptions options{address_, 30s, 60s};
    options.tls_ca_file = certificate_;
    BlockingClient client(options);
    for (int i = 0; !stop; ++i) {
      const auto put = client.put("default", {.key = std::to_string(i % 10), .value = "x"});
      ++(put ? answered : put.code() == Code::kUnavailable ? unavailable : other);
      if (!put && put.code() != Code::kUnavailable) {
        ADD_FAILURE() << put.error().to_string();
      }
    }
  });
  const auto wait_for = [](const std::atomic<int>& count) {
    const auto end = std::chrono::steady_clock::now() + 60s;
    while (count == 0 && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(1ms);
  };
  wait_for(answered);
  server_->stop();
  wait_for(unavailable);
  stop = true;
  writer.join();
  EXPECT_GT(answered.load(), 0);
  EXPECT_GT(unavailable.load(), 0);
  EXPECT_EQ(other.load(), 0) << "a graceful stop leaves no write's outcome unknown";
}

}  // namespace
}  // namespace edged::server
