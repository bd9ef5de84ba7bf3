// SPDX-License-Identifier: Apache-2.0
// What is deleted from the history, and what never is.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "tests/worker/class_monitor/monitor_fixture.h"
#include "worker/class_monitor/history_keeper.h"

namespace edged::class_monitor {
namespace {

using Strings = std::vector<std::string>;

class HistoryTest : public MonitorTest {
 protected:
  HistoryTest() {
    // Rows are made relative to PostgreSQL's clock.
    const std::string now = query("select floor(extract(epoch from now()) * 1000)::bigint")[0];
    clock_.step_wall(from_unix_ms(std::stoll(now)) - clock_.wall_now());
  }

  // A run that began and, unless it is under way, ended `hours` ago.
  std::string add_run(double hours,
                      const std::string& status = "succeeded",
                      const std::string& cause = "schedule",
                      const std::string& job = "class-monitor") {
    return query(
        "insert into edged.cron_runs (job, due_at, cause, status, epoch, worker, process, "
        "lease_until, started_at, finished_at) "
        "select $1, at, $2, $3, nextval('edged.run_epoch'), 'w', 'p', at, at, "
        "case when $3 <> 'running' then at end "
        "from (select now() - make_interval(secs => 3600 * $4::double precision) as at) t "
        "returning id",
        {job, cause, status, std::to_string(hours)})[0];
  }

  std::string add_mail(double hours,
                       const std::string& status,
                       const std::string& run,
                       const std::string& watch = "00000000-0000-0000-0000-000000000001") {
    const std::string key = query("select gen_random_uuid()::text")[0];
    execute(
        "with at as (select now() - make_interval(secs => 3600 * $4::double precision) as at), "
        "over as (insert into edged.mail_events (key, recipient, at, event) "
        "select $5, 'a@example.edu', at, $3 from at where $3 <> 'pending') "
        "insert into edged.notifications (notification_id, run_id, class_watch_id, user_id, "
        "notification_type, class_nbr, term, recipient, message_id, valid_until, created_at) "
        "select $5, $1::bigint, $2::uuid, gen_random_uuid(), 'seat_available', '1', '1', "
        "'a@example.edu', case when $3 = 'pending' then edged.queue_send('email', '{}') else -1 "
        "end, "
        "at, at from at",
        {run, watch, status, std::to_string(hours), key});
    return key;
  }

  std::string delete_old(std::chrono::milliseconds history, int batch = 1000) {
    HistoryKeeperOptions options;
    options.history = history;
    options.batch = batch;
    options.batch_pause = std::chrono::milliseconds(1);
    HistoryKeeper keeper(io_.get_executor(), *pool_, clock_, options, metrics_);
    const auto deleted = wait_for(keeper.delete_old());
    if (!deleted) return deleted.error().to_string();
    return std::to_string(deleted->runs) + " runs, " + std::to_string(deleted->notifications) +
           " notifications";
  }

