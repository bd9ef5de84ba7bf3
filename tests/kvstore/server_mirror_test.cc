// SPDX-License-Identifier: Apache-2.0
// Mirrors over the wire and through the client: what a request may say of them, what is answered,
// and which token may speak as one.
#include <gmock/gmock.h>

#include <thread>

#include "kvstore/server/writes.h"
#include "proto/net/blocking_client.h"
#include "tests/kvstore/server_fixture.h"
#include "tests/support/mirror_rules.h"

namespace edged::server {
namespace {

using namespace std::chrono_literals;
using net::BatchItem;
using net::CheckItem;
using net::PutItem;
using test::kOwnerKey;
using test::kRulesKey;
using ::testing::HasSubstr;
using wire::Opcode;

class ServerMirrorTest : public OperationsFixture {
 protected:
  void SetUp() override {
    OperationsFixture::SetUp();
    net::ClientOptions options;
    options.connect_timeout = std::chrono::seconds(30);
    options.call_timeout = std::chrono::seconds(60);
    options.address = address_;
    kv_ = std::make_unique<net::BlockingClient>(options);
  }
  // "m:" is owned, loaded and fresh as of now; "m:1" = "one".
  void mirror(std::uint64_t ttl_ms = 0) {
    now_ = clock_.wall_now();
    const PutItem rules{.key = kRulesKey, .value = test::rules_value({{"m:", ttl_ms, true}})};
    const PutItem entry{.key = "m:1", .value = "one"};
    const auto written = kv_->mirror_batch("default", {rules, entry}, {position(1), now_});
    ASSERT_TRUE(written && written->written) << written.error().to_string();
  }
  static std::string position(std::uint8_t number) {
    return std::string(7, '\0') + static_cast<char>(number);
  }
  Code code_of(wire::Request request) { return call(request).status(); }

