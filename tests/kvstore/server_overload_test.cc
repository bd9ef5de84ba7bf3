// SPDX-License-Identifier: Apache-2.0
// Whom an overloaded server tells to wait, and what it cuts, on a store in memory that can be held.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <thread>

#include "tests/kvstore/node_fixture.h"

namespace edged::server {
namespace {

using test::RawClient;
using wire::Opcode;

using ServerOverloadTest = MemoryNodeFixture;

TEST_F(ServerOverloadTest, TellsTheOneWithTheMostToWait) {
  Limits limits;
  limits.under_way_max = 40;
  start(limits);
  store_.hold_writes();
  RawClient flooding(address_), modest(address_);
  for (std::uint32_t i = 0; i < 100; ++i) {
    ASSERT_TRUE(flooding.send(make(Opcode::kPut, i, "flood:" + std::to_string(i), "v")));
  }
  std::size_t busy = 0;
  for (; busy < 59; ++busy) {  // 41 are under way
    const RawClient::Reply reply = flooding.reply();
    ASSERT_EQ(reply.status(), Code::kBusy);
    EXPECT_GT(reply.fields().retry_after_ms.value_or(0), 0u);
  }
  for (std::uint32_t i = 0; i < 20; ++i) {
    ASSERT_TRUE(modest.send(make(Opcode::kPut, i, "modest:" + std::to_string(i), "v")));
  }
  EXPECT_EQ(modest.call(make(Opcode::kGet, 100, "absent")).status(), Code::kNotFound);
  store_.release_writes();
  for (std::uint32_t i = 0; i < 20; ++i) {
    EXPECT_EQ(modest.reply().status(), Code::kOk);
  }
  for (std::uint32_t i = 0; i < 41; ++i) {
    EXPECT_EQ(flooding.reply().status(), Code::kOk);
  }
}

// Two hold about 2 MiB each of 3.3 MiB: a request of 900 KiB, and the buffer of its frame.
TEST_F(ServerOverloadTest, WithoutMemoryRefusesRequestsAndCutsLargeFrames) {
  Limits limits;
  limits.connection_bytes_max = 3'300'000;
  start(limits);
  store_.hold_writes();
  RawClient one(address_), two(address_), busy(address_), begun(address_), reader(address_);
  const std::string large(900 * 1024, 'x');
  ASSERT_TRUE(one.send(make(Opcode::kPut, 1, "a", large)));
  while (store_.waiting_writes() < 1) std::this_thread::yield();
  ASSERT_TRUE(two.send(make(Opcode::kPut, 1, "b", large)));
  while (store_.waiting_writes() < 2) std::this_thread::yield();
  ASSERT_TRUE(busy.send(make(Opcode::kPut, 1, "c", "v")));
  EXPECT_EQ(busy.call(make(Opcode::kPut, 2, "d", large)).status(), Code::kBusy);
  std::string frame;
  wire::append_request(make(Opcode::kPut, 1, "e", large), frame);
  begun.send(std::string_view(frame).substr(0, 800 * 1024));
  EXPECT_TRUE(begun.ended());
  EXPECT_EQ(reader.call(make(Opcode::kGet, 1, "absent")).status(), Code::kNotFound);
  store_.release_writes();
  EXPECT_EQ(one.reply().status(), Code::kOk);
  EXPECT_EQ(two.reply().status(), Code::kOk);
  EXPECT_EQ(busy.reply().status(), Code::kOk);
  EXPECT_EQ(busy.call(make(Opcode::kPut, 3, "d", large)).status(), Code::kOk);
}

// However many requests a peer sends at once, and however large its buffer has become, everything
// is answered, in turns; requests in the same read as the end of the stream too.
TEST_F(ServerOverloadTest, AnswersAllOfABurstInTurns) {
  start({});
  RawClient bursting(address_), other(address_);
  std::string burst;
  wire::append_request(make(Opcode::kPut, 0, "large", std::string(900 * 1024, 'x')), burst);
  for (std::uint32_t i = 1; i <= 5000; ++i) {
    wire::append_request(make(Opcode::kGet, i, "absent"), burst);
  }
  ASSERT_TRUE(bursting.send(burst));
  bursting.end_sending();
  EXPECT_EQ(other.call(make(Opcode::kGet, 1, "absent")).status(), Code::kNotFound);
  std::vector<bool> answered(5001);
  for (std::size_t i = 0; i <= 5000; ++i) {
    const RawClient::Reply reply = bursting.reply();
    ASSERT_LT(reply.header.id, answered.size());
    answered[reply.header.id] = true;
  }
  EXPECT_EQ(std::count(answered.begin(), answered.end(), true), 5001);
  EXPECT_TRUE(bursting.ended());
}

}  // namespace
}  // namespace edged::server
