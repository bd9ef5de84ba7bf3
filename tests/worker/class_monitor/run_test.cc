// SPDX-License-Identifier: Apache-2.0
// What a run costs, how it uses the KV node, and what it does when others interfere.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <random>

#include "tests/worker/class_monitor/monitor_fixture.h"

namespace edged::class_monitor {
namespace {

using Strings = std::vector<std::string>;

upstream::SectionObservation open_seats(std::int64_t seats) {
  upstream::SectionObservation seen;
  seen.seats_available = seats;
  return seen;
}

class RunWithNodeTest : public MonitorTest {
 protected:
  RunWithNodeTest() : MonitorTest(true) {}
};

class RunWithoutNodeTest : public MonitorTest {
 protected:
  // Runs 1 to `count`, each with its number for its epoch.
  void add_runs(int count) {
    execute(
        "insert into edged.cron_runs (id, job, due_at, cause, status, epoch, worker, process, "
        "lease_until, started_at) overriding system value select i, 'class-monitor', "
        "now() + i * interval '1 h', 'schedule', 'failed', i, 'w', 'p', now(), now() "
        "from generate_series(1, $1::int) i",
        {std::to_string(count)});
  }
};

std::string section_number(int i) {
  return std::to_string(10000 + i);
}

TEST_F(RunWithNodeTest, AWarmRunOfUnchangedSectionsIsTwoStatements) {
  for (int i = 0; i < 100; ++i) {
    add_watch("student@example.edu", section_number(i));
    source_.say(section_number(i), open_seats(i % 3));
  }
  const auto cold = tick();
  EXPECT_EQ(cold.at("kv_hits").as_int64(), 0);
  EXPECT_EQ(cold.at("kv_misses").as_int64(), 100);
  EXPECT_EQ(cold.at("sql_statements").as_int64(), 3);
  const auto warm = tick();
  EXPECT_EQ(warm.at("kv_hits").as_int64(), 100);
  EXPECT_EQ(warm.at("sql_statements").as_int64(), 2);
  EXPECT_EQ(warm.at("changed").as_int64(), 0);
  const auto again = tick();  // the entries were renewed under the epoch of the run before
  EXPECT_EQ(again.at("kv_hits").as_int64(), 100);
}

TEST_F(RunWithoutNodeTest, ARunIsOneStatementPerBatchMore) {
  for (int i = 0; i < 250; ++i) {
    add_watch("student@example.edu", section_number(i));
    source_.say(section_number(i), open_seats(1));
  }
  const auto summary = tick();
  EXPECT_EQ(summary.at("sections").as_int64(), 250);
  EXPECT_EQ(summary.at("sql_statements").as_int64(), 2 + 3);
  EXPECT_EQ(summary.at("kv_misses").as_int64(), 0);
  EXPECT_EQ(query("select count(*) from class_states"), Strings{"250"});
}

TEST_F(RunWithoutNodeTest, EveryCheckedSectionIsTouched) {
  add_watch("student@example.edu");
  see(1);
  see(1);
  EXPECT_EQ(query("select last_checked_at > last_changed_at from class_states"), Strings{"t"});
}

TEST_F(RunWithNodeTest, NothingIsWrittenToStatesWhenNothingChangedAndTouchingIsOff) {
  run_options_.touch_last_checked = false;
  monitor_ = make_monitor();
  add_watch("student@example.edu");
  see(1);
  const Strings before = query("select xmin, ctid from class_states");
  see(1);
  see(1);
  EXPECT_EQ(query("select xmin, ctid from class_states"), before);
}

TEST_F(RunWithoutNodeTest, ARunWithoutWatchesSucceeds) {
  const auto summary = tick();
  EXPECT_EQ(summary.at("sections").as_int64(), 0);
  EXPECT_EQ(query("select status from edged.cron_runs"), Strings{"succeeded"});
}

TEST_F(RunWithoutNodeTest, SeveralWatchersOfASectionAreOneQuestion) {
  for (const char* name : {"a@example.edu", "b@example.edu", "c@example.edu"}) add_watch(name);
  see(0);
  EXPECT_EQ(source_.asked, Strings{kSection});
}

TEST_F(RunWithoutNodeTest, AbsentAndFailedSectionsAreCounted) {
  add_watch("a@example.edu", "10001");
  add_watch("a@example.edu", "10002");
  add_watch("a@example.edu", "10003");
  source_.say("10001", open_seats(1));
  source_.say("10003", Status(Code::kUnavailable, "scripted"));
  const auto summary = tick();
  EXPECT_EQ(summary.at("fetched").as_int64(), 1);
  EXPECT_EQ(summary.at("absent").as_int64(), 1);
  EXPECT_EQ(summary.at("failed").as_int64(), 1);
}

TEST_F(RunWithoutNodeTest, ARunThatCouldCheckNoSectionFailsAndSaysWhy) {
  add_watch("a@example.edu", "10001");
  add_watch("a@example.edu", "10002");
  for (const char* section : {"10001", "10002"}) {
    source_.say(section, Status(Code::kDenied, "the token was refused"));
  }
  const auto outcome = try_tick(*monitor_);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().message(),
            "run 1 failed: no section could be checked; first failure: section 10001: the token "
            "was refused");
  EXPECT_EQ(query("select status, summary->>'failed' from edged.cron_runs"), Strings{"failed|2"});
  source_.say("10002", open_seats(1));
  EXPECT_EQ(tick().at("failed").as_int64(), 1);
}

TEST_F(RunWithNodeTest, ADeadNodeChangesNothingButTheCost) {
  add_watch("student@example.edu");
  see(0);
  node_->stop();
  const auto summary = see(3);
  EXPECT_EQ(summary.at("kv_hits").as_int64(), 0);
  EXPECT_EQ(mails(), Strings{"seat_available student@example.edu"});
}

TEST_F(RunWithoutNodeTest, ANodeThatNeverAnswersCostsItsTimeOutAndNothingElse) {
  using boost::asio::ip::tcp;
  tcp::acceptor silent(io_, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
  net::ClientOptions client_options;
  client_options.address = "127.0.0.1:" + std::to_string(silent.local_endpoint().port());
  client_options.call_timeout = std::chrono::milliseconds(200);
  net::Client client(io_.get_executor(), client_options);
  KvStates kv(&client, {.ns = std::string(32, 'a')}, metrics_);
  ClassMonitor monitor(io_.get_executor(),
                       RunTools{*stores_.front(), kv, source_, clock_, nullptr},
                       ClassMonitorOptions{},
                       metrics_);
  add_watch("student@example.edu");
  for (int section = 20'000; section < 20'300; ++section) {  // several batches
    add_watch("other" + std::to_string(section) + "@example.edu", std::to_string(section));
    source_.say(std::to_string(section), open_seats(1));
  }
  for (const std::int64_t seats : {0, 3}) {
    source_.say(kSection, open_seats(seats));
    const auto summary = try_tick(monitor);
    ASSERT_TRUE(summary) << summary.error().to_string();
  }
  EXPECT_EQ(mails(), Strings{"seat_available student@example.edu"});
  // It was waited for once, not once a batch and not by the second run.
  EXPECT_NE(metrics_.render().find("\nedged_worker_kv_failures_total 1\n"), std::string::npos);
}

TEST_F(RunWithNodeTest, ANodeThatComesBackWithOldEntriesIsNotBelieved) {
  add_watch("student@example.edu");
  see(0);
  node_->stop();
  see(3);
  see(0);
  node_->start();
  clock_.advance(std::chrono::seconds(1));
  const auto summary = see(2);
  EXPECT_EQ(summary.at("kv_hits").as_int64(), 0);
  EXPECT_EQ(mails(),
            (Strings{"seat_available student@example.edu", "seat_available student@example.edu"}));
}

TEST_F(RunWithNodeTest, ASectionSettledByAnotherRunMeanwhileIsNotConfirmed) {
  add_watch("student@example.edu");
  see(3);
  // While this run asks the upstream, a newer one sees the section fill up.
  source_.before_answer = [this](const std::string&) {
    test::PostgresCluster::shared().query(
        database_,
        "update edged.section_checks set epoch = nextval('edged.run_epoch');"
        "update class_states set seats_available = 0");
  };
  see(3);
  source_.before_answer = nullptr;
  EXPECT_EQ(query("select seats_available from class_states"), Strings{"0"});
  const auto next = see(3);
  EXPECT_EQ(next.at("kv_hits").as_int64(), 0);
  EXPECT_EQ(mails(), Strings{"seat_available student@example.edu"});
}

TEST_F(RunWithoutNodeTest, ARestartedWorkerTakesItsRunOverAtOnce) {
  add_watch("student@example.edu");
  see(0);
  const auto dead = wait_for(stores_.front()->begin(
      {clock_.wall_now() + std::chrono::hours(1), "schedule", ""}, clock_.wall_now(), nullptr));
  ASSERT_TRUE(dead && *dead);
  source_.say(kSection, open_seats(3));
  const auto restarted = make_monitor();  // the same worker, another process
  auto taken = wait_for(
      restarted->start({clock_.wall_now() + std::chrono::hours(2), worker::Cause::kSchedule, ""}));
  ASSERT_TRUE(taken);
  EXPECT_EQ(*taken, (*dead)->hold.id);
  ASSERT_TRUE(wait_for(restarted->wait(*taken)));
  EXPECT_EQ(mails(), Strings{"seat_available student@example.edu"});
}

TEST_F(RunWithoutNodeTest, AnotherWorkerTakesARunOverOnlyWhenItsLeaseHasRunOut) {
  add_watch("student@example.edu");
  const auto dead = wait_for(
      stores_.front()->begin({clock_.wall_now(), "schedule", ""}, clock_.wall_now(), nullptr));
  ASSERT_TRUE(dead && *dead);
  const auto other = make_monitor("worker-b");
  EXPECT_EQ(wait_for(other->start(
                         {clock_.wall_now() + std::chrono::hours(1), worker::Cause::kSchedule, ""}))
                .code(),
            Code::kConflict);
  clock_.advance(std::chrono::seconds(61));
  const auto taken = wait_for(other->start({clock_.wall_now(), worker::Cause::kSchedule, ""}));
  ASSERT_TRUE(taken);
  EXPECT_EQ(*taken, (*dead)->hold.id);
  // The first worker was not dead but slow: what it brings now is ignored, and it cannot end the
  // run.
  ASSERT_TRUE(wait_for(other->wait(*taken)));
  RunEnd end;
  end.summary = "{}";
  const auto closed =
      wait_for(stores_.front()->finish(end, (*dead)->hold, clock_.wall_now(), nullptr));
  ASSERT_TRUE(closed);
  EXPECT_FALSE(closed->summary);
}

TEST_F(RunWithoutNodeTest, PostgresRestartingInARunCostsNothing) {
  add_watch("student@example.edu");
  see(0);
  source_.before_answer = [this](const std::string&) {
    test::PostgresCluster::shared().terminate_backends(database_);
  };
  see(3);
  EXPECT_EQ(mails(), Strings{"seat_available student@example.edu"});
}

TEST_F(RunWithoutNodeTest, EightWorkersWithTheSameTransitionMailOnce) {
  constexpr int kSections = 50;
  std::vector<CheckedSection> sections;
  for (int i = 0; i < kSections; ++i) {
    add_watch("student@example.edu", section_number(i));
    CheckedSection section;
    section.watched = {section_number(i), kTerm, "CSE", "310", "", std::nullopt};
    section.observation = open_seats(0);
    section.requested_at = clock_.wall_now();
    sections.push_back(section);
  }
  // As if each worker had taken the one before for dead.
  add_runs(9);
  ASSERT_TRUE(wait_for(stores_.front()->apply(sections, {1, 1}, clock_.wall_now(), nullptr)));
  for (CheckedSection& section : sections) section.observation = open_seats(2);
  db::PgPoolOptions wide;
  wide.url = url_;
  wide.size = 8;
  db::PgPool pool(io_.get_executor(), wide, metrics_);
  RunStore store(pool, store_options_);
  int finished = 0;
  const auto apply = [&](int epoch) -> boost::asio::awaitable<void> {
    const RunHold run{epoch, epoch};
    const auto applied = co_await store.apply(sections, run, clock_.wall_now(), nullptr);
    EXPECT_TRUE(applied) << (applied ? "" : applied.error().to_string());
    ++finished;
  };
  for (int epoch = 2; epoch < 10; ++epoch)
    boost::asio::co_spawn(io_, apply(epoch), boost::asio::detached);
  io_.restart();
  while (finished < 8) io_.run_one();
  EXPECT_EQ(
      query("select count(*), count(distinct class_nbr) from edged.mails where status = 'pending'"),
      Strings{"50|50"});
}

// Those who wait for a run of this process must not wake each other.
TEST_F(RunWithoutNodeTest, SeveralWhoWaitForARunDoNotSpin) {
  add_watch("student@example.edu");
  source_.delay = std::chrono::milliseconds(200);
  const auto id = wait_for(monitor_->start({clock_.wall_now(), worker::Cause::kManual, ""}));
  ASSERT_TRUE(id);
  int waiting = 3;
  const auto wait = [&]() -> boost::asio::awaitable<void> {
    const auto outcome = co_await monitor_->wait(*id);
    EXPECT_TRUE(outcome);
    --waiting;
  };
  for (int i = 0; i < 3; ++i) boost::asio::co_spawn(io_, wait(), boost::asio::detached);
  io_.restart();
  int steps = 0;
  while (waiting > 0 && io_.run_one() > 0) ++steps;
  EXPECT_LT(steps, 1000);
}

TEST_F(RunWithoutNodeTest, TheLastTickIsTheLatestUpToNowThatHasARun) {
  const auto last_tick = [this] { return wait_for(monitor_->last_tick()); };
  ASSERT_TRUE(last_tick());
  EXPECT_EQ(*last_tick(), std::nullopt);
  (void)tick();
  const WallTime first = clock_.wall_now();
  (void)tick();
  const WallTime second = clock_.wall_now();
  EXPECT_EQ(*last_tick(), second);
  // A run by hand is no tick.
  clock_.advance(std::chrono::minutes(30));
  const auto by_hand = wait_for(monitor_->start({clock_.wall_now(), worker::Cause::kManual, ""}));
  ASSERT_TRUE(by_hand && wait_for(monitor_->wait(*by_hand)));
  EXPECT_EQ(*last_tick(), second);
  // Nor is one of the future, which a wrong clock has run.
  clock_.step_wall(-std::chrono::minutes(45));
  EXPECT_EQ(*last_tick(), first);
}

// merge() decides whether PostgreSQL is asked, so it must agree with what PostgreSQL would store.
TEST_F(RunWithoutNodeTest, MergeAgreesWithTheStatement) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const auto maybe_seats = [&]() -> std::optional<std::int64_t> {
    if (random() % 3 == 0) return std::nullopt;
    return static_cast<std::int64_t>(random() % 4) - 1;
  };
  const auto maybe_text = [&](Strings choices) -> std::optional<std::string> {
    if (random() % 3 == 0) return std::nullopt;
    return choices[random() % choices.size()];
  };
  constexpr int kSections = 100;
  std::map<std::string, SectionState> known;
  add_runs(8);
  for (int round = 1; round <= 8; ++round) {
    std::vector<CheckedSection> sections;
    for (int i = 0; i < kSections; ++i) {
      CheckedSection section;
      section.watched = {section_number(i), kTerm, "CSE", "310", "", std::nullopt};
      section.requested_at = clock_.wall_now();
      upstream::SectionObservation& seen = section.observation;
      seen.seats_available = maybe_seats();
      seen.seats_capacity = maybe_seats();
      seen.non_reserved_seats = maybe_seats();
      seen.instructor = maybe_text({"Staff", "", "Luo", "Gopalan"});
      seen.title = maybe_text({"Data", "Structures"});
      seen.subject = maybe_text({"CSE", "EEE"});
      seen = normalize(seen);
      sections.push_back(section);
    }
    const auto applied =
        wait_for(stores_.front()->apply(sections, {round, round}, clock_.wall_now(), nullptr));
    ASSERT_TRUE(applied);
    ASSERT_EQ(applied->size(), sections.size());
    for (int i = 0; i < kSections; ++i) {
      const AppliedSection& stored = (*applied)[static_cast<std::size_t>(i)];
      const auto before = known.find(stored.state.class_nbr);
      if (before != known.end()) {
        const SectionState expected =
            merge(before->second, sections[static_cast<std::size_t>(i)].observation);
        EXPECT_EQ(encode_state(stored.state, 0), encode_state(expected, 0));
        EXPECT_EQ(stored.changed, !(expected == before->second));
      }
      if (stored.stored) known.insert_or_assign(stored.state.class_nbr, stored.state);
    }
  }
  EXPECT_EQ(known.size(), static_cast<std::size_t>(kSections));
}

}  // namespace
}  // namespace edged::class_monitor
