// SPDX-License-Identifier: Apache-2.0
// The table of operations, tried with every operation, TLV and flag, and compared with the table in
// docs/protocol.md.
#include "proto/wire/operation_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "tests/proto/shapes.h"

namespace edged::wire {
namespace {

using test::all_flags;
using test::all_tlvs;
using test::set_field;
using ::testing::HasSubstr;
using Use = OperationShape::Use;

// What the operation needs, and nothing else.
Request smallest_request(const OperationShape& shape) {
  Request request;
  request.opcode = shape.opcode;
  for (const Tlv tlv : all_tlvs()) {
    if (shape.required.has(tlv)) set_field(tlv, request.fields);
  }
  if (shape.ns == OperationShape::Namespace::kNeeded) request.ns = 1;
  if (shape.key == OperationShape::Key::kNeeded) request.key = "k";
  return request;
}

Item smallest_item(const OperationShape& shape) {
  const Request request = smallest_request(shape);
  return {shape.opcode, Code::kOk, request.fields, "k", {}};
}

TEST(OperationTableTest, EveryOpcodeHasARow) {
  for (int number = 0; number < 256; ++number) {
    const auto opcode = static_cast<Opcode>(number);
    const bool expected = opcode_name(opcode) != "unknown" && opcode != Opcode::kGoAway;
    EXPECT_EQ(find_operation(opcode) != nullptr, expected) << number;
  }
}

TEST(OperationTableTest, ARequestMayHaveWhatItsRowNamesAndNothingElse) {
  for (const OperationShape& shape : operation_table()) {
    const Request request = smallest_request(shape);
    if (shape.use == Use::kItem) {
      EXPECT_EQ(check_shape(request).code(), Code::kUnsupported) << shape.name;
      continue;
    }
    EXPECT_TRUE(check_shape(request).ok()) << check_shape(request).message();
    for (const Tlv tlv : all_tlvs()) {
      Request more = request;
      set_field(tlv, more.fields);
      more.flags = shape.opcode == Opcode::kGet && tlv == Tlv::kTtl ? kFlagLease : std::uint16_t{0};
      const bool allowed = (shape.required | shape.optional | shape.frame_only).has(tlv);
      const Status status = check_shape(more);
      EXPECT_EQ(status.code(), allowed ? Code::kOk : Code::kInvalidArgument)
          << shape.name << " with " << tlv_name(tlv);
      if (!allowed) {
        EXPECT_THAT(status.message(), HasSubstr(std::string(tlv_name(tlv)))) << shape.name;
      }
    }
    for (const std::uint16_t flag : all_flags()) {
      Request more = request;
      more.flags = flag;
      const bool allowed = ((shape.flags | kFlagsOfAll) & flag) != 0;
      const Status status = check_shape(more);
      EXPECT_EQ(status.code(), allowed ? Code::kOk : Code::kInvalidArgument)
          << shape.name << " with " << flag_name(flag);
      if (!allowed) {
        EXPECT_THAT(status.message(), HasSubstr(std::string(flag_name(flag))));
      }
    }
  }
}

TEST(OperationTableTest, AnItemMayHaveWhatItsRowNamesAndNothingElse) {
  for (const OperationShape& shape : operation_table()) {
    const Item item = smallest_item(shape);
    if (shape.use == Use::kRequest) {
      EXPECT_EQ(check_item_shape(item).code(), Code::kInvalidArgument) << shape.name;
      continue;
    }
    EXPECT_TRUE(check_item_shape(item).ok()) << check_item_shape(item).message();
    for (const Tlv tlv : all_tlvs()) {
      Item more = item;
      set_field(tlv, more.fields);
      const bool allowed = (shape.required | shape.optional).has(tlv) || tlv == Tlv::kNamespace;
      EXPECT_EQ(check_item_shape(more).code(), allowed ? Code::kOk : Code::kInvalidArgument)
          << shape.name << " with " << tlv_name(tlv);
    }
    Item with_status = item;
    with_status.status = Code::kNotFound;
    EXPECT_EQ(check_item_shape(with_status).code(), Code::kInvalidArgument) << shape.name;
  }
}

TEST(OperationTableTest, WhatIsNeededMustBeThere) {
  for (const OperationShape& shape : operation_table()) {
    if (shape.required.empty() || shape.use == Use::kItem) continue;
    Request request = smallest_request(shape);
    request.fields = {};
    const Status status = check_shape(request);
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << shape.name;
    EXPECT_THAT(status.message(), HasSubstr("is missing"));
  }
}

TEST(OperationTableTest, KeysValuesAndNamespacesOnlyWhereTheyBelong) {
  for (const OperationShape& shape : operation_table()) {
    if (shape.use == Use::kItem) continue;
    Request request = smallest_request(shape);
    request.key = "k";
    EXPECT_EQ(check_shape(request).ok(), shape.key != OperationShape::Key::kNone) << shape.name;
    request = smallest_request(shape);
    request.value = "v";
    EXPECT_EQ(check_shape(request).ok(), shape.value != OperationShape::Value::kNone) << shape.name;
    request = smallest_request(shape);
    request.ns = 1;
    EXPECT_EQ(check_shape(request).ok(), shape.ns != OperationShape::Namespace::kNone)
        << shape.name;
  }
}

TEST(OperationTableTest, ATtlOfAGetNeedsTheFlagLease) {
  Request get = smallest_request(*find_operation(Opcode::kGet));
  get.fields.ttl_ms = 1000;
  EXPECT_THAT(check_shape(get).message(), HasSubstr("LEASE"));
  get.flags = kFlagLease;
  EXPECT_TRUE(check_shape(get).ok());
}

TEST(OperationTableTest, ALimitIsBetween1And1000) {
  for (const Opcode opcode : {Opcode::kList, Opcode::kNamespaceList, Opcode::kTokenList}) {
    Request list = smallest_request(*find_operation(opcode));
    for (const auto& [limit, allowed] :
         {std::pair{0U, false}, {1U, true}, {1000U, true}, {1001U, false}}) {
      list.fields.limit = limit;
      EXPECT_EQ(check_shape(list).ok(), allowed) << opcode_name(opcode) << " " << limit;
    }
  }
}

TEST(OperationTableTest, OtherBitsAreUnsupported) {
  Request ping = smallest_request(*find_operation(Opcode::kPing));
  ping.flags = 0x8000;
  EXPECT_EQ(check_shape(ping).code(), Code::kUnsupported);
}

// The rows of the table under "## All operations".
std::vector<std::string> rows_of_document() {
  std::ifstream file(EDGED_SOURCE_DIR "/docs/protocol.md");
  std::vector<std::string> rows;
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("## ")) inside = line == "## All operations";
    if (inside && line.starts_with("| ") && !line.starts_with("| opcode") &&
        !line.starts_with("| ---")) {
      rows.push_back(line);
    }
  }
  return rows;
}

TEST(OperationTableTest, TheDocumentHasTheSameTable) {
  std::vector<std::string> expected;
  for (const OperationShape& shape : operation_table()) expected.push_back(test::row_of(shape));
  EXPECT_EQ(rows_of_document(), expected);
}

}  // namespace
}  // namespace edged::wire
