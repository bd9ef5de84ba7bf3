// SPDX-License-Identifier: Apache-2.0
// Requests for queues on their way out of the node, to a pass that the test scripts.
#include <atomic>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <future>

#include "tests/kvstore/http/rest_fixture.h"

namespace edged::kv_http {
namespace {

constexpr const char* kQueues = "/client/v4/accounts/a1/queues";
constexpr const char* kPull = "/client/v4/accounts/a1/queues/jobs/messages/pull";

class RestQueuesTest : public RestFixture {
 protected:
  void SetUp() override {
    RestFixture::SetUp();
    stop();
    RestOptions options;
    options.queue_pass = [this](QueueRequest request) { return pass(std::move(request)); };
    start(std::move(options));
  }

  asio::awaitable<Result<QueueAnswer>> pass(QueueRequest request) {
    seen_.push_back(std::move(request));
    while (hold_) {
      asio::steady_timer pause(context_, std::chrono::milliseconds(1));
      co_await pause.async_wait(asio::use_awaitable);
    }
    co_return answer_;
  }

  Answer as(access::Scopes scopes, std::vector<std::string> namespaces = {}) {
    access::Grant grant;
    grant.name = "token " + std::to_string(++tokens_);
    grant.scopes = scopes;
    grant.namespaces = std::move(namespaces);
    const auto made = table_->create(grant);
    EXPECT_TRUE(made) << made.error().message();
    return request("POST", kPull, "{}", {{"Authorization", "Bearer " + made->secret}});
  }

