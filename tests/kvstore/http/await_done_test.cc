// SPDX-License-Identifier: Apache-2.0
#include "kvstore/http/await_done.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <string>
#include <thread>

#include "proto/net/spawn.h"

namespace edged::kv_http {
namespace {

using Done = std::function<void(Result<std::string>)>;

boost::asio::awaitable<Result<std::string>> wait_for(std::function<void(Done)> start,
                                                     std::thread::id* resumed_on) {
  Result<std::string> answer = co_await await_done<std::string>(start);
  *resumed_on = std::this_thread::get_id();
  co_return answer;
}

// `answering` is joined before its event loop ends.
Result<std::string> run(std::function<void(Done)> start, std::thread* answering = nullptr) {
  boost::asio::io_context io{1};
  std::thread::id resumed_on;
  auto result = net::run_until_done(io, wait_for(std::move(start), &resumed_on));
  if (answering != nullptr) answering->join();
  EXPECT_EQ(resumed_on, std::this_thread::get_id());
  return result;
}

TEST(AwaitDoneTest, TakesAnAnswerGivenAtOnce) {
  const auto result = run([](const Done& done) { done(std::string("value")); });
  ASSERT_TRUE(result);
  EXPECT_EQ(*result, "value");
}

TEST(AwaitDoneTest, ResumesOnItsOwnThread) {
  std::thread other;
  const auto answer_later = [&other](Done done) {
    other = std::thread([done = std::move(done)] { done(std::string(1 << 20, 'v')); });
  };
  const auto result = run(answer_later, &other);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->size(), 1u << 20);
}

TEST(AwaitDoneTest, PassesErrorsOn) {
  const auto result = run([](const Done& done) { done(Status(Code::kBusy, "busy")); });
  EXPECT_EQ(result.code(), Code::kBusy);
}

TEST(AwaitDoneTest, ManyAnswersFromManyThreads) {
  for (int round = 0; round < 200; ++round) {
    std::thread other;
    const auto answer_later = [&other, round](Done done) {
      other = std::thread([done = std::move(done), round] { done(std::to_string(round)); });
    };
    const auto result = run(answer_later, &other);
    ASSERT_TRUE(result);
    EXPECT_EQ(*result, std::to_string(round));
  }
}

}  // namespace
}  // namespace edged::kv_http
