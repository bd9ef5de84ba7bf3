// SPDX-License-Identifier: Apache-2.0
// Every operation with every TLV and every flag, sent to a server: it does what the table of
// operations allows, refuses the rest by name, and answers only the TLVs that the table names.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "proto/wire/operation_table.h"
#include "tests/kvstore/server_fixture.h"
#include "tests/proto/shapes.h"

namespace edged::server {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using wire::Opcode;
using wire::OperationShape;
using wire::Tlv;
using wire::TlvSet;

constexpr const char* kMisplaced = "does not belong to this operation";

class ServerShapesTest : public ServerFixture {
 protected:
  // What the operation needs, and nothing else; harmless.
  static wire::Request smallest_request(const OperationShape& shape) {
    const bool about_namespace = shape.name.starts_with("NAMESPACE_");
    wire::Request request;
    request.opcode = shape.opcode;
    request.id = 1;
    for (const Tlv tlv : test::all_tlvs()) {
      if (shape.required.has(tlv)) test::set_field(tlv, request.fields);
    }
    if (shape.ns == OperationShape::Namespace::kNeeded) request.ns = about_namespace ? 99 : 1;
    if (shape.key == OperationShape::Key::kNeeded) request.key = "k";
    return request;
  }

  // On a connection of its own: some operations end it, or leave a watch.
  test::RawClient::Reply call(const wire::Request& request) {
    test::RawClient client(address_);
    return client.call(request);
  }

  void expect_answered(const OperationShape& shape, const test::RawClient::Reply& reply) {
    const TlvSet excess = TlvSet::of(reply.fields())
                              .without(shape.answered | TlvSet{Tlv::kMessage, Tlv::kRetryAfter});
    EXPECT_TRUE(excess.empty()) << shape.name << " answers " << wire::tlv_name(excess.first());
  }

  void expect(const OperationShape& shape,
              const wire::Request& request,
              bool allowed,
              std::string_view extra) {
    const test::RawClient::Reply reply = call(request);
    const std::string message(reply.fields().message.value_or(""));
    if (allowed) {
      EXPECT_THAT(message, Not(HasSubstr(kMisplaced))) << shape.name << " with " << extra;
      expect_answered(shape, reply);
      return;
    }
    EXPECT_EQ(reply.status(), Code::kInvalidArgument) << shape.name << " with " << extra;
    EXPECT_THAT(message, HasSubstr(std::string(extra))) << shape.name;
  }
};

TEST_F(ServerShapesTest, TlvsAndFlagsAreRefusedWhereTheyDoNotBelong) {
  for (const OperationShape& shape : wire::operation_table()) {
    if (shape.use == OperationShape::Use::kItem) continue;
    const wire::Request request = smallest_request(shape);
    for (const Tlv tlv : test::all_tlvs()) {
      if (shape.required.has(tlv)) continue;
      wire::Request more = request;
      test::set_field(tlv, more.fields);
      if (shape.opcode == Opcode::kGet && tlv == Tlv::kTtl) more.flags = wire::kFlagLease;
      expect(shape, more, (shape.optional | shape.frame_only).has(tlv), wire::tlv_name(tlv));
    }
    for (const std::uint16_t flag : test::all_flags()) {
      // A QUIET request may have no answer; fragments have tests of their own.
      if (flag == wire::kFlagMore || (flag & shape.flags & wire::kFlagQuiet) != 0) continue;
      wire::Request more = request;
      more.flags = flag;
      expect(shape, more, ((shape.flags | wire::kFlagsOfAll) & flag) != 0, wire::flag_name(flag));
    }
  }
}

TEST_F(ServerShapesTest, AGetWithAValueOrATtlAloneIsRefused) {
  wire::Request get = make(Opcode::kGet, 1, "k", "value");
  EXPECT_EQ(call(get).status(), Code::kInvalidArgument);
  get = make(Opcode::kGet, 1, "k");
  get.fields.ttl_ms = 1000;
  EXPECT_EQ(call(get).status(), Code::kInvalidArgument);
}

TEST_F(ServerShapesTest, AHandleInTheHeaderIsRefusedWhereNoneIsNeeded) {
  for (const OperationShape& shape : wire::operation_table()) {
    if (shape.ns == OperationShape::Namespace::kNeeded) continue;
    if (shape.use == OperationShape::Use::kItem) continue;
    wire::Request request = smallest_request(shape);
    request.ns = 1;
    EXPECT_EQ(call(request).status(), Code::kInvalidArgument) << shape.name;
  }
}

TEST_F(ServerShapesTest, ItemsAreJudgedByTheSameTable) {
  wire::Item with_status;
  with_status.opcode = Opcode::kPut;
  with_status.key = "k";
  with_status.status = Code::kNotFound;
  wire::Item with_limit;
  with_limit.opcode = Opcode::kPut;
  with_limit.key = "k";
  with_limit.fields.limit = 1;
  for (const wire::Item& item : {with_status, with_limit}) {
    std::string items;
    wire::append_item(item, items);
    const auto reply = call(make(Opcode::kMultiPut, 1, "", items));
    ASSERT_EQ(reply.status(), Code::kOk);  // each item is judged alone
    const std::string answered = reply.value();
    wire::ItemReader reader(answered);
    wire::Item outcome;
    ASSERT_TRUE(reader.next(outcome));
    EXPECT_EQ(outcome.status, Code::kInvalidArgument);
    EXPECT_EQ(call(make(Opcode::kBatch, 1, "", items)).status(), Code::kInvalidArgument);
  }
  wire::Item get;
  get.key = "k";
  get.value = "value";
  std::string items;
  wire::append_item(get, items);
  EXPECT_EQ(call(make(Opcode::kMultiGet, 1, "", items)).status(), Code::kInvalidArgument);
}

TEST_F(ServerShapesTest, AnMputWithSyncIsOneSync) {
  std::string items;
  for (int i = 0; i < 100; ++i) {
    const std::string key = "k" + std::to_string(i);
    wire::Item put;
    put.opcode = Opcode::kPut;
    put.key = key;
    wire::append_item(put, items);
  }
  const std::uint64_t before = store_->stats().syncs;
  wire::Request request = make(Opcode::kMultiPut, 1, "", items);
  request.flags = wire::kFlagSync;
  EXPECT_EQ(call(request).status(), Code::kOk);
  EXPECT_EQ(store_->stats().syncs, before + 1);
}

}  // namespace
}  // namespace edged::server
