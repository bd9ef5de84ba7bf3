// SPDX-License-Identifier: Apache-2.0
// The fetcher in front of a real scraper source and a misbehaving server: who is tried again, how
// often, how many at once, and what an open circuit costs.
#include "worker/upstream/fetcher.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <boost/asio.hpp>
#include <optional>
#include <thread>
#include <vector>

#include "tests/support/run_awaitable.h"
#include "tests/support/scripted_http_server.h"
#include "worker/upstream/scraper_source.h"

namespace edged::upstream {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::ScriptedAnswer;
using test::ScriptedHttpServer;
using test::ScriptedRequest;
using Fault = ScriptedAnswer::Fault;

const char* const kGood = R"({"success":true,"data":{"seats_available":4}})";

ScriptedAnswer faulty(Fault fault) {
  ScriptedAnswer answer{200, kGood};
  answer.fault = fault;
  return answer;
}

asio::awaitable<void> note_code(Fetcher& fetcher, SectionKey section, std::vector<Code>* codes) {
  const auto result = co_await fetcher.fetch(std::move(section), "run");
  codes->push_back(result.code());
}

class FetcherTest : public ::testing::Test {
 protected:
  void start(ScriptedHttpServer::Script script) {
    server_.emplace(std::move(script));
    source_.emplace(client_, ScraperOptions{server_->url(), "", timeout_});
    options_.backoff = {milliseconds(1), milliseconds(5)};
    fetcher_.emplace(io_.get_executor(), *source_, options_, clock_, metrics_);
  }

  Result<SectionObservation> fetch() {
    return test::run_awaitable(io_, fetcher_->fetch(SectionKey{"1", "2"}, "run"));
  }

  // Starts `count` fetches and runs until all have ended.
  std::vector<Code> fetch_many(int count) {
    std::vector<Code> codes;
    for (int i = 0; i < count; ++i) {
      asio::co_spawn(
          io_, note_code(*fetcher_, SectionKey{std::to_string(i), "2"}, &codes), asio::detached);
    }
    io_.restart();
    const auto wanted = static_cast<std::size_t>(count);
    while (codes.size() < wanted && io_.run_one_for(seconds(30)) > 0) {
    }
    return codes;
  }

  bool shows(const std::string& line) {
    return metrics_.render().find(line + "\n") != std::string::npos;
  }

