// SPDX-License-Identifier: Apache-2.0
// Writes are collected in a pass of a reactor and committed together (kvstore/server/pass.h): what
// each connection sees of it, with several reactors that hand their writes to one another.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <thread>
#include <vector>

#include "kvstore/storage/rocks_store.h"
#include "tests/kvstore/node_fixture.h"
#include "tests/support/temp_dir.h"

namespace edged::server {
namespace {

using test::RawClient;
using wire::Opcode;
using wire::Request;

class ServerPassTest : public NodeFixture {
 protected:
  void SetUp() override {
    storage::RocksStoreOptions options;
    options.data_dir = dir_.path() + "/data";
    auto opened = storage::open_rocks_store(std::move(options));
    ASSERT_TRUE(opened) << opened.error().to_string();
    store_ = *std::move(opened);
    ASSERT_TRUE(store_->create_namespace("default", ""));
    io_threads_ = 3;
    start_on(*store_, {});
  }
  void TearDown() override { server_.reset(); }

  static std::map<std::uint32_t, RawClient::Reply> replies(RawClient& client, std::size_t count) {
    std::map<std::uint32_t, RawClient::Reply> all;
    for (std::size_t i = 0; i < count; ++i) {
      RawClient::Reply reply = client.reply();
      const std::uint32_t id = reply.header.id;
      EXPECT_TRUE(all.emplace(id, std::move(reply)).second) << "answered twice: " << id;
    }
    return all;
  }

  static Request add_of(std::uint32_t id, std::string_view key) {
    Request add = make(Opcode::kAdd, id, key);
    add.fields.delta = 1;
    return add;
  }

  test::TempDir dir_;
  std::unique_ptr<storage::Store> store_;
};

TEST_F(ServerPassTest, AReadBehindAWriteSeesItInOneBurst) {
  RawClient client(address_);
  std::string burst;
  for (std::uint32_t i = 0; i < 100; ++i) {
    wire::append_request(make(Opcode::kPut, 3 * i, "k", std::to_string(i)), burst);
    wire::append_request(make(Opcode::kGet, 3 * i + 1, "k"), burst);
    wire::append_request(make(Opcode::kGet, 3 * i + 2, "other"), burst);
  }
  ASSERT_TRUE(client.send(burst));
  const auto all = replies(client, 300);
  for (std::uint32_t i = 0; i < 100; ++i) {
    EXPECT_EQ(all.at(3 * i).status(), Code::kOk);
    EXPECT_EQ(all.at(3 * i + 1).value(), std::to_string(i));
    EXPECT_EQ(all.at(3 * i + 2).status(), Code::kNotFound);
  }
}

TEST_F(ServerPassTest, KernelAndDiskInOnePassQuietOnesToo) {
  RawClient client(address_);
  std::string burst;
  for (std::uint32_t i = 0; i < 40; ++i) {
    const std::string key = "k" + std::to_string(i);
    Request put = make(Opcode::kPut, i, key, "v");
    if (i % 3 == 0) put.flags |= wire::kFlagSync;
    if (i % 4 == 0) put.flags |= wire::kFlagQuiet;
    wire::append_request(put, burst);
  }
  ASSERT_TRUE(client.send(burst));
  const auto all = replies(client, 30);
  for (std::uint32_t i = 0; i < 40; ++i) {
    EXPECT_EQ(all.contains(i), i % 4 != 0) << i;
    EXPECT_TRUE(store_->get(1, "k" + std::to_string(i), storage::ReadTier::kDisk)) << i;
  }
}

// More than a pass takes, from one connection.
TEST_F(ServerPassTest, AnswersABurstOfManyPassesInOrder) {
  constexpr std::uint32_t kAdds = 2000;
  RawClient client(address_);
  std::string burst;
  for (std::uint32_t i = 0; i < kAdds; ++i) wire::append_request(add_of(i, "sum"), burst);
  std::thread sender([&] { EXPECT_TRUE(client.send(burst)); });
  const auto all = replies(client, kAdds);
  sender.join();
  for (std::uint32_t i = 0; i < kAdds; ++i) {
    EXPECT_EQ(all.at(i).value(), std::to_string(i + 1));
  }
}

TEST_F(ServerPassTest, SeveralReactorsLoseAndDoubleNothing) {
  constexpr std::uint32_t kConnections = 9, kRounds = 60, kPipelined = 20;
  std::vector<std::thread> peers;
  for (std::uint32_t c = 0; c < kConnections; ++c) {
    peers.emplace_back([&, c] {
      RawClient client(address_);
      const std::string own = "own" + std::to_string(c);
      for (std::uint32_t round = 0; round < kRounds; ++round) {
        std::string burst;
        for (std::uint32_t i = 0; i < kPipelined; ++i) {
          Request add = add_of(2 * i, i % 2 == 0 ? std::string_view("sum") : own);
          if ((round + i + c) % 17 == 0) add.flags |= wire::kFlagSync;
          wire::append_request(add, burst);
          wire::append_request(make(Opcode::kGet, 2 * i + 1, own), burst);
        }
        ASSERT_TRUE(client.send(burst));
        const auto all = replies(client, 2 * kPipelined);
        for (std::uint32_t i = 1; i < kPipelined; i += 2) {
          const std::string sum = std::to_string(round * kPipelined / 2 + (i + 1) / 2);
          EXPECT_EQ(all.at(2 * i).value(), sum);
          EXPECT_EQ(all.at(2 * i + 1).value(), sum) << "a read behind it";
        }
      }
    });
  }
  for (std::thread& peer : peers) peer.join();
  const auto sum = store_->get(1, "sum", storage::ReadTier::kDisk);
  ASSERT_TRUE(sum);
  EXPECT_EQ(sum->value, std::to_string(kConnections * kRounds * kPipelined / 2));
}

TEST_F(ServerPassTest, PeersThatLeaveTakeNobodyWithThem) {
  RawClient stays(address_);
  for (int round = 0; round < 50; ++round) {
    {
      RawClient leaves(address_);
      std::string burst;
      for (std::uint32_t i = 0; i < 30; ++i) wire::append_request(add_of(i, "left"), burst);
      ASSERT_TRUE(leaves.send(burst));
      ASSERT_TRUE(stays.send(add_of(1, "stayed")));
      if (round % 2 == 0) leaves.reply();
    }
    EXPECT_EQ(stays.reply().value(), std::to_string(round + 1));
  }
}

// The server ends while its writes are on their way: the store does them all.
TEST_F(ServerPassTest, AServerThatEndsLeavesNoWriteBehind) {
  for (int round = 0; round < 5; ++round) {
    RawClient client(address_);
    std::string burst;
    for (std::uint32_t i = 0; i < 200; ++i) {
      Request add = add_of(i, "sum");
      add.flags |= wire::kFlagSync;
      wire::append_request(add, burst);
    }
    ASSERT_TRUE(client.send(burst));
    client.reply();
    start_on(*store_, {});  // ends the one before
  }
}

}  // namespace
}  // namespace edged::server
