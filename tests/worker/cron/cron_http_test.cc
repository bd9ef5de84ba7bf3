// SPDX-License-Identifier: Apache-2.0
// The trigger routes over a loopback socket, with a JobRunner whose answers the test sets.
#include "worker/cron/cron_http.h"

#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <boost/json.hpp>
#include <future>
#include <thread>

namespace edged::worker {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;
using asio::ip::tcp;

const WallTime kNow = std::chrono::sys_days(std::chrono::year(2026) / 11 / 24);

class FixedClock final : public Clock {
 public:
  WallTime wall_now() const override { return kNow; }
  std::chrono::milliseconds boot_now() const override { return {}; }
};

struct ScriptedRunner final : JobRunner {
  asio::awaitable<Result<std::int64_t>> start(StartRequest request) override {
    due = request.due_at;
    manual = request.cause == Cause::kManual;
    key = request.idempotency_key;
    co_return started;
  }
  asio::awaitable<Result<std::string>> wait(std::int64_t run_id) override {
    waited_for = run_id;
    co_return summary;
  }
  asio::awaitable<Result<std::vector<RunRecord>>> newest_runs(int limit) override {
    asked_for = limit;
    co_return runs;
  }

  Result<std::int64_t> started = std::int64_t{7};
  Result<std::string> summary = std::string(R"({"sections":3})");
  Result<std::vector<RunRecord>> runs = std::vector<RunRecord>();
  WallTime due{};
  bool manual = false;
  std::string key = "none was asked for";
  std::int64_t waited_for = 0;
  int asked_for = 0;
};

struct Answer {
  int status = 0;
  std::string header;
  json::value body;
};

class CronHttpTest : public testing::Test {
 protected:
  ~CronHttpTest() override {
    if (!thread.joinable()) return;
    asio::post(context, [this] {
      server.reset();
      work.reset();
    });
    thread.join();
  }

  void start(const std::string& secret = "s3cret") {
    http::ServerOptions options;
    options.address = "127.0.0.1:0";
    server.emplace(context.get_executor(), options);
    CronJob job;
    job.name = "class-monitor";
    job.schedules = {"0 * * * *"};
    job.time_zone = "America/Phoenix";
    job.next_due = [] { return std::optional<WallTime>(kNow + std::chrono::hours(1)); };
    job.runner = &runner;
    add_cron_routes(*server, {[secret] { return secret; }, {job}, {}, {}}, clock);
    const Status listening = server->listen();
    ASSERT_TRUE(listening.ok()) << listening.message();
    thread = std::thread([this] { context.run(); });
  }

  // `more`: further header lines, each with its end.
  Answer ask(const std::string& method_and_target,
             const std::string& authorization = "",
             const std::string& more = "") {
    const std::string address = server->address();
    asio::io_context client_context;
    tcp::socket socket(client_context);
    socket.connect({asio::ip::make_address("127.0.0.1"),
                    static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)))});
    std::string bytes = method_and_target + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
    if (!authorization.empty()) bytes += "Authorization: " + authorization + "\r\n";
    asio::write(socket, asio::buffer(bytes + more + "\r\n"));
    std::string response;
    boost::system::error_code ended;
    asio::read(socket, asio::dynamic_buffer(response), ended);
    EXPECT_EQ(ended, asio::error::eof);
    const std::size_t end = response.find("\r\n\r\n");
    if (end == std::string::npos) return {};
    return {std::stoi(response.substr(9, 3)),
            response.substr(0, end + 2),
            json::parse(response.substr(end + 4))};
  }

  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
  FixedClock clock;
  ScriptedRunner runner;
  std::optional<http::Server> server;
  std::thread thread;
};

TEST_F(CronHttpTest, StartsARun) {
  start();
  const Answer answer = ask("POST /cron/class-monitor", "Bearer s3cret");
  EXPECT_EQ(answer.status, 202);
  EXPECT_EQ(answer.body, (json::value{{"run_id", 7}}));
  EXPECT_EQ(runner.due, kNow);
  EXPECT_TRUE(runner.manual);
  EXPECT_EQ(runner.waited_for, 0);
}

TEST_F(CronHttpTest, WaitsForTheSummaryIfAsked) {
  start();
  const Answer answer = ask("POST /cron/class-monitor?wait=1", "Bearer s3cret");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, (json::value{{"sections", 3}}));
  EXPECT_EQ(runner.waited_for, 7);
  EXPECT_EQ(ask("POST /cron/class-monitor?wait=0", "Bearer s3cret").status, 202);
}

