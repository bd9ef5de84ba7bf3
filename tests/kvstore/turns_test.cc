// SPDX-License-Identifier: Apache-2.0
#include "kvstore/server/turns.h"

#include <gtest/gtest.h>

#include <string>

namespace edged::server {
namespace {

// Between two that wait, what became ready meanwhile is run.
TEST(TurnsTest, LetsOthersThroughBetweenTwoThatWait) {
  boost::asio::io_context io{1};
  Turns turns(io);
  std::string order;
  for (const char name : {'1', '2', '3'}) {
    turns.wait([&order, &io, name] {
      order += name;
      boost::asio::post(io, [&order] { order += 'o'; });
    });
  }
  io.run();
  EXPECT_EQ(order, "1o2o3o");
}

TEST(TurnsTest, OneThatWaitsAgainComesLast) {
  boost::asio::io_context io{1};
  Turns turns(io);
  std::string order;
  turns.wait([&] {
    order += 'a';
    turns.wait([&] { order += 'A'; });
  });
  turns.wait([&] { order += 'b'; });
  io.run();
  EXPECT_EQ(order, "abA");
}

}  // namespace
}  // namespace edged::server
