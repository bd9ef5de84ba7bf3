// SPDX-License-Identifier: Apache-2.0
// The operations of the binary protocol as a client sees them, on a real store: what the document
// promises about each, beyond the examples that protocol_test.cc executes.
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "tests/kvstore/server_fixture.h"

namespace edged::server {
namespace {

using namespace std::chrono_literals;
using test::RawClient;
using wire::Opcode;
using wire::Request;

using OperationsTest = OperationsFixture;

TEST_F(OperationsTest, TouchSetsAndRemovesTheExpiry) {
  ASSERT_EQ(put("a", "1"), Code::kOk);
  Request touch = make(Opcode::kTouch, 0, "a");
  touch.fields.ttl_ms = 60'000;
  const RawClient::Reply touched = call(touch);
  ASSERT_EQ(touched.status(), Code::kOk);
  Request get = make(Opcode::kGet, 0, "a");
  get.flags = wire::kFlagInfo;
  RawClient::Reply got = call(get);
  EXPECT_TRUE(got.fields().expires_at_ms.has_value());
  EXPECT_EQ(got.fields().version, touched.fields().version);
  touch.fields.ttl_ms.reset();
  touch.fields.if_version = got.fields().version;
  ASSERT_EQ(call(touch).status(), Code::kOk);
  EXPECT_FALSE(call(get).fields().expires_at_ms.has_value());
  EXPECT_EQ(call(touch).status(), Code::kVersionMismatch);
  EXPECT_EQ(call(make(Opcode::kTouch, 0, "absent")).status(), Code::kNotFound);
}

TEST_F(OperationsTest, GetAndTouchAnswersTheEntry) {
  ASSERT_EQ(put("a", "value"), Code::kOk);
  Request touch = make(Opcode::kGetAndTouch, 0, "a");
  touch.flags = wire::kFlagInfo;
  touch.fields.ttl_ms = 60'000;
  const RawClient::Reply reply = call(touch);
  ASSERT_EQ(reply.status(), Code::kOk);
  EXPECT_EQ(reply.value(), "value");
  EXPECT_TRUE(reply.fields().expires_at_ms.has_value());
}

TEST_F(OperationsTest, AddCountsAndSaysTheSum) {
  Request add = make(Opcode::kAdd, 0, "n");
  EXPECT_EQ(call(add).status(), Code::kInvalidArgument) << "the amount is missing";
  add.fields.delta = -3;
  add.fields.initial = 10;
  EXPECT_EQ(call(add).value(), "7");
  EXPECT_EQ(call(add).value(), "4");
  EXPECT_EQ(get("n"), "4");
  ASSERT_EQ(put("text", "x"), Code::kOk);
  add.key = "text";
  EXPECT_EQ(call(add).status(), Code::kInvalidArgument);
  EXPECT_EQ(get("text"), "x");
}

TEST_F(OperationsTest, LeaseLetsOneFillAndAWriteVoidsIt) {
  Request lease = make(Opcode::kGet, 0, "a");
  lease.flags = wire::kFlagLease;
  const RawClient::Reply won = call(lease);
  ASSERT_EQ(won.status(), Code::kLeaseWon);
  ASSERT_TRUE(won.fields().lease.has_value());
  const RawClient::Reply wait = call(lease);
  EXPECT_EQ(wait.status(), Code::kLeaseWait);
  EXPECT_GT(wait.fields().retry_after_ms.value_or(0), 0u);

  Request fill = make(Opcode::kLeasePut, 0, "a", "old");
  fill.fields.lease = won.fields().lease;
  EXPECT_EQ(call(make(Opcode::kInvalidate, 0, "a")).status(), Code::kOk);
  EXPECT_EQ(call(fill).status(), Code::kStale) << "what was read before the invalidation is old";

  fill.fields.lease = call(lease).fields().lease;
  EXPECT_EQ(call(fill).status(), Code::kOk);
  EXPECT_EQ(call(lease).status(), Code::kOk);
  EXPECT_EQ(get("a"), "old");
  fill.fields.lease.reset();
  EXPECT_EQ(call(fill).status(), Code::kInvalidArgument);
  lease.fields.ttl_ms = 60'001;
  EXPECT_EQ(call(lease).status(), Code::kInvalidArgument);
}

TEST_F(OperationsTest, BatchIsAllOrNothing) {
  ASSERT_EQ(put("a", "1"), Code::kOk);
  std::string items = items_of({item(Opcode::kCheckPresent, "a"),
                                item(Opcode::kPut, "b", "2"),
                                item(Opcode::kCheckAbsent, "a")});
  RawClient::Reply reply = call(make(Opcode::kBatch, 0, "", items));
  EXPECT_EQ(reply.status(), Code::kConflict);
  ASSERT_EQ(reply.items().size(), 3u);
  EXPECT_EQ(reply.items()[0].status, Code::kConflict);
  EXPECT_EQ(reply.items()[1].status, Code::kConflict);
  EXPECT_EQ(reply.items()[2].status, Code::kExists);
  EXPECT_EQ(get("b"), "not_found");

  wire::Item add = item(Opcode::kAdd, "n");
  add.fields.delta = 5;
  items = items_of({item(Opcode::kCheckAbsent, "b"),
                    item(Opcode::kPut, "b", "2"),
                    add,
                    item(Opcode::kDelete, "a")});
  reply = call(make(Opcode::kBatch, 0, "", items));
  ASSERT_EQ(reply.status(), Code::kOk);
  EXPECT_EQ(reply.items()[2].value, "5");
  EXPECT_EQ(get("b"), "2");
  EXPECT_EQ(get("a"), "not_found");
  items = items_of({item(Opcode::kPut, "c", "1"), item(Opcode::kPutIfVersion, "c", "2")});
  EXPECT_EQ(call(make(Opcode::kBatch, 0, "", items)).status(), Code::kInvalidArgument);
  EXPECT_EQ(get("c"), "not_found");
}

TEST_F(OperationsTest, ItemsMayNameTheirOwnNamespace) {
  const auto other = store_->create_namespace("other", "");
  ASSERT_TRUE(other);
  wire::Item elsewhere = item(Opcode::kPut, "a", "there");
  elsewhere.fields.ns = other->number;
  const std::string puts = items_of({item(Opcode::kPut, "a", "here"), elsewhere});
  ASSERT_EQ(call(make(Opcode::kMultiPut, 0, "", puts)).status(), Code::kOk);
  elsewhere = item(Opcode::kGet, "a");
  elsewhere.fields.ns = other->number;
  const std::string gets = items_of({item(Opcode::kGet, "a"), elsewhere});
  const RawClient::Reply reply = call(make(Opcode::kMultiGet, 0, "", gets));
  ASSERT_EQ(reply.items().size(), 2u);
  EXPECT_EQ(reply.items()[0].value, "here");
  EXPECT_EQ(reply.items()[1].value, "there");
}

TEST_F(OperationsTest, NamespacesAreRenamedClearedCountedAndDeleted) {
  const auto other = store_->create_namespace("other", "");
  ASSERT_TRUE(other);
  Request request = make(Opcode::kPut, 0, "a", "12");
  request.ns = other->number;
  ASSERT_EQ(call(request).status(), Code::kOk);
  request = make(Opcode::kNamespaceUsage, 0, "");
  request.ns = other->number;
  EXPECT_EQ(call(request).value(),
            R"({"keys":1,"bytes":3,"by_expiry":[{"until_ms":null,"keys":1,"bytes":3}]})");
  request.opcode = Opcode::kNamespaceRename;
  EXPECT_EQ(call(request).status(), Code::kInvalidArgument);
  request.fields.title = "default";
  EXPECT_EQ(call(request).status(), Code::kExists);
  request.fields.title = "renamed";
  EXPECT_EQ(call(request).status(), Code::kOk);
  EXPECT_TRUE(store_->find_namespace("renamed"));
  request.fields = {};
  request.opcode = Opcode::kNamespaceClear;
  EXPECT_EQ(call(request).status(), Code::kOk);
  request.opcode = Opcode::kGet;
  request.key = "a";
  EXPECT_EQ(call(request).status(), Code::kNotFound);
  request.opcode = Opcode::kNamespaceDelete;
  request.key = {};
  EXPECT_EQ(call(request).status(), Code::kOk);
  EXPECT_EQ(call(request).status(), Code::kNamespaceNotFound);
  EXPECT_EQ(call(make(Opcode::kClockConfirm, 0, "")).status(), Code::kOk);
}

TEST_F(OperationsTest, QuietSaysOnlyWhatIsNotExpected) {
  Request put = make(Opcode::kPut, 1, "a", "1");
  put.flags = wire::kFlagQuiet;
  Request absent = make(Opcode::kGet, 2, "absent");
  absent.flags = wire::kFlagQuiet;
  Request exists = make(Opcode::kPutIfAbsent, 3, "a", "2");
  exists.flags = wire::kFlagQuiet;
  Request found = make(Opcode::kGet, 4, "a");
  found.flags = wire::kFlagQuiet;
  Request fence;
  fence.id = 5;
  fence.flags = wire::kFlagFence;
  std::string stream;
  for (const Request& one : {put, absent, exists, found, fence}) {
    wire::append_request(one, stream);
  }
  ASSERT_TRUE(client_->send(stream));
  RawClient::Reply reply = client_->reply();
  EXPECT_EQ(reply.header.id, 3u);
  EXPECT_EQ(reply.status(), Code::kExists);
  reply = client_->reply();
  EXPECT_EQ(reply.header.id, 4u);
  EXPECT_EQ(reply.value(), "1");
  EXPECT_EQ(client_->reply().header.id, 5u) << "the fence comes last";
}

TEST_F(OperationsTest, AFenceIsBetweenWhatWasSentBeforeAndBehindIt) {
  Request clear = make(Opcode::kNamespaceClear, 0, "");
  clear.flags = wire::kFlagFence;
  for (int round = 0; round < 20; ++round) {
    SCOPED_TRACE(round);
    std::string stream;
    for (Request one : {make(Opcode::kPut, 0, "before", "1"),
                        clear,
                        make(Opcode::kPut, 0, "behind", "2"),
                        make(Opcode::kGet, 0, "before")}) {
      one.id = ++last_id_;
      wire::append_request(one, stream);
    }
    ASSERT_TRUE(client_->send(stream));
    const std::uint32_t get_id = last_id_;
    for (int i = 0; i < 4; ++i) {
      const RawClient::Reply reply = client_->reply();
      EXPECT_EQ(reply.status(), reply.header.id == get_id ? Code::kNotFound : Code::kOk);
    }
    EXPECT_EQ(get("behind"), "2");
  }
}

TEST_F(OperationsTest, AListTellsWhatIsCachedIfItIsAsked) {
  put("a", std::string(5000, 'x'));  // too large for the cache
  put("b", "2");
  Request list = make(Opcode::kList, 0, "");
  EXPECT_EQ(call(list).items().at(0).fields.cached, std::nullopt);
  list.flags = wire::kFlagCached;
  const RawClient::Reply reply = call(list);
  const std::vector<wire::Item> items = reply.items();
  ASSERT_EQ(items.size(), 2u);
  EXPECT_EQ(items[0].fields.cached, 0u);
  EXPECT_EQ(items[1].fields.cached, 1u);
}

TEST_F(OperationsTest, GetsAreCountedBeforeTheyAreAnswered) {
  put("k", "value");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(get("k"), "value");
  EXPECT_EQ(call(make(Opcode::kGet, 0, "absent")).status(), Code::kNotFound);
  wire::Request asks = make(Opcode::kGet, 0, "k");
  asks.flags = wire::kFlagInfo | wire::kFlagCrc;
  EXPECT_EQ(call(asks).header.flags, wire::kFlagCrc);
  const std::string page = registry_->render();
  for (const char* line : {"edged_kv_keys_total{result=\"hit\"} 4\n",
                           "edged_kv_keys_total{result=\"miss\"} 1\n",
                           "edged_kv_requests_total{opcode=\"get\",class=\"answered\"} 5\n",
                           "edged_kv_request_seconds_count 6\n"}) {
    EXPECT_NE(page.find(line), std::string::npos) << line << page;
  }
}

TEST_F(OperationsTest, WatchPushesChangesUntilItIsCancelled) {
  ASSERT_EQ(put("w:0", "before"), Code::kOk);
  RawClient watcher(address_);
  const RawClient::Reply started = watcher.call(make(Opcode::kWatch, 7, "w:"));
  ASSERT_EQ(started.status(), Code::kOk);
  const std::uint64_t position = started.fields().version.value_or(0);
  ASSERT_GT(position, 0u);
  EXPECT_EQ(watcher.call(make(Opcode::kWatch, 7, "w:")).status(), Code::kInvalidArgument);

  ASSERT_EQ(put("other", "x"), Code::kOk);
  ASSERT_EQ(put("w:1", "x"), Code::kOk);
  RawClient::Reply push = watcher.reply();
  EXPECT_EQ(push.header.kind, wire::Kind::kPush);
  EXPECT_EQ(push.header.id, 7u);
  ASSERT_EQ(push.items().size(), 1u);
  EXPECT_EQ(push.items()[0].opcode, Opcode::kPut);
  EXPECT_EQ(push.items()[0].key, "w:1");
  EXPECT_EQ(push.items()[0].fields.version, push.fields().version);
  ASSERT_EQ(call(make(Opcode::kDelete, 0, "w:1")).status(), Code::kOk);
  push = watcher.reply();
  EXPECT_EQ(push.items()[0].opcode, Opcode::kDelete);
  ASSERT_EQ(call(make(Opcode::kNamespaceClear, 0, "")).status(), Code::kOk);
  push = watcher.reply();
  EXPECT_EQ(push.items()[0].opcode, Opcode::kNamespaceClear);

  ASSERT_EQ(watcher.call(make(Opcode::kCancel, 8, "", std::string("\7\0\0\0", 4))).status(),
            Code::kOk);
  ASSERT_EQ(put("w:2", "x"), Code::kOk);
  EXPECT_EQ(watcher.call(make(Opcode::kPing, 9, "")).header.id, 9u) << "nothing is pushed any more";

  Request resumed = make(Opcode::kWatch, 10, "w:");
  resumed.fields.version = position;
  ASSERT_EQ(watcher.call(resumed).status(), Code::kOk);
  EXPECT_EQ(watcher.reply().items().size(), 4u) << "put, delete, clear, put";
}

TEST_F(OperationsTest, AWatcherThatDoesNotReadIsToldThatItMissedChanges) {
  Limits patient;  // where all is slow the watcher would be cut before it missed anything
  patient.write_timeout = 10min;
  start(patient);
  client_ = std::make_unique<RawClient>(address_);
  RawClient watcher(address_);
  ASSERT_EQ(watcher.call(make(Opcode::kWatch, 1, "")).status(), Code::kOk);
  std::string items;
  const std::string key(500, 'k');
  for (int i = 0; i < 1000; ++i) {
    wire::append_item(item(Opcode::kPut, key + std::to_string(i), "x"), items);
  }
  for (int i = 0; i < 80; ++i) {
    ASSERT_EQ(call(make(Opcode::kMultiPut, 0, "", items)).status(), Code::kOk);
  }
  std::uint64_t changes = 0;
  for (;;) {
    const RawClient::Reply push = watcher.reply();
    ASSERT_EQ(push.header.kind, wire::Kind::kPush);
    if (push.status() != Code::kOk) {
      EXPECT_EQ(push.status(), Code::kStale);
      break;
    }
    changes += push.items().size();
  }
  EXPECT_LT(changes, 80'000u);
  EXPECT_EQ(watcher.call(make(Opcode::kPing, 2, "")).header.id, 2u);
}

TEST_F(OperationsTest, DrainSaysGoAwayAndStillAnswers) {
  ASSERT_EQ(put("a", "1"), Code::kOk);
  std::thread stopping([this] { server_->stop(); });
  const RawClient::Reply push = client_->reply();
  EXPECT_EQ(push.header.kind, wire::Kind::kPush);
  EXPECT_EQ(push.header.opcode, static_cast<std::uint8_t>(Opcode::kGoAway));
  EXPECT_EQ(get("a"), "1") << "what was sent before the client knew is answered";
  EXPECT_TRUE(client_->ended());
  stopping.join();
}

}  // namespace
}  // namespace edged::server
