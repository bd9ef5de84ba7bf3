// SPDX-License-Identifier: Apache-2.0
// What is deleted when its time is over, and what stays.
#include "worker/queue/retention.h"

#include "tests/support/manual_clock.h"
#include "tests/worker/queue/queue_fixture.h"
#include "worker/queue/queue_directory.h"

namespace edged::queue {
namespace {

class RetentionTest : public QueueTest {
 protected:
  // How many messages were deleted; -1: an error.
  std::int64_t keep(Retention& retention) {
    const auto deleted = run_awaitable(io_, retention.run_once());
    return deleted ? *deleted : -1;
  }
  std::int64_t keep() {
    Retention retention(io_.get_executor(), *pool_, clock_, metrics_);
    return keep(retention);
  }
  void create(const std::string& name, std::chrono::seconds message_retention) {
    QueueDirectory directory(*pool_);
    QueueChange change;
    change.message_retention = message_retention;
    const Status made = run_awaitable(io_, directory.configure(name, std::move(change)));
    EXPECT_TRUE(made.ok()) << made.to_string();
  }
  // A message that was sent some time ago.
  void send_old(const std::string& queue, const std::string& age, const std::string& delay = "0") {
    sql("select edged.queue_send('" + queue + "', '1', delay => '" + delay +
        "', sent_at => now() - interval '" + age + "')");
  }
  std::vector<std::string> left() {
    return sql(
        "select q.name from edged.queue_messages m join edged.queues q on q.id = m.queue_id "
        "order by m.id");
  }
};

TEST_F(RetentionTest, NothingToDo) {
  EXPECT_EQ(keep(), 0);
  send(3);
  EXPECT_EQ(keep(), 0);
  EXPECT_THAT(left(), ElementsAre("work", "work", "work"));
}

TEST_F(RetentionTest, EachQueueHasItsOwn) {
  create("short", 60s);
  create("long", std::chrono::hours(14 * 24));
  for (const char* age : {"30 s", "2 min", "5 days"}) {
    for (const char* queue : {"short", "work", "long"}) send_old(queue, age);
  }
  EXPECT_EQ(keep(), 3);  // two of "short", the oldest of "work"
  EXPECT_THAT(left(), ElementsAre("short", "work", "long", "work", "long", "long"));
  EXPECT_THAT(sql("select count(*) from edged.queue_ready"), ElementsAre("6"));
  EXPECT_EQ(keep(), 0);
}

TEST_F(RetentionTest, ADelayIsNoWaiting) {
  create("short", 60s);
  send_old("short", "2 min", "90 s");  // due 30 s ago
  send_old("short", "2 min", "30 s");  // due 90 s ago
  send_old("short", "2 min", "1 hour");
  EXPECT_EQ(keep(), 1);
  EXPECT_THAT(left(), ElementsAre("short", "short"));
  EXPECT_THAT(sql("select count(*) from edged.queue_delayed"), ElementsAre("2"));
}

TEST_F(RetentionTest, WhatAConsumerHasStays) {
  send_old("work", "5 days");
  sql("select edged.queue_claim(id, 1, 0, 'someone', now() + interval '1 min') from edged.queues "
      "where name = 'work'");
  send_old("work", "5 days");
  EXPECT_EQ(keep(), 1);
  EXPECT_THAT(left(), ElementsAre("work"));
  sql("update edged.queue_claims set lease_until = now()");
  QueueStore store(*pool_, clock_);
  const auto given_back = run_awaitable(io_, store.give_back_expired());
  EXPECT_TRUE(given_back && *given_back == 1);
  EXPECT_EQ(keep(), 1);
  expect_empty();
}

TEST_F(RetentionTest, MoreThanOneStatementLooksAt) {
  constexpr int kCount = 12'000;
  sql("select edged.queue_send_batch('work', array_agg('1'::jsonb), sent_at => now() - interval '5 "
      "days') "
      "from generate_series(1, " +
      std::to_string(kCount) + ")");
  send(1);
  EXPECT_EQ(keep(), kCount);
  EXPECT_THAT(left(), ElementsAre("work"));
  EXPECT_THAT(sql("select count(*) from edged.queue_ready"), ElementsAre("1"));
  EXPECT_THAT(metrics_.render(), HasSubstr("edged_queue_expired_total 12000"));
}

TEST_F(RetentionTest, SeveralWorkersDeleteEachMessageOnce) {
  for (int i = 0; i < 20; ++i) send_old("work", "5 days");
  Retention first(io_.get_executor(), *pool_, clock_, metrics_);
  Retention second(io_.get_executor(), *pool_, clock_, metrics_);
  std::vector<std::int64_t> deleted;
  for (Retention* one : {&first, &second}) {
    net::spawn(io_, one->run_once(), [&](Result<std::int64_t> count) {
      deleted.push_back(count ? *count : -1);
    });
  }
  run_until([&] { return deleted.size() == 2; });
  EXPECT_EQ(deleted[0] + deleted[1], 20);
  expect_empty();
}

TEST_F(RetentionTest, DeadMessagesGoAfterNinetyDays) {
  sql("insert into edged.queue_dead (message_id, queue_id, body, content_type, reason, attempts, "
      "sent_at, "
      "died_at) select n, q.id, '1', 'json', 'test', 1, now(), now() - n * interval '1 day' "
      "from edged.queues q, unnest(array[1, 89, 91, 400]) n where q.name = 'work'");
  EXPECT_EQ(keep(), 0);  // dead ones are not counted
  EXPECT_THAT(sql("select message_id from edged.queue_dead order by 1"), ElementsAre("1", "89"));
}

// What is deleted cannot be had back, so a worker whose clock is a year ahead deletes nothing.
TEST_F(RetentionTest, AClockThatIsAheadDeletesNothing) {
  send(1);
  send_old("work", "3 days", "1 day");
  sql("insert into edged.queue_dead (message_id, queue_id, body, content_type, reason, attempts, "
      "sent_at, "
      "died_at) select 1, q.id, '1', 'json', 'test', 1, now(), now() from edged.queues q where "
      "q.name = 'work'");
  const test::ManualClock ahead(clock_.wall_now() + std::chrono::hours(365 * 24));
  Retention retention(io_.get_executor(), *pool_, ahead, metrics_);
  EXPECT_EQ(keep(retention), 0);
  EXPECT_THAT(left(), ElementsAre("work", "work"));
  EXPECT_THAT(sql("select count(*) from edged.queue_dead"), ElementsAre("1"));
}

TEST_F(RetentionTest, SaysWhatWentWrong) {
  sql("alter function edged.queue_delete_expired rename to hidden");
  Retention retention(io_.get_executor(), *pool_, clock_, metrics_);
  const auto failed = run_awaitable(io_, retention.run_once());
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().message(), HasSubstr("queue_delete_expired"));
  sql("alter function edged.hidden rename to queue_delete_expired");
  EXPECT_EQ(keep(retention), 0);
}

TEST_F(RetentionTest, RunsUntilItIsStopped) {
  send_old("work", "5 days");
  Retention retention(io_.get_executor(), *pool_, clock_, metrics_);
  bool ended = false;
  asio::co_spawn(io_, retention.run(), [&](std::exception_ptr) { ended = true; });
  run_until([&] { return left().empty(); });
  EXPECT_FALSE(ended);
  retention.stop();
  run_until([&] { return ended; });
}

}  // namespace
}  // namespace edged::queue
