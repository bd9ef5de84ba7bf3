// SPDX-License-Identifier: Apache-2.0
// The scraper's question on the wire and the class of each of its answers.
#include "worker/upstream/scraper_source.h"

#include <gtest/gtest.h>

#include <boost/asio.hpp>

#include "tests/support/run_awaitable.h"
#include "tests/support/scripted_http_server.h"

namespace edged::upstream {
namespace {

using test::ScriptedAnswer;
using test::ScriptedHttpServer;
using test::ScriptedRequest;

TEST(ScraperSourceTest, AsksAsTheServiceExpects) {
  ScriptedRequest seen;
  ScriptedHttpServer server([&seen](const ScriptedRequest& request) {
    seen = request;
    return ScriptedAnswer{200, R"({"success":true,"data":{"seats_available":4}})"};
  });
  boost::asio::io_context io(1);
  http::HttpClient client(io.get_executor(), http::HttpClientOptions{});
  ScraperSource source(client, ScraperOptions{server.url() + "/", "s3cret"});
  const auto answer = test::run_awaitable(io, source.fetch(SectionKey{"12431", "2261"}, "run-7"));
  ASSERT_TRUE(answer) << answer.error().to_string();
  EXPECT_EQ(answer->seats_available, 4);
  EXPECT_EQ(seen.method, "POST");
  EXPECT_EQ(seen.target, "/scrape");
  EXPECT_EQ(seen.body, R"({"sectionNumber":"12431","term":"2261"})");
  EXPECT_EQ(seen.header("Content-Type"), "application/json");
  EXPECT_EQ(seen.header("Authorization"), "Bearer s3cret");
  EXPECT_EQ(seen.header("X-Edged-Run"), "run-7");
}

TEST(ScraperSourceTest, SendsNoAuthorizationWithoutAToken) {
  std::string authorization = "unset";
  ScriptedHttpServer server([&authorization](const ScriptedRequest& request) {
    authorization = request.header("Authorization");
    return ScriptedAnswer{200, R"({"success":false,"error":"no"})"};
  });
  boost::asio::io_context io(1);
  http::HttpClient client(io.get_executor(), http::HttpClientOptions{});
  ScraperSource source(client, ScraperOptions{server.url(), ""});
  const auto answer = test::run_awaitable(io, source.fetch(SectionKey{"1", "2"}, ""));
  EXPECT_EQ(answer.code(), Code::kNotFound);
  EXPECT_EQ(authorization, "");
}

TEST(JudgeScraperAnswerTest, ClassesEveryStatus) {
  const std::string good = R"({"success":true,"data":{}})";
  const std::string none = R"({"success":false,"error":"none"})";
  const struct {
    int status;
    std::string body;
    Outcome outcome;
    Code code;
  } cases[] = {{200, good, Outcome::kAnswered, Code::kOk},
               {201, good, Outcome::kAnswered, Code::kOk},
               {200, none, Outcome::kNoSection, Code::kNotFound},
               {200, "<html>", Outcome::kUnparsable, Code::kCorruption},
               {204, "", Outcome::kUnparsable, Code::kCorruption},
               {304, "", Outcome::kUnparsable, Code::kCorruption},
               {400, none, Outcome::kRejected, Code::kInvalidArgument},
               {401, none, Outcome::kRejected, Code::kDenied},
               {403, "", Outcome::kRejected, Code::kDenied},
               {404, none, Outcome::kNoSection, Code::kNotFound},
               {404, "<html>", Outcome::kRejected, Code::kInvalidArgument},
               {404, good, Outcome::kRejected, Code::kInvalidArgument},
               {429, none, Outcome::kThrottled, Code::kUnavailable},
               {500, none, Outcome::kServerError, Code::kUnavailable},
               {502, good, Outcome::kServerError, Code::kUnavailable},
               {503, "", Outcome::kOverloaded, Code::kUnavailable}};
  for (const auto& c : cases) {
    http::HttpAnswer answer;
    answer.status = c.status;
    answer.body = c.body;
    const Attempt judged = judge_scraper_answer(answer);
    EXPECT_EQ(outcome_name(judged.outcome), outcome_name(c.outcome)) << c.status << c.body;
    EXPECT_EQ(judged.result.code(), c.code) << c.status << c.body;
  }
}

TEST(JudgeScraperAnswerTest, ClassesEveryFailure) {
  const struct {
    Code code;
    Outcome outcome;
    Code expected;
  } cases[] = {{Code::kDeadlineExceeded, Outcome::kTimeout, Code::kDeadlineExceeded},
               {Code::kUnavailable, Outcome::kTransport, Code::kUnavailable},
               {Code::kTooLarge, Outcome::kUnparsable, Code::kCorruption},
               {Code::kCorruption, Outcome::kUnparsable, Code::kCorruption},
               {Code::kInvalidArgument, Outcome::kRejected, Code::kInvalidArgument}};
  for (const auto& c : cases) {
    const Attempt judged = judge_scraper_answer(Status(c.code, "why"));
    EXPECT_EQ(outcome_name(judged.outcome), outcome_name(c.outcome));
    EXPECT_EQ(judged.result.code(), c.expected);
    EXPECT_EQ(judged.result.error().message(), "why");
  }
}

}  // namespace
}  // namespace edged::upstream
