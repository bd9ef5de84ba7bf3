// SPDX-License-Identifier: Apache-2.0
// The push client against a real HTTP server that answers, refuses, stalls, cuts and redirects.
#include "worker/queue_push/push_client.h"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio.hpp>
#include <mutex>

#include "tests/support/manual_clock.h"
#include "tests/support/run_awaitable.h"
#include "tests/support/scripted_http_server.h"
#include "worker/http/webhook.h"

namespace edged::queue {
namespace {

using std::chrono::milliseconds;
using test::ScriptedAnswer;
using test::ScriptedHttpServer;
using test::ScriptedRequest;
using Fault = ScriptedAnswer::Fault;
using Kind = PushResult::Kind;

constexpr const char* kSecret = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

class PushClientTest : public ::testing::Test {
 protected:
  PushOptions options(const std::string& url) {
    PushOptions options;
    options.queue = "images";
    options.url = url;
    options.secret = [this] { return secret_; };
    options.hold = {milliseconds(1), milliseconds(5), Jitter::kNone};
    options.retry = {milliseconds(100), milliseconds(1000), Jitter::kNone};
    return options;
  }
  PushResult deliver(PushOptions options) {
    boost::asio::io_context io;
    MetricsRegistry metrics;
    PushClient client(io.get_executor(), std::move(options), clock_, metrics);
    std::vector<PushMessage> messages(2);
    messages[0] = {1, 1, from_unix_ms(0), "json", "{\"a\":1}"};
    messages[1] = {2, 3, from_unix_ms(0), "json", "{\"a\":2}"};
    PushResult result = test::run_awaitable(
        io, client.deliver("batch_7", std::move(messages), [this] { return stopping_.load(); }));
    page_ = metrics.render();
    return result;
  }
  PushResult deliver(const ScriptedHttpServer& server) {
    return deliver(options(server.url() + "/hook?x=1"));
  }

