// SPDX-License-Identifier: Apache-2.0
// Runs against a database of an application that has rules of its own: rows it refuses, triggers
// that take their time, watches that go while a run applies what it saw.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <thread>

#include "tests/worker/class_monitor/monitor_fixture.h"

namespace edged::class_monitor {
namespace {

using Strings = std::vector<std::string>;

class RefusedTest : public MonitorTest {
 protected:
  explicit RefusedTest(bool with_node = false) : MonitorTest(with_node) {}
  static constexpr int kSections = 21;

  void watch_all() {
    for (int i = 0; i < kSections; ++i) add_watch("s" + number(i) + "@example.edu", number(i));
  }
  static std::string number(int i) { return std::to_string(20000 + i); }
  boost::json::object see_all(std::int64_t seats) {
    say_all(seats);
    return tick();
  }
  void say_all(std::int64_t seats) {
    for (int i = 0; i < kSections; ++i) source_.say(number(i), seats_of(seats));
  }
  static upstream::SectionObservation seats_of(std::int64_t seats) {
    upstream::SectionObservation seen;
    seen.seats_available = seats;
    return seen;
  }
  // The application's transaction: `statement`, then it waits for `end` (a condition) for at most
  // 30 s. Returns once the statement was executed; to be joined.
  std::thread hold(const std::string& statement, const std::string& end) {
    const std::string script = "/* the application holds */ begin; " + statement +
                               "; do $$ begin for i in 1..3000 loop exit when " + end +
                               "; perform pg_sleep(0.01); perform pg_stat_clear_snapshot(); "
                               "end loop; end $$; commit";
    std::thread application(
        [this, script] { test::PostgresCluster::shared().query(database_, script); });
    while (query("select count(*) from pg_stat_activity where datname = current_database() and "
                 "query like '/* the application holds */%' and wait_event = 'PgSleep'") ==
           Strings{"0"}) {
    }
    return application;
  }
  static constexpr const char* kSomebodyWaits =
      "exists (select from pg_stat_activity where wait_event_type = 'Lock' and datname = "
      "current_database())";
  // A worker of little patience: each statement may take so long.
  void make_hasty(std::chrono::milliseconds statement_timeout) {
    db::PgPoolOptions hasty;
    hasty.url = url_;
    hasty.statement_timeout = statement_timeout;
    hasty_pool_ = std::make_unique<db::PgPool>(io_.get_executor(), hasty, metrics_);
    RunStoreOptions options = store_options_;
    options.worker = options.process = "hasty";
    stores_.push_back(std::make_unique<RunStore>(*hasty_pool_, options));
    RunOptions run_options;
    run_options.database_patience = std::chrono::milliseconds(500);
    hasty_ =
        std::make_unique<ClassMonitor>(io_.get_executor(),
                                       RunTools{*stores_.back(), *kv_, source_, clock_, nullptr},
                                       ClassMonitorOptions{run_options, std::chrono::seconds(10)},
                                       metrics_);
  }

  std::unique_ptr<db::PgPool> hasty_pool_;
  std::unique_ptr<ClassMonitor> hasty_;