  Strings runs() { return query("select id from edged.cron_runs order by id"); }
  Strings mails_left() {
    return query("select notification_id from edged.notifications order by created_at desc");
  }
};

constexpr std::chrono::hours kHistory{48};

TEST_F(HistoryTest, DeletesRunsThatEndedBefore) {
  (void)add_run(100);
  (void)add_run(49, "failed");
  (void)add_run(49, "succeeded", "manual");
  const std::string younger = add_run(47);
  const std::string newest = add_run(1);
  EXPECT_EQ(delete_old(kHistory), "3 runs, 0 notifications");
  EXPECT_EQ(runs(), (Strings{younger, newest}));
  EXPECT_EQ(delete_old(kHistory), "0 runs, 0 notifications");
}

TEST_F(HistoryTest, NeverDeletesARunUnderWay) {
  const std::string running = add_run(1000, "running");
  const std::string newest = add_run(1);
  EXPECT_EQ(delete_old(kHistory), "0 runs, 0 notifications");
  EXPECT_EQ(runs(), (Strings{running, newest}));
}

TEST_F(HistoryTest, NeverDeletesTheNewestRunNorThatOfTheLatestTick) {
  (void)add_run(1003);
  const std::string tick = add_run(1002);
  (void)add_run(1001, "succeeded", "manual");
  const std::string newest = add_run(1000, "failed", "manual");
  EXPECT_EQ(delete_old(kHistory), "2 runs, 0 notifications");
  EXPECT_EQ(runs(), (Strings{tick, newest}));
  const auto last = wait_for(stores_.front()->last_tick(clock_.wall_now()));
  ASSERT_TRUE(last && *last);
  EXPECT_LT(**last, clock_.wall_now() - std::chrono::hours(1001));
}

TEST_F(HistoryTest, OtherJobsAreNotItsAffair) {
  (void)add_run(1000, "succeeded", "schedule", "another-job");
  (void)add_run(999, "succeeded", "schedule", "another-job");
  EXPECT_EQ(delete_old(kHistory), "0 runs, 0 notifications");
}

TEST_F(HistoryTest, DeletesNotificationsThatAreOverAndTheirEvents) {
  const std::string run = add_run(1);
  (void)add_mail(49, "accepted", run);
  (void)add_mail(50, "dropped", run);
  (void)add_mail(51, "dead", run);
  Strings kept{add_mail(47, "accepted", run), add_mail(1000, "pending", run)};
  EXPECT_EQ(query("select count(*) from edged.mail_events"), Strings{"4"});
  EXPECT_EQ(delete_old(kHistory), "0 runs, 3 notifications");
  EXPECT_EQ(mails_left(), kept);
  EXPECT_EQ(query("select count(*) from edged.mail_events"), Strings{"1"});
}

TEST_F(HistoryTest, MailsOfARunUnderWayAreKept) {
  const std::string run = add_run(1000, "running");
  const std::string mail = add_mail(999, "accepted", run);
  EXPECT_EQ(delete_old(kHistory), "0 runs, 0 notifications");
  EXPECT_EQ(mails_left(), Strings{mail});
}

TEST_F(HistoryTest, DeletesBatchByBatch) {
  for (int i = 0; i < 25; ++i) {
    const std::string run = add_run(200 + i);
    (void)add_mail(200 + i, "accepted", run);
  }
  const std::string newest = add_run(1);
  EXPECT_EQ(delete_old(kHistory, 10), "25 runs, 25 notifications");
  EXPECT_EQ(runs(), Strings{newest});
  EXPECT_EQ(mails_left(), Strings{});
}

TEST_F(HistoryTest, AClockThatIsAheadDeletesNothingEarly) {
  (void)add_run(100);
  const std::string younger = add_run(47);
  const std::string mail = add_mail(47, "accepted", younger);
  const std::string newest = add_run(1);
  clock_.advance(std::chrono::hours(24 * 365));
  EXPECT_EQ(delete_old(kHistory), "1 runs, 0 notifications");
  EXPECT_EQ(runs(), (Strings{younger, newest}));
  EXPECT_EQ(mails_left(), Strings{mail});
}

// The claim of the second opening stands while its mail is known, and outlives the history of the
// first: nobody is told twice, and the next opening after the claim is told again.
TEST_F(HistoryTest, NobodyIsToldTwiceWhenTheHistoryIsDeleted) {
  add_watch("student@example.edu");
  see(0);
  see(3);
  EXPECT_EQ(mails().size(), 1u);
  execute("delete from edged.queue_messages");
  execute("update edged.notifications set created_at = now() - interval '23 hours'");
  EXPECT_EQ(delete_old(std::chrono::hours(24)), "0 runs, 0 notifications");
  see(1);
  EXPECT_EQ(mails().size(), 1u);
  execute("update edged.notifications set created_at = now() - interval '25 hours'");
  execute("update edged.cron_runs set finished_at = now() - interval '25 hours'");
  EXPECT_EQ(delete_old(std::chrono::hours(24)), "2 runs, 1 notifications");
  see(2);  // still open: nothing has happened
  EXPECT_EQ(mails().size(), 0u);
}

TEST_F(HistoryTest, DeletingIsNoStatementOfARun) {
  (void)add_run(100);
  (void)add_run(1);
  const auto before = tick();
  EXPECT_EQ(delete_old(kHistory), "1 runs, 0 notifications");
  EXPECT_EQ(tick().at("sql_statements"), before.at("sql_statements"));
}

TEST_F(HistoryTest, TwoWorkersDeleteAtOnce) {
  for (int i = 0; i < 200; ++i) (void)add_run(200 + i);
  (void)add_run(1);
  HistoryKeeperOptions options;
  options.history = kHistory;
  options.batch = 7;
  options.batch_pause = std::chrono::milliseconds(0);
  HistoryKeeper one(io_.get_executor(), *pool_, clock_, options, metrics_);
  HistoryKeeper two(io_.get_executor(), *pool_, clock_, options, metrics_);
  std::vector<std::int64_t> deleted;
  const auto work = [&](HistoryKeeper& keeper) -> boost::asio::awaitable<void> {
    const auto counts = co_await keeper.delete_old();
    EXPECT_TRUE(counts) << (counts ? "" : counts.error().to_string());
    deleted.push_back(counts ? counts->runs : 0);
  };
  boost::asio::co_spawn(io_, work(one), boost::asio::detached);
  boost::asio::co_spawn(io_, work(two), boost::asio::detached);
  io_.restart();
  while (deleted.size() < 2) io_.run_one();
  EXPECT_EQ(deleted[0] + deleted[1], 200);
  EXPECT_EQ(runs().size(), 1u);
}

TEST_F(HistoryTest, RunsOnItsOwnUntilStopped) {
  (void)add_run(100);
  (void)add_run(1);
  HistoryKeeperOptions options;
  options.history = kHistory;
  HistoryKeeper keeper(io_.get_executor(), *pool_, clock_, options, metrics_);
  bool ended = false;
  const auto work = [&]() -> boost::asio::awaitable<void> {
    co_await keeper.run();
    ended = true;
  };
  boost::asio::co_spawn(io_, work(), boost::asio::detached);
  for (int i = 0; i < 10'000 && runs().size() == 2; ++i) {
  }
  EXPECT_EQ(runs().size(), 1u);
  keeper.stop();
  io_.restart();
  while (!ended) io_.run_one();
}

}  // namespace
}  // namespace edged::class_monitor
