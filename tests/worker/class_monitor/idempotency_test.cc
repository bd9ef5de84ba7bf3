// SPDX-License-Identifier: Apache-2.0
// A trigger with an idempotency key starts one run, whoever brings the key again, and however.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "tests/worker/class_monitor/monitor_fixture.h"

namespace edged::class_monitor {
namespace {

using Strings = std::vector<std::string>;

// For comparisons: the value, or the error's code and message.
std::string shown(const Result<std::int64_t>& id) {
  return id ? std::to_string(*id) : id.error().to_string();
}
std::string shown(const Result<std::string>& outcome) {
  return outcome ? *outcome : outcome.error().to_string();
}

class IdempotencyTest : public MonitorTest {
 protected:
  Result<std::int64_t> trigger(ClassMonitor& monitor, const std::string& key) {
    clock_.advance(std::chrono::milliseconds(1));
    worker::StartRequest request{clock_.wall_now(), worker::Cause::kManual, key};
    return wait_for(monitor.start(request));
  }
  Result<std::string> outcome_of(ClassMonitor& monitor, std::int64_t id) {
    return wait_for(monitor.wait(id));
  }
  // A run that another worker has begun and will not end.
  BegunRun begin_elsewhere(const std::string& key, const std::string& worker = "worker-z") {
    (void)make_monitor(worker);
    clock_.advance(std::chrono::milliseconds(1));
    const auto begun = wait_for(
        stores_.back()->begin({clock_.wall_now(), "manual", key}, clock_.wall_now(), nullptr));
    EXPECT_TRUE(begun && *begun);
    return **begun;
  }
  static boost::asio::awaitable<bool> rested(ClassMonitor& monitor) {
    co_await monitor.rest();
    co_return true;
  }
  std::string runs() { return query("select count(*) from edged.cron_runs")[0]; }
};

TEST_F(IdempotencyTest, TheSecondRequestIsAnsweredForTheFirstOnesRun) {
  add_watch("student@example.edu");
  source_.say(kSection, upstream::SectionObservation{});
  const auto first = trigger(*monitor_, "k");
  ASSERT_TRUE(first);
  const auto summary = outcome_of(*monitor_, *first);
  ASSERT_TRUE(summary);
  // By this process, by another worker, and by this worker after a restart.
  const auto other = make_monitor("worker-b");
  const auto restarted = make_monitor();
  for (ClassMonitor* monitor : {monitor_.get(), other.get(), restarted.get()}) {
    EXPECT_EQ(shown(trigger(*monitor, "k")), shown(first));
    EXPECT_EQ(shown(outcome_of(*monitor, *first)), *summary);
  }
  EXPECT_EQ(runs(), "1");
  EXPECT_EQ(source_.asked.size(), 1u);
}

TEST_F(IdempotencyTest, AnotherKeyAndNoKeyAreOtherRuns) {
  const auto first = trigger(*monitor_, "k");
  ASSERT_TRUE(first && outcome_of(*monitor_, *first));
  const auto second = trigger(*monitor_, "K");
  ASSERT_TRUE(second && outcome_of(*monitor_, *second));
  const auto third = trigger(*monitor_, "");
  ASSERT_TRUE(third && outcome_of(*monitor_, *third));
  EXPECT_EQ(query("select coalesce(idempotency_key, '-') from edged.cron_runs order by id"),
            (Strings{"k", "K", "-"}));
}

TEST_F(IdempotencyTest, AFailedRunStaysTheAnswer) {
  const BegunRun begun = begin_elsewhere("k");
  RunEnd end;
  end.succeeded = false;
  end.summary = "{}";
  end.error = "the upstream is gone";
  ASSERT_TRUE(wait_for(stores_.back()->finish(end, begun.hold, clock_.wall_now(), nullptr)));
  EXPECT_EQ(shown(trigger(*monitor_, "k")), std::to_string(begun.hold.id));
  const auto outcome = outcome_of(*monitor_, begun.hold.id);
  EXPECT_EQ(outcome.error().code(), Code::kInternal);
  EXPECT_EQ(outcome.error().message(),
            "run " + std::to_string(begun.hold.id) + " failed: the upstream is gone");
  EXPECT_EQ(runs(), "1");
}

TEST_F(IdempotencyTest, WhileTheKeysRunIsUnderWayElsewhereItIsWaitedFor) {
  const BegunRun begun = begin_elsewhere("k");
  EXPECT_EQ(shown(trigger(*monitor_, "k")), std::to_string(begun.hold.id));
  EXPECT_EQ(query("select status, attempts from edged.cron_runs"), Strings{"running|1"});
  std::optional<Result<std::string>> outcome;
  const auto wait = [&]() -> boost::asio::awaitable<void> {
    outcome = co_await monitor_->wait(begun.hold.id);
  };
  boost::asio::co_spawn(io_, wait(), boost::asio::detached);
  RunEnd end;
  end.summary = R"({"sections":3})";
  ASSERT_TRUE(wait_for(stores_.back()->finish(end, begun.hold, clock_.wall_now(), nullptr)));
  io_.restart();
  while (!outcome) io_.run_one();
  ASSERT_TRUE(*outcome);
  EXPECT_EQ(boost::json::parse(**outcome),
            boost::json::parse(R"({"sections":3,"notifications":0})"));
}

TEST_F(IdempotencyTest, ARunUnderWayRefusesAnotherKeyAndDoesNotUseItUp) {
  const auto over = trigger(*monitor_, "over");
  ASSERT_TRUE(over && outcome_of(*monitor_, *over));
  const BegunRun begun = begin_elsewhere("");
  EXPECT_EQ(trigger(*monitor_, "k").code(), Code::kConflict);
  EXPECT_EQ(shown(trigger(*monitor_, "over")), shown(over));
  RunEnd end;
  end.summary = "{}";
  ASSERT_TRUE(wait_for(stores_.back()->finish(end, begun.hold, clock_.wall_now(), nullptr)));
  const auto later = trigger(*monitor_, "k");
  ASSERT_TRUE(later);
  EXPECT_GT(*later, begun.hold.id);
  EXPECT_TRUE(outcome_of(*monitor_, *later));
}

// The same within the process that has the run.
TEST_F(IdempotencyTest, AnswersDuringARunOfItsOwn) {
  add_watch("student@example.edu");
  const auto over = trigger(*monitor_, "over");
  ASSERT_TRUE(over && outcome_of(*monitor_, *over));
  Result<std::int64_t> same = std::int64_t{0}, other = same, past = same, none = same;
  bool has_asked = false;
  const auto ask = [&]() -> boost::asio::awaitable<void> {
    worker::StartRequest request{clock_.wall_now(), worker::Cause::kManual, "k"};
    same = co_await monitor_->start(request);
    request.idempotency_key = "another";
    other = co_await monitor_->start(request);
    request.idempotency_key = "over";
    past = co_await monitor_->start(request);
    request.idempotency_key = "";
    none = co_await monitor_->start(request);
    has_asked = true;
  };
  // The run goes on while its only section is asked for.
  std::optional<Result<std::int64_t>> running;
  source_.before_answer = [&](const std::string&) {
    source_.before_answer = nullptr;
    boost::asio::co_spawn(io_, ask(), boost::asio::detached);
  };
  source_.held = [&has_asked] { return !has_asked; };
  running = trigger(*monitor_, "k");
  ASSERT_TRUE(*running);
  ASSERT_TRUE(outcome_of(*monitor_, **running));
  EXPECT_EQ(shown(same), shown(*running));
  EXPECT_EQ(other.code(), Code::kConflict);
  EXPECT_EQ(shown(past), shown(over));
  EXPECT_EQ(none.code(), Code::kConflict);
  EXPECT_EQ(runs(), "2");
}

TEST_F(IdempotencyTest, ARunThatIsTakenOverKeepsItsKey) {
  const BegunRun dead = begin_elsewhere("k");
  EXPECT_EQ(shown(trigger(*monitor_, "k")),
            std::to_string(dead.hold.id));  // its lease is valid: not touched
  clock_.advance(std::chrono::seconds(61));
  EXPECT_EQ(shown(trigger(*monitor_, "k")),
            std::to_string(dead.hold.id));  // taken over by this very request
  ASSERT_TRUE(outcome_of(*monitor_, dead.hold.id));
  EXPECT_EQ(query("select status, attempts, idempotency_key from edged.cron_runs"),
            Strings{"succeeded|2|k"});
  EXPECT_EQ(shown(trigger(*monitor_, "k")), std::to_string(dead.hold.id));
}

TEST_F(IdempotencyTest, ADeadRunOfAnotherKeyIsTakenOverAndIsNotTheAnswer) {
  const BegunRun dead = begin_elsewhere("other");
  clock_.advance(std::chrono::seconds(61));
  EXPECT_EQ(trigger(*monitor_, "k").code(), Code::kConflict);
  wait_for(rested(*monitor_));
  EXPECT_EQ(query("select status, attempts from edged.cron_runs"), Strings{"succeeded|2"});
  const auto mine = trigger(*monitor_, "k");
  ASSERT_TRUE(mine);
  EXPECT_NE(*mine, dead.hold.id);
  ASSERT_TRUE(outcome_of(*monitor_, *mine));
}

// Whose run is over is answered at once, also while a dead run of another key waits to be taken
// over.
TEST_F(IdempotencyTest, AKeyWhoseRunIsOverTakesNothingOver) {
  const auto over = trigger(*monitor_, "k");
  ASSERT_TRUE(over && outcome_of(*monitor_, *over));
  (void)begin_elsewhere("other");
  clock_.advance(std::chrono::seconds(61));
  EXPECT_EQ(shown(trigger(*monitor_, "k")), shown(over));
  EXPECT_EQ(query("select attempts from edged.cron_runs where idempotency_key = 'other'"),
            Strings{"1"});
}

TEST_F(IdempotencyTest, EightWorkersWithOneKeyAtOnceStartOneRun) {
  constexpr int kWorkers = 8;
  constexpr int kRounds = 20;
  db::PgPoolOptions wide;
  wide.url = url_;
  wide.size = kWorkers;
  db::PgPool pool(io_.get_executor(), wide, metrics_);
  std::vector<std::unique_ptr<RunStore>> stores;
  std::vector<std::unique_ptr<ClassMonitor>> workers;
  for (int i = 0; i < kWorkers; ++i) {
    RunStoreOptions options = store_options_;
    options.worker = options.process = "worker-" + std::to_string(i);
    stores.push_back(std::make_unique<RunStore>(pool, options));
    const RunTools tools{*stores.back(), *kv_, source_, clock_, nullptr};
    workers.push_back(
        std::make_unique<ClassMonitor>(io_.get_executor(), tools, ClassMonitorOptions{}, metrics_));
  }
  for (int round = 0; round < kRounds; ++round) {
    std::vector<Result<std::int64_t>> ids;
    std::vector<Result<std::string>> outcomes;
    const auto ask = [&](ClassMonitor& worker, WallTime now) -> boost::asio::awaitable<void> {
      worker::StartRequest request{now, worker::Cause::kManual, "round " + std::to_string(round)};
      auto id = co_await worker.start(request);
      ids.push_back(id);
      if (!id) co_return;
      auto outcome = co_await worker.wait(*id);
      outcomes.push_back(outcome);
    };
    for (auto& worker : workers) {
      clock_.advance(std::chrono::milliseconds(1));
      boost::asio::co_spawn(io_, ask(*worker, clock_.wall_now()), boost::asio::detached);
    }
    io_.restart();
    while (ids.size() < kWorkers || outcomes.size() < kWorkers) {
      io_.run_one();
      for (const auto& id : ids) ASSERT_TRUE(id) << id.error().to_string();
    }
    for (const auto& id : ids) EXPECT_EQ(shown(id), shown(ids.front()));
    for (const auto& outcome : outcomes) EXPECT_EQ(shown(outcome), shown(outcomes.front()));
  }
  EXPECT_EQ(runs(), std::to_string(kRounds));
}

TEST_F(IdempotencyTest, AKeyCostsNoStatement) {
  const auto first = trigger(*monitor_, "k");
  ASSERT_TRUE(first);
  const auto summary = outcome_of(*monitor_, *first);
  ASSERT_TRUE(summary);
  EXPECT_EQ(boost::json::parse(*summary).at("sql_statements").as_int64(), 2);
}

}  // namespace
}  // namespace edged::class_monitor