  test::ManualClock clock_;
  std::string secret_ = kSecret;
  std::atomic<bool> stopping_{false};
  std::string page_;
};

TEST_F(PushClientTest, PostsASignedBatchAndReadsTheAnswer) {
  ScriptedRequest seen;
  ScriptedHttpServer server([&](const ScriptedRequest& request) {
    seen = request;
    return ScriptedAnswer{200, R"({"retries":[{"id":"2","delay_seconds":5}]})"};
  });
  const PushResult result = deliver(server);
  ASSERT_EQ(result.kind, Kind::kAnswered) << result.error.message();
  ASSERT_EQ(result.decisions.size(), 2U);
  EXPECT_TRUE(result.decisions[0].acked);
  EXPECT_EQ(result.decisions[1].delay, milliseconds(5000));
  EXPECT_EQ(seen.method, "POST");
  EXPECT_EQ(seen.target, "/hook?x=1");
  EXPECT_EQ(seen.header("Content-Type"), "application/json");
  EXPECT_EQ(seen.header("webhook-id"), "batch_7");
  EXPECT_EQ(seen.header("webhook-timestamp"), "1767225600");
  const std::string key = *http::parse_webhook_secret(kSecret);
  EXPECT_EQ(seen.header("webhook-signature"),
            http::sign_webhook(key, "batch_7", 1767225600, seen.body));
  EXPECT_NE(seen.body.find(R"("id":"2","attempts":3)"), std::string::npos) << seen.body;
  EXPECT_NE(page_.find(R"(edged_queue_push_requests_total{queue="images",outcome="answered"} 1)"),
            std::string::npos)
      << page_;
}

TEST_F(PushClientTest, HoldsTheBatchWhileTheApplicationIsAway) {
  const auto answer_of = [](std::size_t number) {
    switch (number) {
      case 0:
        return ScriptedAnswer{503, "starting"};
      case 1:
        return ScriptedAnswer{429, "", {{"Retry-After", "0"}}};
      case 2:
        return ScriptedAnswer{502, ""};
      case 3:
        return ScriptedAnswer{504, ""};
      case 4:
        return ScriptedAnswer{.fault = Fault::kClose};
      default:
        return ScriptedAnswer{204, ""};
    }
  };
  std::mutex mutex;
  std::vector<std::string> ids;
  ScriptedHttpServer server([&](const ScriptedRequest& request) {
    const std::lock_guard lock(mutex);
    ids.push_back(request.header("webhook-id"));
    return answer_of(request.number);
  });
  const PushResult result = deliver(server);
  EXPECT_EQ(result.kind, Kind::kAnswered) << result.error.message();
  const std::lock_guard lock(mutex);
  ASSERT_GE(ids.size(), 6U);  // curl itself repeats a request on a kept connection that was closed
  for (const std::string& id : ids) EXPECT_EQ(id, "batch_7");
}

TEST_F(PushClientTest, FailsAfterHoldMaxOrIfRetryAfterIsBeyondIt) {
  ScriptedHttpServer server([](const ScriptedRequest&) {
    return ScriptedAnswer{503, "", {{"Retry-After", "7200"}}};
  });
  const PushResult result = deliver(server);
  EXPECT_EQ(result.kind, Kind::kFailed);
  EXPECT_EQ(result.retry_after, std::chrono::hours(2));
  EXPECT_EQ(server.requests(), 1U);

  PushOptions nobody = options("http://127.0.0.1:1/");
  nobody.hold_max = milliseconds(50);
  const PushResult unreachable = deliver(nobody);
  EXPECT_EQ(unreachable.kind, Kind::kFailed);
  EXPECT_EQ(unreachable.error.code(), Code::kUnavailable);
}

TEST_F(PushClientTest, OtherAnswersFailTheBatchAtOnce) {
  ScriptedHttpServer other([](const ScriptedRequest&) { return ScriptedAnswer{200, ""}; });
  const ScriptedAnswer answers[] = {
      {500, "boom"},
      {400, ""},
      {401, "no"},
      {404, ""},
      {200, "OK"},
      {200, "<html>"},
      {302, "", {{"Location", other.url()}}},
      {307, "", {{"Location", other.url()}}},
      {.fault = Fault::kGarbage},
      {200, std::string((1 << 20) + 1, ' ')},
      {500, std::string(5000, '\x01')},
  };
  for (const ScriptedAnswer& answer : answers) {
    ScriptedHttpServer server([&](const ScriptedRequest&) { return answer; });
    const PushResult result = deliver(server);
    EXPECT_EQ(result.kind, Kind::kFailed) << answer.status << " " << answer.body.substr(0, 10);
    EXPECT_FALSE(result.error.ok());
    EXPECT_LT(result.error.message().size(), 2000U);
  }
  EXPECT_EQ(other.connections(), 0U);
}

TEST_F(PushClientTest, ATimeOutFailsTheBatch) {
  ScriptedHttpServer server(
      [](const ScriptedRequest&) { return ScriptedAnswer{.fault = Fault::kNeverAnswer}; });
  PushOptions impatient = options(server.url());
  impatient.timeout = milliseconds(50);
  const PushResult result = deliver(impatient);
  EXPECT_EQ(result.kind, Kind::kFailed);
  EXPECT_EQ(result.error.code(), Code::kDeadlineExceeded);
}

TEST_F(PushClientTest, GoneIsToldApart) {
  ScriptedHttpServer server([](const ScriptedRequest&) { return ScriptedAnswer{410, "no more"}; });
  const PushResult result = deliver(server);
  EXPECT_EQ(result.kind, Kind::kGone);
  EXPECT_EQ(server.requests(), 1U);
}

TEST_F(PushClientTest, StopsWhileItHoldsABatch) {
  ScriptedHttpServer server([this](const ScriptedRequest&) {
    stopping_ = true;
    return ScriptedAnswer{503, ""};
  });
  PushOptions patient = options(server.url());
  patient.hold = {std::chrono::hours(1), std::chrono::hours(1), Jitter::kNone};
  patient.hold_max = std::chrono::hours(2);
  EXPECT_EQ(deliver(patient).kind, Kind::kStopped);
  EXPECT_EQ(server.requests(), 1U);
}

TEST_F(PushClientTest, WithoutAUsableSecretNothingIsSent) {
  ScriptedHttpServer server([](const ScriptedRequest&) { return ScriptedAnswer{200, ""}; });
  secret_ = "hunter2";
  PushOptions options = this->options(server.url());
  options.hold_max = milliseconds(0);
  const PushResult result = deliver(options);
  EXPECT_EQ(result.kind, Kind::kFailed);
  EXPECT_EQ(result.error.message().find("hunter2"), std::string::npos);
  EXPECT_EQ(server.requests(), 0U);
}

TEST_F(PushClientTest, RetriesWithGrowingDelays) {
  boost::asio::io_context io;
  MetricsRegistry metrics;
  PushClient client(io.get_executor(), options("http://127.0.0.1:1/"), clock_, metrics);
  EXPECT_EQ(client.retry_delay(1, {}), milliseconds(100));
  EXPECT_EQ(client.retry_delay(3, {}), milliseconds(400));
  EXPECT_EQ(client.retry_delay(100, {}), milliseconds(1000));
  PushResult later;
  later.retry_after = milliseconds(5000);
  EXPECT_EQ(client.retry_delay(1, later), milliseconds(5000));
}

}  // namespace
}  // namespace edged::queue
