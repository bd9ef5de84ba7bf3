// SPDX-License-Identifier: Apache-2.0
// Requests and responses that come in fragments, on a real store.
#include <gtest/gtest.h>

#include "tests/kvstore/server_fixture.h"

namespace edged::server {
namespace {

using test::RawClient;
using wire::Opcode;
using wire::Request;

using FragmentsTest = OperationsFixture;

// Sends `value` in fragments of `piece` bytes.
void send_in_fragments(RawClient& client,
                       Request request,
                       std::string_view value,
                       std::size_t piece) {
  do {
    request.value = value.substr(0, piece);
    value.remove_prefix(request.value.size());
    request.flags = static_cast<std::uint16_t>(value.empty() ? request.flags & ~wire::kFlagMore
                                                             : request.flags | wire::kFlagMore);
    ASSERT_TRUE(client.send(request));
    request.key = {};
    request.fields = {};
  } while (!value.empty());
}

std::string pattern(std::size_t bytes) {
  std::string text(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) {
    text[i] = static_cast<char>(i * 7 + i / 251);
  }
  return text;
}

TEST_F(FragmentsTest, FragmentsCarryLargeValuesBothWays) {
  for (const std::size_t bytes :
       {std::size_t{0}, std::size_t{10}, std::size_t{65'537}, wire::kValueBytesMax}) {
    const std::string value = pattern(bytes);
    Request put = make(Opcode::kPut, 1, "large", "");
    put.fields.metadata = "{}";
    if (bytes < 100) {  // one fragment and an empty last one
      put.flags = wire::kFlagMore;
      put.value = value;
      ASSERT_TRUE(client_->send(put));
      put = make(Opcode::kPut, 1, "", "");
      ASSERT_TRUE(client_->send(put));
    } else {
      send_in_fragments(*client_, put, value, 200'000);
    }
    RawClient::Reply reply = client_->reply();
    ASSERT_EQ(reply.status(), Code::kOk) << bytes << reply.fields().message.value_or("");
    EXPECT_TRUE(reply.fields().version.has_value());
    Request get = make(Opcode::kGet, 2, "large");
    get.flags = wire::kFlagMetadata;
    ASSERT_TRUE(client_->send(get));
    std::string got;
    do {
      reply = client_->reply();
      ASSERT_EQ(reply.status(), Code::kOk);
      if (got.empty()) {
        EXPECT_EQ(reply.fields().metadata, "{}");
        EXPECT_EQ(reply.fields().value_bytes.has_value(), reply.more());
      }
      got += reply.value();
    } while (reply.more());
    EXPECT_TRUE(got == value) << bytes;
  }
}

TEST_F(FragmentsTest, FragmentsAreJudgedAsAWhole) {
  std::string value(wire::kValueBytesMax + 1, 'x');
  send_in_fragments(*client_, make(Opcode::kPut, 1, "large", ""), value, 1 << 20);
  EXPECT_EQ(client_->reply().status(), Code::kTooLarge);
  EXPECT_EQ(get("large"), "not_found");

  value.resize(100'000);
  Request put = make(Opcode::kPutIfVersion, 2, "large", "");
  put.fields.if_version = 5;
  send_in_fragments(*client_, put, value, 60'000);
  EXPECT_EQ(client_->reply().status(), Code::kVersionMismatch);

  Request elsewhere = make(Opcode::kPut, 3, "large", "");
  elsewhere.ns = 99;
  send_in_fragments(*client_, elsewhere, value, 60'000);
  EXPECT_EQ(client_->reply().status(), Code::kNamespaceNotFound);

  Request begun = make(Opcode::kPut, 4, "large", "1");
  begun.flags = wire::kFlagMore;
  ASSERT_TRUE(client_->send(begun));
  Request other = make(Opcode::kDelete, 4, "large", "");
  EXPECT_EQ(client_->call(other).status(), Code::kInvalidArgument);
  Request list = make(Opcode::kList, 5, "");
  list.flags = wire::kFlagMore;
  EXPECT_EQ(client_->call(list).status(), Code::kUnsupported);
  EXPECT_EQ(get("large"), "not_found");
}

TEST_F(FragmentsTest, FragmentsCanBeInterleavedAndCancelled) {
  Request first = make(Opcode::kPut, 1, "a", "one ");
  Request second = make(Opcode::kPut, 2, "b", "eins ");
  Request third = make(Opcode::kPut, 3, "c", "gone");
  for (Request* request : {&first, &second, &third}) {
    request->flags = wire::kFlagMore;
    ASSERT_TRUE(client_->send(*request));
  }
  const std::string id("\3\0\0\0", 4);
  EXPECT_EQ(client_->call(make(Opcode::kCancel, 9, "", id)).status(), Code::kOk);
  EXPECT_EQ(client_->call(make(Opcode::kCancel, 10, "", id)).status(), Code::kNotFound);
  EXPECT_EQ(client_->call(make(Opcode::kPut, 2, "", "zwei")).status(), Code::kOk);
  EXPECT_EQ(client_->call(make(Opcode::kPut, 1, "", "two")).status(), Code::kOk);
  last_id_ = 100;
  EXPECT_EQ(get("a"), "one two");
  EXPECT_EQ(get("b"), "eins zwei");
  EXPECT_EQ(get("c"), "not_found");
}

// The store holds nothing of a refused request, and the client has heard of it once.
void expect_one_refusal(RawClient& client, std::uint32_t id, Code why) {
  const RawClient::Reply refusal = client.reply();
  EXPECT_EQ(refusal.header.id, id);
  EXPECT_EQ(refusal.status(), why);
  Request ping;
  ping.opcode = Opcode::kPing;
  ping.id = 4'000'000;
  EXPECT_EQ(client.call(ping).header.id, 4'000'000u);
}

TEST_F(FragmentsTest, TheTailOfARefusedRequestIsDropped) {
  for (std::uint32_t id = 1; id <= wire::kFragmentedMax; ++id) {
    Request begun = make(Opcode::kPut, id, "open" + std::to_string(id), "x");
    begun.flags = wire::kFlagMore;
    ASSERT_TRUE(client_->send(begun));
  }
  std::string guard, half;
  wire::append_item(item(Opcode::kCheckAbsent, "a:1", ""), guard);
  wire::append_item(item(Opcode::kPut, "half", "done"), half);
  Request batch = make(Opcode::kBatch, 100, "", guard);
  batch.flags = wire::kFlagMore;
  ASSERT_TRUE(client_->send(batch));
  batch.value = half;
  ASSERT_TRUE(client_->send(batch));
  batch.flags = 0;
  ASSERT_TRUE(client_->send(batch));
  expect_one_refusal(*client_, 100, Code::kBusy);
  last_id_ = 200;
  EXPECT_EQ(get("half"), "not_found");
  // The id is free again.
  EXPECT_EQ(client_->call(make(Opcode::kPut, 100, "k", "v")).status(), Code::kOk);
}

TEST_F(FragmentsTest, WhateverTheFirstFragmentIsRefusedFor) {
  std::string half;
  wire::append_item(item(Opcode::kPut, "half", "done"), half);
  Request unsupported = make(Opcode::kMultiDelete, 1, "", "x");
  const std::string large(wire::kBodyBytesMax + 1, 'x');
  Request oversized = make(Opcode::kBatch, 3, "", large);
  const struct {
    Request first;
    Code why;
  } cases[] = {{unsupported, Code::kUnsupported}, {oversized, Code::kTooLarge}};
  for (auto item : cases) {
    item.first.flags = wire::kFlagMore;
    ASSERT_TRUE(client_->send(item.first));
    Request tail = make(Opcode::kBatch, item.first.id, "", half);
    tail.flags = wire::kFlagMore;
    ASSERT_TRUE(client_->send(tail));
    tail.flags = 0;
    ASSERT_TRUE(client_->send(tail));
    expect_one_refusal(*client_, item.first.id, item.why);
  }
  last_id_ = 200;
  EXPECT_EQ(get("half"), "not_found");
}

TEST_F(FragmentsTest, ARefusedFragmentInTheMiddleRefusesAll) {
  Request put = make(Opcode::kPut, 1, "k", "one ");
  put.flags = wire::kFlagMore;
  ASSERT_TRUE(client_->send(put));
  const std::string large(wire::kBodyBytesMax + 1, 'x');
  Request middle = make(Opcode::kPut, 1, "", large);
  middle.flags = wire::kFlagMore;
  ASSERT_TRUE(client_->send(middle));
  ASSERT_TRUE(client_->send(make(Opcode::kPut, 1, "", "three")));
  expect_one_refusal(*client_, 1, Code::kTooLarge);
  last_id_ = 200;
  EXPECT_EQ(get("k"), "not_found");
}

TEST_F(FragmentsTest, CancelFreesTheIdOfARefusedRequest) {
  Request list = make(Opcode::kList, 5, "");
  list.flags = wire::kFlagMore;
  EXPECT_EQ(client_->call(list).status(), Code::kUnsupported);
  EXPECT_EQ(client_->call(make(Opcode::kCancel, 9, "", std::string("\5\0\0\0", 4))).status(),
            Code::kOk);
  EXPECT_EQ(client_->call(make(Opcode::kPut, 5, "k", "v")).status(), Code::kOk);
}

TEST_F(FragmentsTest, TooManyRefusedRequestsEndTheConnection) {
  for (std::uint32_t id = 1; id <= 1025; ++id) {
    Request list = make(Opcode::kList, id, "");
    list.flags = wire::kFlagMore;
    ASSERT_TRUE(client_->send(list));
    EXPECT_EQ(client_->reply().status(), Code::kUnsupported);
  }
  EXPECT_TRUE(client_->ended());
}

TEST_F(FragmentsTest, LargeBatchComesInFragments) {
  const std::string value = pattern(60'000);
  std::string items;
  for (int i = 0; i < 100; ++i) {
    wire::append_item(item(Opcode::kPut, "key" + std::to_string(i), value), items);
  }
  send_in_fragments(*client_, make(Opcode::kBatch, 1, "", ""), items, 256 * 1024);
  const RawClient::Reply reply = client_->reply();
  ASSERT_EQ(reply.status(), Code::kOk) << reply.fields().message.value_or("");
  EXPECT_EQ(reply.items().size(), 100u);
  EXPECT_TRUE(get("key99") == value);
  items.append(items).append(items);
  send_in_fragments(*client_, make(Opcode::kBatch, 2, "", ""), items, 256 * 1024);
  EXPECT_EQ(client_->reply().status(), Code::kTooLarge);
}

TEST_F(FragmentsTest, SameKeyKeepsItsOrderAroundAStagedValue) {
  const std::string value = pattern(300'000);
  send_in_fragments(*client_, make(Opcode::kPut, 1, "a", ""), value, 100'000);
  ASSERT_TRUE(client_->send(make(Opcode::kPut, 2, "a", "after")));
  ASSERT_TRUE(client_->send(make(Opcode::kGet, 3, "a")));
  EXPECT_EQ(client_->reply().header.id, 1u);
  EXPECT_EQ(client_->reply().header.id, 2u);
  EXPECT_EQ(client_->reply().value(), "after");
}

}  // namespace
}  // namespace edged::server