  std::unique_ptr<net::BlockingClient> kv_;
  WallTime now_{};
};

TEST_F(ServerMirrorTest, TheFieldsBelongToTheirOperations) {
  const auto with = [](Opcode opcode, void (*set)(wire::Fields&)) {
    wire::Request request = make(opcode, 0, opcode == Opcode::kMultiGet ? "" : "k");
    set(request.fields);
    return request;
  };
  const auto marked = [](wire::Fields& fields) { fields.source_position = ""; };
  for (const Opcode opcode : {Opcode::kPut,
                              Opcode::kDelete,
                              Opcode::kTouch,
                              Opcode::kWatch,
                              Opcode::kStats,
                              Opcode::kMultiPut,
                              Opcode::kNamespaceClear}) {
    EXPECT_EQ(code_of(with(opcode, marked)), Code::kInvalidArgument) << wire::opcode_name(opcode);
  }
  EXPECT_EQ(code_of(with(Opcode::kGet, marked)), Code::kNotFound);
  EXPECT_EQ(code_of(with(Opcode::kList, marked)), Code::kOk);
  const auto fresh = [](wire::Fields& fields) { fields.fresh_as_of_ms = 1; };
  EXPECT_EQ(code_of(with(Opcode::kBatch, fresh)), Code::kInvalidArgument);
  EXPECT_EQ(code_of(with(Opcode::kGet, fresh)), Code::kInvalidArgument);
  const auto both = [](wire::Fields& fields) {
    fields.source_position = "";
    fields.fresh_as_of_ms = 1;
  };
  EXPECT_EQ(code_of(with(Opcode::kGet, both)), Code::kInvalidArgument);
  const auto bounded = [](wire::Fields& fields) { fields.max_staleness_ms = 1; };
  for (const Opcode opcode : {Opcode::kList, Opcode::kPut, Opcode::kBatch, Opcode::kWatch}) {
    EXPECT_EQ(code_of(with(opcode, bounded)), Code::kInvalidArgument) << wire::opcode_name(opcode);
  }
  const auto no_position = [](wire::Fields& fields) { fields.min_position = ""; };
  EXPECT_EQ(code_of(with(Opcode::kGet, no_position)), Code::kInvalidArgument);
  const auto mirror_bounded = [](wire::Fields& fields) {
    fields.source_position = "";
    fields.max_staleness_ms = 1;
  };
  EXPECT_EQ(code_of(with(Opcode::kGet, mirror_bounded)), Code::kInvalidArgument);
  wire::Item own = item(Opcode::kPut, "k", "v");
  own.fields.source_position = "";
  const std::string items = items_of({own});
  EXPECT_EQ(code_of(make(Opcode::kBatch, 0, "", items)), Code::kInvalidArgument);
  EXPECT_EQ(get("k"), "not_found");
}

TEST_F(ServerMirrorTest, EveryWriteOfOthersIsAConflict) {
  mirror();
  EXPECT_EQ(put("m:1", "x"), Code::kConflict);
  EXPECT_EQ(put(kOwnerKey, "x"), Code::kConflict);
  for (const Opcode opcode : {Opcode::kPutIfAbsent,
                              Opcode::kPutIfPresent,
                              Opcode::kDelete,
                              Opcode::kInvalidate,
                              Opcode::kTouch,
                              Opcode::kGetAndTouch}) {
    EXPECT_EQ(code_of(make(opcode, 0, "m:1")), Code::kConflict) << wire::opcode_name(opcode);
  }
  EXPECT_EQ(kv_->put("default", {.key = "m:big", .value = std::string(3 << 20, 'x')}).code(),
            Code::kConflict);
  const auto several = kv_->multi_put("default", {{.key = "a", .value = "1"}, {.key = "m:1"}});
  ASSERT_TRUE(several);
  EXPECT_TRUE((*several)[0]);
  EXPECT_EQ((*several)[1].code(), Code::kConflict);
  EXPECT_EQ(get("m:1"), "one");
}

TEST_F(ServerMirrorTest, AnswersTellHowFreshTheyAre) {
  mirror();
  const auto entry = kv_->get("default", "m:1");
  ASSERT_TRUE(entry) << entry.error().to_string();
  EXPECT_EQ(entry->fresh_as_of, now_);
  EXPECT_EQ(entry->position, position(1));
  const auto many = kv_->multi_get("default", {"m:1", "m:2"});
  ASSERT_TRUE(many);
  EXPECT_EQ((*many)[0]->position, position(1));
  EXPECT_FALSE((*many)[1]);
  const auto page = kv_->list("default", {.prefix = "m:"});
  ASSERT_TRUE(page);
  EXPECT_EQ(page->fresh_as_of, now_);
  EXPECT_EQ(page->position, position(1));
  ASSERT_TRUE(kv_->put("default", {.key = "a", .value = "v"}));
  EXPECT_EQ(kv_->get("default", "a")->fresh_as_of, std::nullopt);
  EXPECT_EQ(kv_->list("default", {})->fresh_as_of, std::nullopt);
  // A large one, which comes in fragments.
  const PutItem large{.key = "m:large", .value = std::string(1500 * 1024, 'x')};
  ASSERT_TRUE(kv_->mirror_batch("default", {large}, {position(2), now_})->written);
  const auto read = kv_->get("default", "m:large");
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_EQ(read->value.size(), 1500u * 1024);
  EXPECT_EQ(read->position, position(2));
}

TEST_F(ServerMirrorTest, ReadsWithBoundsAreMetOrStale) {
  mirror();
  ASSERT_TRUE(kv_->put("default", {.key = "a", .value = "v"}));
  EXPECT_EQ(kv_->get("default", "a", {.max_staleness = 1h}).code(), Code::kStale);
  EXPECT_EQ(kv_->get("default", "m:1", {.max_staleness = 1h})->value, "one");
  EXPECT_EQ(kv_->get("default", "m:none", {.max_staleness = 1h}).code(), Code::kNotFound);
  EXPECT_EQ(kv_->get("default", "m:1", {.min_position = position(1)})->value, "one");
  EXPECT_EQ(kv_->get("default", "m:1", {.min_position = position(2)}).code(), Code::kStale);
  EXPECT_EQ(kv_->get("default", "m:1", {.min_position = std::string(65, 'p')}).code(),
            Code::kInvalidArgument);
  std::this_thread::sleep_for(5ms);
  EXPECT_EQ(kv_->get("default", "m:1", {.max_staleness = 1ms}).code(), Code::kStale);
  EXPECT_EQ(kv_->multi_get("default", {"m:1"}, {.min_position = position(1)})->size(), 1u);
  EXPECT_EQ(kv_->multi_get("default", {"m:1", "a"}, {.min_position = position(1)}).code(),
            Code::kStale);
  wire::Request bounded = make(Opcode::kGet, 0, "m:1");
  const std::string wanted = position(2);
  bounded.fields.min_position = wanted;
  const auto stale = call(bounded);
  EXPECT_EQ(stale.status(), Code::kStale);
  EXPECT_EQ(stale.fields().fresh_as_of_ms, static_cast<std::uint64_t>(to_unix_ms(now_)));
}

TEST_F(ServerMirrorTest, WaitingReadsAskAgain) {
  mirror();
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(kv_->get("default", "m:1", {.min_position = position(2), .wait = 60ms}).code(),
            Code::kStale);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 60ms);
  std::thread later([this] {
    std::this_thread::sleep_for(30ms);
    net::ClientOptions options;
    options.connect_timeout = std::chrono::seconds(30);
    options.call_timeout = std::chrono::seconds(60);
    options.address = address_;
    net::BlockingClient client(options);
    const PutItem entry{.key = "m:1", .value = "two"};
    EXPECT_TRUE(client.mirror_batch("default", {entry}, {position(2), now_})->written);
  });
  const auto read = kv_->get("default", "m:1", {.min_position = position(2), .wait = 20s});
  later.join();
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_EQ(read->value, "two");
  EXPECT_EQ(read->position, position(2));
}

TEST_F(ServerMirrorTest, TheRulesBoundHoldsForEverybody) {
  mirror(1);
  std::this_thread::sleep_for(5ms);
  EXPECT_EQ(kv_->get("default", "m:1").code(), Code::kStale);
  EXPECT_EQ(kv_->multi_get("default", {"m:1"}).code(), Code::kStale);
  EXPECT_EQ(kv_->list("default", {.prefix = "m"}).code(), Code::kStale);
  const auto plain = call(make(Opcode::kGet, 0, "m:1"));
  EXPECT_EQ(plain.status(), Code::kStale);
  EXPECT_TRUE(plain.fields().fresh_as_of_ms);
  EXPECT_THAT(std::string(plain.fields().message.value_or("")), HasSubstr("its rule allows 1"));
  EXPECT_EQ((*kv_->mirror_get("default", {"m:1"}))[0]->value, "one");
  EXPECT_EQ(kv_->mirror_list("default", {.prefix = "m:"})->items.size(), 1u);
}

TEST_F(ServerMirrorTest, TheMirrorIsFencedByItsOwnKey) {
  mirror();
  const PutItem owner{.key = kOwnerKey, .value = "1"};
  const auto first = kv_->mirror_batch("default", {owner}, {});
  ASSERT_TRUE(first && first->written);
  const CheckItem fence{kOwnerKey, CheckItem::Wants::kVersion, first->items[0].version};
  const PutItem entry{.key = "m:1", .value = "two"};
  ASSERT_TRUE(kv_->mirror_batch("default", {fence, entry}, {position(2), now_})->written);
  ASSERT_TRUE(kv_->mirror_batch("default", {owner}, {})->written);
  const PutItem late{.key = "m:1", .value = "three"};
  const auto refused = kv_->mirror_batch("default", {fence, late}, {position(3), now_});
  ASSERT_TRUE(refused) << refused.error().to_string();
  EXPECT_FALSE(refused->written);
  EXPECT_EQ(refused->items[0].status.code(), Code::kVersionMismatch);
  EXPECT_EQ(kv_->get("default", "m:1")->value, "two");
  EXPECT_EQ(kv_->get("default", "m:1")->position, position(2));
  const auto owners = kv_->mirror_get("default", {kOwnerKey, kRulesKey});
  ASSERT_TRUE(owners);
  EXPECT_EQ((*owners)[0]->value, "1");
  EXPECT_TRUE((*owners)[1]);
  EXPECT_FALSE((*kv_->multi_get("default", {kOwnerKey}))[0]);
}

TEST_F(ServerMirrorTest, AMirrorsBatchMayBeLarge) {
  mirror();
  std::vector<BatchItem> items;
  for (int i = 0; i < 10'000; ++i) {
    items.push_back(PutItem{.key = "m:" + std::to_string(i), .value = std::string(100, 'v')});
  }
  const auto written = kv_->mirror_batch("default", items, {position(2), now_});
  ASSERT_TRUE(written) << written.error().to_string();
  EXPECT_TRUE(written->written);
  EXPECT_EQ(get("m:9999"), std::string(100, 'v'));
  EXPECT_EQ(kv_->batch("default", items).code(), Code::kInvalidArgument);
  items.push_back(PutItem{.key = "m:x"});
  EXPECT_EQ(kv_->mirror_batch("default", items, {}).code(), Code::kInvalidArgument);
  // To a peer whose frames are small the answer comes without items.
  std::string value;
  for (int i = 0; i < 8000; ++i) {
    wire::append_item(item(Opcode::kPut, "m:" + std::to_string(i)), value);
  }
  wire::append_item(item(Opcode::kCheckAbsent, "m:9999"), value);
  wire::Request request = make(Opcode::kBatch, 1, "", value);
  request.fields.source_position = "";
  auto planned = plan_write(request, storage::Durability::kWal);
  ASSERT_TRUE(planned) << planned.error().to_string();
  auto outcomes = storage::write_and_wait(*store_, planned->write);
  ASSERT_TRUE(outcomes);
  ReplyTo to;
  to.opcode = Opcode::kBatch;
  to.body_bytes_max = wire::kBodyBytesFloor;
  std::string answer;
  EXPECT_EQ(answer_write(*std::move(planned), std::move(outcomes), to, answer), Code::kConflict);
  EXPECT_LT(answer.size(), 600u);
  EXPECT_NE(answer.find("item 8000 failed: exists"), std::string::npos);
}

TEST_F(ServerMirrorTest, StatsTellOfMirrors) {
  EXPECT_THAT(*kv_->stats(), HasSubstr("\"mirrors\":[]"));
  mirror(5000);
  EXPECT_THAT(*kv_->stats(),
              HasSubstr("\"mirrors\":[{\"namespace\":\"" + std::string(32, 'a') +
                        "\",\"title\":\"default\",\"position\":\"0000000000000001\"," +
                        "\"fresh_as_of_ms\":" + std::to_string(to_unix_ms(now_)) +
                        ",\"rules\":[{\"prefix\":\"m:\",\"ttl_ms\":5000,\"loaded\":true}]}]"));
}

TEST_F(ServerMirrorTest, OnlyAnAdminMaySpeakAsTheMirror) {
  mirror();
  const auto create = [this](const char* name, const char* scopes) {
    const auto made =
        kv_->create_token(std::string("{\"name\":\"") + name + "\",\"scopes\":[" + scopes + "]}");
    EXPECT_TRUE(made) << made.error().to_string();
    const std::string text = made ? *made : std::string();
    const std::size_t at = text.find("\"secret\":\"") + 10;
    return text.substr(at, text.find('"', at) - at);
  };
  const std::string admin = create("mirror", "\"admin\",\"read\",\"write\",\"list\"");
  net::ClientOptions options;
  options.connect_timeout = std::chrono::seconds(30);
  options.call_timeout = std::chrono::seconds(60);
  options.address = address_;
  options.credential = admin;
  net::BlockingClient as_mirror(options);
  const auto before = std::exchange(kv_, std::make_unique<net::BlockingClient>(options));
  options.credential = create("plain", "\"read\",\"write\",\"list\",\"delete\"");
  net::BlockingClient plain(options);
  options.credential = create("idle", "\"admin\"");
  net::BlockingClient idle(options);
  const PutItem entry{.key = "m:1", .value = "two"};
  EXPECT_TRUE(as_mirror.mirror_batch("default", {entry}, {position(2), now_}));
  EXPECT_TRUE(as_mirror.mirror_get("default", {"m:1"}));
  EXPECT_TRUE(as_mirror.mirror_list("default", {}));
  const auto refused = plain.mirror_batch("default", {entry}, {position(3), now_});
  EXPECT_EQ(refused.code(), Code::kDenied);
  EXPECT_THAT(refused.error().message(), HasSubstr("scope admin"));
  EXPECT_EQ(plain.mirror_get("default", {kRulesKey}).code(), Code::kDenied);
  EXPECT_EQ(plain.mirror_list("default", {}).code(), Code::kDenied);
  EXPECT_EQ(plain.get("default", "m:1", {.min_position = position(2)})->value, "two");
  EXPECT_EQ(idle.mirror_batch("default", {entry}, {}).code(), Code::kDenied);
}

}  // namespace
}  // namespace edged::server