TEST_F(CronHttpTest, AFailedRunIsAnError) {
  runner.summary = Status(Code::kInternal, "the upstream answered rubbish");
  start();
  const Answer answer = ask("POST /cron/class-monitor?wait=1", "Bearer s3cret");
  EXPECT_EQ(answer.status, 500);
  EXPECT_EQ(answer.body, (json::value{{"error", "the upstream answered rubbish"}, {"run_id", 7}}));
}

TEST_F(CronHttpTest, WantsTheSecret) {
  start();
  for (const char* header : {"",
                             "Bearer",
                             "Bearer ",
                             "Bearer s3cre",
                             "Bearer s3crets",
                             "Bearer S3cret",
                             "Basic s3cret",
                             "s3cret"}) {
    const Answer answer = ask("POST /cron/class-monitor", header);
    EXPECT_EQ(answer.status, 401) << header;
    EXPECT_NE(answer.header.find("WWW-Authenticate: Bearer\r\n"), std::string::npos);
    EXPECT_TRUE(answer.body.as_object().contains("error"));
  }
  EXPECT_EQ(ask("POST /cron/unknown").status, 401);  // who may not enter learns no names
  EXPECT_EQ(runner.due, WallTime());
}

TEST_F(CronHttpTest, WithoutASecretNoOneMayStart) {
  start("");
  EXPECT_EQ(ask("POST /cron/class-monitor", "Bearer ").status, 503);
  EXPECT_EQ(ask("POST /cron/class-monitor", "Bearer s3cret").status, 503);
}

TEST_F(CronHttpTest, TellsWhyARunDidNotStart) {
  start();
  const auto ask_with = [this](Status status) {
    std::promise<void> changed;
    asio::post(context, [&] {
      runner.started = status;
      changed.set_value();
    });
    changed.get_future().wait();
    return ask("POST /cron/class-monitor", "Bearer s3cret");
  };
  const Answer conflict = ask_with(Status(Code::kConflict, "run 6 is under way"));
  EXPECT_EQ(conflict.status, 409);
  EXPECT_EQ(conflict.body, (json::value{{"error", "run 6 is under way"}}));
  const Answer down = ask_with(Status(Code::kUnavailable, "could not reach postgresql"));
  EXPECT_EQ(down.status, 503);
  EXPECT_NE(down.header.find("Retry-After: "), std::string::npos);
  EXPECT_EQ(ask_with(Status(Code::kInternal, "a bug")).status, 500);
}

TEST_F(CronHttpTest, UnknownJobsAndMethods) {
  start();
  EXPECT_EQ(ask("POST /cron/unknown", "Bearer s3cret").status, 404);
  EXPECT_EQ(ask("POST /cron/", "Bearer s3cret").status, 404);
  const Answer wrong_method = ask("GET /cron/class-monitor");
  EXPECT_EQ(wrong_method.status, 405);
  EXPECT_NE(wrong_method.header.find("Allow: POST\r\n"), std::string::npos);
  EXPECT_EQ(ask("GET /cron/unknown").status, 404);
  EXPECT_EQ(ask("PUT /cron/class-monitor").status, 405);
  EXPECT_EQ(ask("POST /cron/class-monitor/runs", "Bearer s3cret").status, 404);
}

TEST_F(CronHttpTest, PassesTheIdempotencyKeyOn) {
  start();
  EXPECT_EQ(ask("POST /cron/class-monitor", "Bearer s3cret").status, 202);
  EXPECT_EQ(runner.key, "");
  const auto ask_with = [this](const std::string& key) {
    return ask("POST /cron/class-monitor", "Bearer s3cret", "idempotency-KEY: " + key + "\r\n");
  };
  EXPECT_EQ(ask_with("  a key ~!").status, 202);
  EXPECT_EQ(runner.key, "a key ~!");
  EXPECT_EQ(ask_with(std::string(255, 'k')).status, 202);
  EXPECT_EQ(runner.key, std::string(255, 'k'));
}

TEST_F(CronHttpTest, RefusesAKeyThatIsNone) {
  start();
  const std::string without_a_key = runner.key;
  for (const std::string& key :
       {std::string(), std::string(256, 'k'), std::string("caf\xc3\xa9"), std::string("a\tb")}) {
    const Answer answer =
        ask("POST /cron/class-monitor", "Bearer s3cret", "Idempotency-Key: " + key + "\r\n");
    EXPECT_EQ(answer.status, 400) << key;
    EXPECT_TRUE(answer.body.as_object().contains("error"));
  }
  EXPECT_EQ(runner.key, without_a_key);
  EXPECT_EQ(ask("POST /cron/class-monitor", "", "Idempotency-Key:\r\n").status, 401);
}