  Strings pending() {
    return query(
        "select count(*), count(distinct class_nbr) from edged.mails where status = 'pending'");
  }
};

class RefusedWithNodeTest : public RefusedTest {
 protected:
  RefusedWithNodeTest() : RefusedTest(true) {}
};

TEST_F(RefusedTest, OneSectionThatIsRefusedKeepsNoOtherFromBeingTold) {
  watch_all();
  see_all(0);
  execute("alter table class_states add constraint odd check (class_nbr <> '" + number(7) +
          "' or seats_available = 0)");
  const auto summary = see_all(3);
  EXPECT_EQ(summary.at("failed").as_int64(), 1);
  EXPECT_EQ(summary.at("fetched").as_int64(), kSections - 1);
  EXPECT_EQ(pending(), Strings{"20|20"});
  EXPECT_EQ(query("select last_checked_at < max(last_checked_at) over () from class_states "
                  "order by class_nbr offset 7 limit 1"),
            Strings{"t"})
      << "a section that could not be stored is not brought up to date";
  execute("alter table class_states drop constraint odd");
  see_all(3);
  EXPECT_EQ(pending(), Strings{"21|21"}) << "the next run tells what could not be told";
}

TEST_F(RefusedTest, ATriggerThatRefusesAFirstSightIsNoMatterOfTheOthers) {
  watch_all();
  execute(
      "create function refuse() returns trigger language plpgsql as $$ begin "
      "if new.class_nbr in ('" +
      number(0) + "', '" + number(20) +
      "') then raise exception 'not this one'; end if; return new; end $$;");
  execute(
      "create trigger refuse before insert on class_states for each row execute function refuse()");
  const auto summary = see_all(0);
  EXPECT_EQ(summary.at("failed").as_int64(), 2);
  EXPECT_EQ(query("select count(*) from class_states"), Strings{"19"});
}

TEST_F(RefusedTest, ARunOfWhichNothingCanBeStoredFailsAfterFewStatements) {
  watch_all();
  execute("alter table class_states add constraint none check (false)");
  say_all(1);
  const auto outcome = try_tick(*monitor_);
  ASSERT_FALSE(outcome);
  EXPECT_NE(outcome.error().message().find("23514"), std::string::npos)
      << outcome.error().message();
  const auto statements = query("select summary->>'sql_statements' from edged.cron_runs");
  EXPECT_LT(std::stoi(statements[0]), 2 * kSections + 2);
}

// What equals the node's states counts as work done, however many others are refused.
TEST_F(RefusedWithNodeTest, ManyRefusedSectionsOfAQuietRunKeepNoOpeningBack) {
  watch_all();
  see_all(0);
  // Refused at their first sight, so that they come up in every run.
  for (int i = 0; i < 30; ++i) add_watch("r@example.edu", "3000" + std::to_string(10 + i));
  for (int i = 0; i < 30; ++i) source_.say("3000" + std::to_string(10 + i), seats_of(0));
  execute("alter table class_states add constraint odd check (class_nbr < '30000')");
  source_.say(number(5), seats_of(3));
  const auto summary = tick();
  EXPECT_EQ(summary.at("refused").as_int64(), 30);
  EXPECT_EQ(summary.at("openings").as_int64(), 1);
  EXPECT_EQ(pending(), Strings{"1|1"});
  EXPECT_EQ(tick().at("refused").as_int64(), 30) << "nor does a run in which nothing changed fail";
}

// Somebody keeps a row locked for longer than a run has patience.
TEST_F(RefusedTest, ALockedRowKeepsNoOtherSectionFromBeingTold) {
  watch_all();
  see_all(0);
  make_hasty(std::chrono::milliseconds(1000));
  std::thread application =
      hold("select from class_states where class_nbr = '" + number(4) + "' for update",
           "exists (select from edged.cron_runs where status <> 'running' and worker = 'hasty')");
  say_all(3);
  const auto outcome = try_tick(*hasty_);
  EXPECT_TRUE(outcome) << outcome.error().to_string();
  EXPECT_EQ(pending(), Strings{"20|20"});
  application.join();
}

TEST_F(RefusedTest, ATriggerAgainstTouchingDoesNotKeepTheRunOpen) {
  watch_all();
  see_all(1);
  execute(
      "create function refuse() returns trigger language plpgsql as $$ begin "
      "raise exception 'hands off'; end $$;");
  execute(
      "create trigger refuse before update on class_states for each row execute function refuse()");
  see_all(1);
  EXPECT_EQ(query("select count(*) from edged.cron_runs where status = 'succeeded'"), Strings{"2"});
}

TEST_F(RefusedTest, ABatchThatTakesTooLongIsDoneInParts) {
  watch_all();
  see_all(0);
  execute(
      "create function linger() returns trigger language plpgsql as $$ begin "
      "perform pg_sleep(0.15); return new; end $$;");
  execute(
      "create trigger linger before update of seats_available on class_states "
      "for each row execute function linger()");
  make_hasty(std::chrono::milliseconds(2000));
  say_all(3);
  const auto outcome = try_tick(*hasty_);
  EXPECT_TRUE(outcome) << outcome.error().to_string();
  EXPECT_EQ(pending(), Strings{"21|21"});
}

// The watch goes in a transaction that ends while the statement waits for it.
TEST_F(RefusedTest, AWatchThatIsDeletedMeanwhileCostsNobodyElseTheMail) {
  watch_all();
  see_all(0);
  std::thread application =
      hold("delete from class_watches where class_nbr = '" + number(3) + "'", kSomebodyWaits);
  const auto summary = see_all(3);
  application.join();
  EXPECT_EQ(summary.at("failed").as_int64(), 0);
  EXPECT_EQ(summary.at("notifications").as_int64(), kSections - 1);
  EXPECT_EQ(pending(), Strings{"20|20"});
}

// A state whose seats nobody knows is none without seats.
TEST_F(RefusedTest, AStateWithoutSeatsIsNoFullSection) {
  add_watch("student@example.edu");
  see(2);
  execute(
      "alter table class_states alter seats_available drop not null, alter last_checked_at drop "
      "not null");
  execute("update class_states set seats_available = null, last_checked_at = null");
  see(3);
  EXPECT_EQ(mails(), Strings{});
  see(0);
  see(2);
  EXPECT_EQ(mails(), Strings{"seat_available student@example.edu"});
}

class TakenOverTest : public RefusedTest {
 protected:
  RunHold begin_run(const std::string& process, std::optional<WallTime> due_at) {
    RunStoreOptions options = store_options_;
    options.worker = "worker-a";
    options.process = process;
    stores_.push_back(std::make_unique<RunStore>(*pool_, options));
    BeginRequest request;
    request.due_at = due_at;
    request.cause = "schedule";
    const auto begun = wait_for(stores_.back()->begin(request, clock_.wall_now(), nullptr));
    EXPECT_TRUE(begun && *begun);
    return (*begun)->hold;
  }
  std::vector<CheckedSection> seen(std::int64_t seats) {
    CheckedSection section;
    section.watched = {kSection, kTerm, "CSE", "310", "", std::nullopt};
    section.observation = seats_of(seats);
    section.requested_at = clock_.wall_now();
    return {section};
  }
  Result<std::vector<AppliedSection>> apply(RunHold run, std::int64_t seats) {
    return wait_for(stores_.back()->apply(seen(seats), run, clock_.wall_now(), nullptr));
  }
};

TEST_F(TakenOverTest, TheWorkerThatLostTheRunStoresNothingMore) {
  add_watch("student@example.edu");
  see(0);
  clock_.advance(std::chrono::hours(1));
  const RunHold first = begin_run("one", clock_.wall_now());
  const RunHold second = begin_run("two", std::nullopt);
  EXPECT_EQ(second.id, first.id);
  EXPECT_TRUE(second.resumed);
  const auto late = apply(first, 3);
  ASSERT_TRUE(late);
  EXPECT_TRUE(late->empty());
  EXPECT_EQ(mails(), Strings{});
  ASSERT_TRUE(apply(second, 3));
  EXPECT_EQ(mails(), Strings{"seat_available student@example.edu"});
}

// The statement of a worker that was killed may still be under way when its run is taken over: the
// claims it makes are reset by what the new worker sees.
TEST_F(TakenOverTest, AClaimThatIsMadeMeanwhileIsResetByTheFillingUp) {
  const std::string watch = add_watch("student@example.edu");
  see(0);
  clock_.advance(std::chrono::hours(1));
  (void)begin_run("one", clock_.wall_now());
  std::thread killed = hold(
      "update edged.section_checks set requested_at = requested_at; "
      "update class_states set seats_available = 3; "
      "insert into notifications_sent (class_watch_id, notification_type, sent_at, expires_at) "
      "values ('" +
          watch + "', 'seat_available', now(), '2100-01-01')",
      kSomebodyWaits);
  const RunHold second = begin_run("two", std::nullopt);
  const auto applied = apply(second, 0);
  killed.join();
  ASSERT_TRUE(applied) << applied.error().to_string();
  EXPECT_EQ(query("select count(*) from notifications_sent"), Strings{"0"});
  ASSERT_TRUE(apply(second, 2));
  EXPECT_EQ(mails(), Strings{"seat_available student@example.edu"});
}

}  // namespace
}  // namespace edged::class_monitor