  int tokens_ = 0;
  std::atomic<bool> hold_{false};
  // The server's thread writes them while a request is under way.
  std::vector<QueueRequest> seen_;
  Result<QueueAnswer> answer_ = QueueAnswer{200, "application/json", R"({"success":true})"};
};

TEST_F(RestQueuesTest, PassesTheRequestAndTheAnswerUnchanged) {
  std::string body("\0\xff{\"a\": 1}\r\n", 12);
  body.append(1024 * 1024 - body.size(), 'x');
  answer_ = QueueAnswer{418, "text/x-tea", std::string("\0pot", 4)};
  const Answer answer = request("PATCH", std::string(kQueues) + "/q-1_x?name=a%2Fb&x=", body);
  EXPECT_EQ(answer.status, 418);
  EXPECT_EQ(answer.headers.at("content-type"), "text/x-tea");
  EXPECT_EQ(answer.body, std::string("\0pot", 4));
  ASSERT_EQ(seen_.size(), 1u);
  EXPECT_EQ(seen_[0].method, "PATCH");
  EXPECT_EQ(seen_[0].target, std::string(kQueues) + "/q-1_x?name=a%2Fb&x=");
  EXPECT_EQ(seen_[0].body, body);
}

TEST_F(RestQueuesTest, KnowsFiveMethodsAndHead) {
  for (const char* method : {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"}) {
    EXPECT_EQ(request(method, kQueues).status, 200) << method;
  }
  ASSERT_EQ(seen_.size(), 6u);
  EXPECT_EQ(seen_.back().method, "GET");
  const Answer other = request("OPTIONS", kQueues);
  EXPECT_EQ(other.status, 405);
  EXPECT_EQ(other.headers.at("allow"), "GET, HEAD, POST, PUT, PATCH, DELETE");
  EXPECT_EQ(request("get", kQueues).status, 405);
  EXPECT_EQ(seen_.size(), 6u);
}

TEST_F(RestQueuesTest, WantsTheScopeQueue) {
  EXPECT_EQ(request("POST", kPull, "{}", {}).status, 401);
  using access::Scope;
  const Answer refused = as(
      {Scope::kRead, Scope::kWrite, Scope::kDelete, Scope::kList, Scope::kAdmin, Scope::kMetrics});
  EXPECT_EQ(refused.error(),
            "403 10037 queues: 'could not do queues: the token lacks the scope queue'");
  EXPECT_EQ(request("POST", kPull, "{}", {{"Authorization", "Bearer wrong"}}).status, 401);
  EXPECT_TRUE(seen_.empty());
  EXPECT_EQ(as({Scope::kQueue}).status, 200);
  EXPECT_EQ(as({Scope::kQueue}, {ns_id()}).status, 200) << "queues are in no namespace";
  EXPECT_EQ(seen_.size(), 2u);
}

TEST_F(RestQueuesTest, AWebPageCannotReachQueues) {
  const Fields foreign = {{"Authorization", "Bearer x"}, {"Origin", "https://evil.example"}};
  EXPECT_EQ(request("POST", kPull, "{}", foreign).status, 403);
  EXPECT_EQ(request("POST", kPull, "{}", {}).status, 401);
  EXPECT_TRUE(seen_.empty());
}

TEST_F(RestQueuesTest, PathsCannotLeaveTheQueues) {
  for (const char* rest : {"/..",
                           "/../../../../../cron/job",
                           "/%2e%2e/%2e%2e/x",
                           "/q/..%2f..%2fx",
                           "/./x",
                           "//x",
                           "/",
                           "/q/",
                           "/q%00",
                           "/q;x",
                           "/q\\x"}) {
    const Answer answer = request("GET", std::string(kQueues) + rest);
    EXPECT_GE(answer.status, 400) << rest;
    EXPECT_LT(answer.status, 500) << rest;
  }
  EXPECT_EQ(request("GET", "/client/v4/accounts/../queues/x").error().substr(0, 8), "404 7003");
  EXPECT_EQ(request("GET", "/client/v4/accounts/a%2fb/queues").error().substr(0, 8), "404 7003");
  EXPECT_TRUE(seen_.empty());
}

TEST_F(RestQueuesTest, ALargeBodyIsRefused) {
  const std::string body(1024 * 1024 + 1, 'x');
  EXPECT_EQ(request("POST", kPull, body).error().substr(0, 9), "413 10024");
  const std::string chunked = std::string("POST ") + kPull +
                              " HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer x\r\n"
                              "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n100001\r\n" +
                              body + "\r\n0\r\n\r\n";
  EXPECT_EQ(exchange(chunked).error().substr(0, 9), "413 10024");
  EXPECT_TRUE(seen_.empty());
}

TEST_F(RestQueuesTest, AWorkerThatIsAwayIsSaidSo) {
  answer_ = Status(Code::kUnavailable, "the worker at http://w:1 does not answer: \"why\"");
  const Answer away = request("POST", kPull, "{}");
  EXPECT_EQ(away.error(), "503 10001 queues: 'the worker at http://w:1 does not answer: \"why\"'");
  EXPECT_EQ(away.headers.at("retry-after"), "1");
  answer_ = Status(Code::kInvalidArgument, "bad target");
  EXPECT_EQ(request("POST", kPull, "{}").error(), "400 10029 queues: 'bad target'");
}

TEST_F(RestQueuesTest, CallsUnderWayAreBounded) {
  hold_ = true;
  std::vector<std::future<Answer>> answers;
  for (int i = 0; i < 40; ++i) {
    answers.push_back(
        std::async(std::launch::async, [this] { return request("POST", kPull, "{}"); }));
  }
  // Those that are refused are answered while the others wait.
  const auto refused = [&] {
    return std::count_if(answers.begin(), answers.end(), [](const auto& answer) {
      return answer.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
    });
  };
  for (int i = 0; i < 6'000 && refused() < 8; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(refused(), 8);
  hold_ = false;
  int passed = 0;
  for (auto& one : answers) {
    const Answer answer = one.get();
    if (answer.status == 200) ++passed;
    if (answer.status != 200) {
      EXPECT_EQ(answer.error().substr(0, 9), "429 10022");
    }
  }
  EXPECT_EQ(passed, 32);
  EXPECT_EQ(request("POST", kPull, "{}").status, 200) << "the places are free again";
}

}  // namespace
}  // namespace edged::kv_http