TEST_F(CronHttpTest, ListsJobs) {
  RunRecord run;
  run.run_id = 6;
  run.cause = "schedule";
  run.status = "succeeded";
  run.due_at = run.started_at = kNow;
  run.finished_at = kNow + std::chrono::seconds(2);
  run.summary_json = R"({"sections":3})";
  runner.runs = std::vector<RunRecord>{run};
  start();
  const Answer answer = ask("GET /cron");
  EXPECT_EQ(answer.status, 200);
  const json::value expected = json::parse(R"({"jobs":[{"name":"class-monitor",
      "crons":["0 * * * *"],"time_zone":"America/Phoenix","next_due_at":"2026-11-24T01:00:00.000Z",
      "last_run":{"run_id":6,"cause":"schedule","status":"succeeded",
        "due_at":"2026-11-24T00:00:00.000Z","started_at":"2026-11-24T00:00:00.000Z",
        "finished_at":"2026-11-24T00:00:02.000Z","summary":{"sections":3}}}]})");
  EXPECT_EQ(answer.body, expected) << answer.body;
}

TEST_F(CronHttpTest, ListsJobsWithoutTheirHistoryIfItCannotBeRead) {
  runner.runs = Status(Code::kUnavailable, "could not reach postgresql");
  start();
  const Answer answer = ask("GET /cron");
  EXPECT_EQ(answer.status, 200);
  const json::object& job = answer.body.at("jobs").at(0).as_object();
  EXPECT_TRUE(job.at("last_run").is_null());
  EXPECT_EQ(job.at("last_run_error"), "could not reach postgresql");
}

TEST_F(CronHttpTest, TellsTheLastRuns) {
  RunRecord going;
  going.run_id = 8;
  going.cause = "manual";
  going.status = "running";
  going.attempts = 2;
  going.due_at = going.started_at = kNow;
  RunRecord failed = going;
  failed.run_id = 7;
  failed.status = "failed";
  failed.attempts = 1;
  failed.finished_at = kNow + std::chrono::milliseconds(2500);
  failed.error = "PostgreSQL was away";
  runner.runs = std::vector<RunRecord>{going, failed};
  start();
  const Answer answer = ask("GET /cron/class-monitor/runs");
  EXPECT_EQ(answer.status, 200);
  const json::value expected = json::parse(R"({"runs":[
      {"run_id":8,"cause":"manual","status":"running","due_at":"2026-11-24T00:00:00.000Z",
       "started_at":"2026-11-24T00:00:00.000Z","finished_at":null,
       "attempts":2,"duration_seconds":null},
      {"run_id":7,"cause":"manual","status":"failed","due_at":"2026-11-24T00:00:00.000Z",
       "started_at":"2026-11-24T00:00:00.000Z","finished_at":"2026-11-24T00:00:02.500Z",
       "error":"PostgreSQL was away","attempts":1,"duration_seconds":2.5}]})");
  EXPECT_EQ(answer.body, expected) << answer.body;
  EXPECT_EQ(runner.asked_for, 20);
}

TEST_F(CronHttpTest, HistoryHasALimit) {
  start();
  EXPECT_EQ(ask("GET /cron/class-monitor/runs?limit=1").status, 200);
  EXPECT_EQ(runner.asked_for, 1);
  EXPECT_EQ(ask("GET /cron/class-monitor/runs?limit=100").status, 200);
  EXPECT_EQ(runner.asked_for, 100);
  for (const char* limit : {"0", "101", "-1", "", "ten", "1.5", "5x", "99999999999"}) {
    EXPECT_EQ(ask(std::string("GET /cron/class-monitor/runs?limit=") + limit).status, 400) << limit;
  }
  EXPECT_EQ(ask("GET /cron/unknown/runs").status, 404);
  EXPECT_EQ(ask("GET /cron/class-monitor/runs/1").status, 404);
}

TEST_F(CronHttpTest, HistoryThatCannotBeReadIsUnavailable) {
  runner.runs = Status(Code::kUnavailable, "could not reach postgresql");
  start();
  const Answer answer = ask("GET /cron/class-monitor/runs");
  EXPECT_EQ(answer.status, 503);
  EXPECT_NE(answer.header.find("Retry-After: "), std::string::npos);
}

}  // namespace
}  // namespace edged::worker