  asio::io_context io_{1};
  SystemClock clock_;
  MetricsRegistry metrics_;
  http::HttpClient client_{io_.get_executor(), http::HttpClientOptions{}};
  milliseconds timeout_{60'000};
  FetcherOptions options_;
  std::optional<ScriptedHttpServer> server_;
  std::optional<ScraperSource> source_;
  std::optional<Fetcher> fetcher_;
};

TEST_F(FetcherTest, TriesAgainWhatMayPass) {
  const std::vector<ScriptedAnswer> failures = {faulty(Fault::kCut),
                                                faulty(Fault::kClose),
                                                faulty(Fault::kNeverAnswer),
                                                ScriptedAnswer{429},
                                                ScriptedAnswer{500},
                                                ScriptedAnswer{502},
                                                ScriptedAnswer{503}};
  timeout_ = milliseconds(3000);
  start([&failures](const ScriptedRequest& request) {
    if (request.number % 2 == 0) return failures.at(request.number / 2);
    return ScriptedAnswer{200, kGood};
  });
  for (std::size_t i = 0; i < failures.size(); ++i) {
    const auto answer = fetch();
    ASSERT_TRUE(answer) << i << ": " << answer.error().to_string();
    EXPECT_EQ(answer->seats_available, 4);
    EXPECT_EQ(server_->requests(), 2 * (i + 1));
  }
}

TEST_F(FetcherTest, GivesUpAfterTwoMoreTries) {
  start([](const ScriptedRequest&) { return ScriptedAnswer{500}; });
  EXPECT_EQ(fetch().code(), Code::kUnavailable);
  EXPECT_EQ(server_->requests(), 3u);
  EXPECT_TRUE(shows("edged_upstream_retries_total 2"));
  EXPECT_TRUE(shows("edged_upstream_requests_total{outcome=\"server_error\"} 3"));
}

TEST_F(FetcherTest, NeverRepeatsWhatStaysWrong) {
  const struct {
    ScriptedAnswer answer;
    Code code;
  } cases[] = {{{200, R"({"success":false})"}, Code::kNotFound},
               {{200, "rubbish"}, Code::kCorruption},
               {faulty(Fault::kGarbage), Code::kCorruption},
               {{400}, Code::kInvalidArgument},
               {{401}, Code::kDenied},
               {{200, std::string(2 << 20, 'x')}, Code::kCorruption}};
  start([&cases](const ScriptedRequest& request) { return cases[request.number].answer; });
  std::size_t asked = 0;
  for (const auto& c : cases) {
    const auto answer = fetch();
    EXPECT_EQ(answer.code(), c.code) << asked;
    EXPECT_EQ(server_->requests(), ++asked);
  }
}

TEST_F(FetcherTest, NeverExceedsItsCeilingAndAnswersAll) {
  options_.concurrency = 7;
  start([](const ScriptedRequest&) {
    ScriptedAnswer answer{200, kGood, {}, milliseconds(5)};
    answer.held_until_in_flight = 7;
    return answer;
  });
  EXPECT_EQ(fetch_many(200), std::vector<Code>(200, Code::kOk));
  EXPECT_EQ(server_->in_flight_max(), 7u);
  EXPECT_LE(server_->connections(), 7u);
  EXPECT_TRUE(shows("edged_upstream_in_flight 0"));
  EXPECT_TRUE(shows("edged_upstream_waiting 0"));
}

TEST_F(FetcherTest, RunsFiveHundredAtOnce) {
  options_.concurrency = 500;
  start([](const ScriptedRequest&) {
    ScriptedAnswer answer{200, kGood};
    answer.held_until_in_flight = 500;
    return answer;
  });
  EXPECT_EQ(fetch_many(1000), std::vector<Code>(1000, Code::kOk));
  EXPECT_EQ(server_->in_flight_max(), 500u);
  EXPECT_LE(server_->connections(), 500u);
}

TEST_F(FetcherTest, RetryAfterHoldsBackEveryRequest) {
  start([](const ScriptedRequest& request) {
    if (request.number == 0) return ScriptedAnswer{429, "", {{"Retry-After", "1"}}};
    return ScriptedAnswer{200, kGood};
  });
  options_.concurrency = 1;
  fetcher_.emplace(io_.get_executor(), *source_, options_, clock_, metrics_);
  const auto started = std::chrono::steady_clock::now();
  EXPECT_EQ(fetch_many(5), std::vector<Code>(5, Code::kOk));
  EXPECT_GE(std::chrono::steady_clock::now() - started, milliseconds(990));
  EXPECT_EQ(server_->requests(), 6u);
}

TEST_F(FetcherTest, LongRetryAfterIsAnsweredNotWaitedFor) {
  start([](const ScriptedRequest&) { return ScriptedAnswer{503, "", {{"Retry-After", "600"}}}; });
  EXPECT_EQ(fetch().code(), Code::kUnavailable);
  const auto second = fetch();
  EXPECT_EQ(second.code(), Code::kUnavailable);
  EXPECT_EQ(server_->requests(), 1u) << "nothing may be asked while the upstream wants peace";
}

TEST_F(FetcherTest, HalvesItsWindowOnPushback) {
  options_.concurrency = 8;
  start([](const ScriptedRequest& request) {
    return request.number == 0 ? ScriptedAnswer{429} : ScriptedAnswer{200, kGood};
  });
  ASSERT_TRUE(fetch());
  EXPECT_TRUE(shows("edged_upstream_window 4"));
  EXPECT_EQ(fetch_many(40), std::vector<Code>(40, Code::kOk));
  EXPECT_TRUE(shows("edged_upstream_window 8"));
}

TEST_F(FetcherTest, OpenCircuitAnswersAtOnceAndClosesAgain) {
  options_.circuit.open_for = milliseconds(2000);
  std::atomic<bool> broken{true};
  start([&broken](const ScriptedRequest&) {
    return broken ? ScriptedAnswer{500} : ScriptedAnswer{200, kGood};
  });
  EXPECT_EQ(fetch_many(50), std::vector<Code>(50, Code::kUnavailable));
  EXPECT_LE(server_->requests(), 20u) << "ten failures, and what was under way with the tenth";
  EXPECT_TRUE(shows("edged_upstream_circuit_state 2"));
  const std::size_t asked = server_->requests();
  const auto refused = fetch();
  ASSERT_FALSE(refused);
  const std::string& why = refused.error().message();
  EXPECT_TRUE(why.starts_with("upstream circuit open until 2")) << why;
  EXPECT_NE(
      why.find("10 requests in a row failed; the last failure: the upstream answered with HTTP "
               "status 500"),
      std::string::npos)
      << why;
  EXPECT_NE(why.find("`edged cron run` asks at once"), std::string::npos) << why;
  const FetcherFigures figures = fetcher_->figures();
  ASSERT_TRUE(figures.circuit_open_until);
  EXPECT_NE(figures.circuit_reason.find("HTTP status 500"), std::string::npos);
  EXPECT_EQ(server_->requests(), asked);
  broken = false;
  std::this_thread::sleep_for(milliseconds(2020));
  EXPECT_EQ(fetch_many(50), std::vector<Code>(50, Code::kOk)) << "waits for the trials";
  EXPECT_TRUE(shows("edged_upstream_circuit_state 0"));
}

TEST_F(FetcherTest, ACircuitThatOpensAgainSaysThatATrialFailed) {
  options_.circuit.open_for = milliseconds(300);
  options_.retries_max = 0;
  start([](const ScriptedRequest&) { return ScriptedAnswer{502}; });
  EXPECT_EQ(fetch_many(10), std::vector<Code>(10, Code::kUnavailable));
  std::this_thread::sleep_for(milliseconds(320));
  EXPECT_EQ(fetch().code(), Code::kUnavailable);  // the trial
  const auto refused = fetch();
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find("a trial request failed: the upstream answered with"),
            std::string::npos)
      << refused.error().message();
}

TEST_F(FetcherTest, RefusedConnectionsOpenTheCircuit) {
  start([](const ScriptedRequest&) { return ScriptedAnswer{200, kGood}; });
  server_.reset();
  EXPECT_EQ(fetch_many(30), std::vector<Code>(30, Code::kUnavailable));
  EXPECT_TRUE(shows("edged_upstream_circuit_state 2"));
}

TEST_F(FetcherTest, MissingSectionsNeverOpenTheCircuit) {
  start([](const ScriptedRequest& request) {
    return request.number % 2 == 0 ? ScriptedAnswer{200, R"({"success":false})"}
                                   : ScriptedAnswer{404};
  });
  const std::vector<Code> codes = fetch_many(100);
  EXPECT_EQ(std::count(codes.begin(), codes.end(), Code::kUnavailable), 0);
  EXPECT_TRUE(shows("edged_upstream_circuit_state 0"));
}

TEST_F(FetcherTest, DestructionEndsWaitingFetches) {
  options_.concurrency = 1;
  start([](const ScriptedRequest&) { return faulty(Fault::kNeverAnswer); });
  std::vector<Code> codes;
  for (int i = 0; i < 5; ++i) {
    asio::co_spawn(io_, note_code(*fetcher_, SectionKey{"1", "2"}, &codes), asio::detached);
  }
  io_.run_for(milliseconds(100));
  EXPECT_TRUE(codes.empty());
  EXPECT_TRUE(shows("edged_upstream_waiting 4"));
  fetcher_.reset();
  while (codes.size() < 4 && io_.run_one_for(seconds(30)) > 0) {
  }
  EXPECT_EQ(codes, std::vector<Code>(4, Code::kUnavailable));
}

TEST_F(FetcherTest, TooManyWaitersAreBusy) {
  options_.concurrency = 1;
  options_.waiting_max = 3;
  start([](const ScriptedRequest&) { return ScriptedAnswer{200, kGood, {}, milliseconds(20)}; });
  const std::vector<Code> codes = fetch_many(6);
  EXPECT_EQ(std::count(codes.begin(), codes.end(), Code::kBusy), 2);
  EXPECT_EQ(std::count(codes.begin(), codes.end(), Code::kOk), 4);
}

}  // namespace
}  // namespace edged::upstream
