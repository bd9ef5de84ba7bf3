// SPDX-License-Identifier: Apache-2.0
// Consumers that die, stop, lose their claim or their connection, and transactions that commit
// late.
#include "tests/support/manual_clock.h"
#include "tests/worker/queue/queue_fixture.h"
#include "worker/queue/queue_store.h"

namespace edged::queue {
namespace {

// Acks the first message, then does not return until the timer is cancelled.
asio::awaitable<Status> work_on_one(std::shared_ptr<asio::steady_timer> held,
                                    std::shared_ptr<Batch> batch) {
  batch->ack(0);
  co_await held->async_wait(asio::as_tuple(asio::use_awaitable));
  co_return Status();
}

// Takes the messages from the consumer, the first time, and gives them back to the queue.
asio::awaitable<Status> lose_once(db::PgPool* pool, std::shared_ptr<Batch> batch) {
  if (batch->messages()[0].attempts > 1) co_return Status();
  std::string steal =
      "with c as (delete from edged.queue_claims returning queue_id, message_ids) "
      "insert into edged.queue_ready (queue_id, message_id, attempts) "
      "select queue_id, unnest(message_ids), 1 from c";
  const auto done = co_await pool->execute(std::move(steal), {});
  EXPECT_TRUE(done.has_value());
  co_return Status();
}

asio::awaitable<void> send_and_commit_late(db::PgPool* pool, bool* committed) {
  std::string statement =
      "with sent as materialized (select edged.queue_send('work', '\"late\"')) "
      "select pg_sleep(2) from sent";
  const auto done = co_await pool->execute(std::move(statement), {});
  *committed = done.has_value();
}

// For 4 s nobody can renew or end a claim.
asio::awaitable<void> lock_claims(db::PgPool* pool, bool* unlocked) {
  std::string statement =
      "do $$ begin lock table edged.queue_claims in access exclusive mode; perform pg_sleep(4); "
      "end $$";
  const auto done = co_await pool->execute(std::move(statement), {});
  EXPECT_TRUE(done.has_value());
  *unlocked = true;
}

TEST_F(QueueTest, ADeadConsumersMessagesAreTakenOver) {
  send(3);
  // Claimed by a consumer that is gone: its lease is over.
  sql("with t as (delete from edged.queue_ready returning queue_id, message_id) "
      "insert into edged.queue_claims (queue_id, consumer, lease_until, message_ids, attempts) "
      "select min(queue_id), 'gone', now(), array_agg(message_id), '{1,1,1}' from t");
  auto one = consumer();
  net::spawn(io_, one->run());
  run_until([&] { return one->counts().acked == 3; });
  EXPECT_THAT(attempts_, ElementsAre(2, 2, 2));
  stop(*one);
  expect_empty();
}

// Returns when the batch may be lost, undecided.
asio::awaitable<Status> wait_for_loss(bool* lost, std::shared_ptr<Batch> batch) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  while (!batch->is_lost()) {
    timer.expires_after(20ms);
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  }
  *lost = true;
  co_return Status();
}

TEST_F(QueueTest, AConsumerWhoseClockIsAheadTakesNothingOver) {
  send(1);
  sql("select edged.queue_claim(id, 1, 0, 'someone', now() + interval '30 s') from edged.queues "
      "where name = 'work'");
  const test::ManualClock ahead(clock_.wall_now() + std::chrono::hours(1));
  QueueStore other(*pool_, ahead);
  for (int look = 0; look < 3; ++look) {
    const auto taken = run_awaitable(io_, other.give_back_expired());
    EXPECT_TRUE(taken && *taken == 0);
  }
  sql("update edged.queue_claims set lease_until = now()");
  const auto taken = run_awaitable(io_, other.give_back_expired());
  EXPECT_TRUE(taken && *taken == 1);
}

// The messages are given back, not acknowledged: nobody has worked on them.
TEST_F(QueueTest, ALeaseThatCannotBeRenewedEndsTheBatch) {
  options_.lease = 3000ms;
  send(2);
  bool lost = false;
  auto one =
      consumer_of([&lost](std::shared_ptr<Batch> batch) { return wait_for_loss(&lost, batch); });
  net::spawn(io_, one->run());
  run_until([&] { return sql_count("select count(*) from edged.queue_claims") == 1; });
  db::PgPool blocker(io_.get_executor(), pool_options(), metrics_);
  bool unblocked = false;
  net::spawn(io_, lock_claims(&blocker, &unblocked));
  run_until([&] { return lost; });
  auto consumer = this->consumer();
  run_until([&] { return unblocked && one->counts().retried + one->counts().lost == 2; });
  stop(*one);
  EXPECT_EQ(one->counts().acked, 0u);
  net::spawn(io_, consumer->run());
  run_until([&] { return consumer->counts().acked == 2; });
  stop(*consumer);
  expect_empty();
}

TEST_F(QueueTest, ABatchThatWaitsForMoreKeepsItsLease) {
  options_.lease = 3000ms;
  options_.max_batch_timeout = 7000ms;
  auto one = consumer();
  auto two = consumer();
  net::spawn(io_, one->run());
  net::spawn(io_, two->run());
  // After their first look back, whose finds are a batch at once.
  const auto started = std::chrono::steady_clock::now();
  run_until([&] { return std::chrono::steady_clock::now() > started + 300ms; });
  send(1);
  run_until([&] { return one->counts().acked + two->counts().acked > 0; });
  EXPECT_THAT(attempts_, ElementsAre(1));
  stop(*one);
  stop(*two);
  EXPECT_EQ(one->counts().lost + two->counts().lost, 0u);
  expect_empty();
}

TEST_F(QueueTest, AMessageThatEndsItsConsumersIsBuried) {
  send(1);
  sql("update edged.queue_ready set attempts = 4");
  auto one = consumer();
  drain(*one);
  EXPECT_THAT(bodies_, IsEmpty());
  EXPECT_THAT(sql("select reason from edged.queue_dead"),
              ElementsAre("4 attempts ended with their consumer"));
}

TEST_F(QueueTest, WhoLostTheClaimChangesNothing) {
  send(1);
  db::PgPool* const pool = &*pool_;
  auto one = consumer_of([pool](std::shared_ptr<Batch> batch) { return lose_once(pool, batch); });
  drain(*one);
  // Its first decision was of a message that it held no more. Then the message came again.
  EXPECT_EQ(one->counts().lost, 1u);
  EXPECT_EQ(one->counts().acked, 1u);
  expect_empty();
}

TEST_F(QueueTest, AStopGivesBackAtOnceWhatWasNotBegun) {
  send(10);
  auto held = std::make_shared<asio::steady_timer>(io_, asio::steady_timer::time_point::max());
  auto one = consumer_of([held](std::shared_ptr<Batch> batch) { return work_on_one(held, batch); });
  net::spawn(io_, one->run());
  run_until([&] { return one->counts().acked == 1; });
  EXPECT_TRUE(run_awaitable(io_, end(one.get(), 0ms)));
  EXPECT_THAT(sql("select count(*) from edged.queue_claims"), ElementsAre("0"));
  EXPECT_THAT(sql("select count(*) || ' ' || max(attempts) from edged.queue_ready"),
              ElementsAre("9 0"));
  held->cancel();
  auto other = consumer();
  drain(*other);
  EXPECT_EQ(bodies_.size(), 9u);
  expect_empty();
}

TEST_F(QueueTest, ALateCommitIsFound) {
  auto one = consumer();
  net::spawn(io_, one->run());
  db::PgPool producer(io_.get_executor(), pool_options(), metrics_);
  bool committed = false;
  net::spawn(io_, send_and_commit_late(&producer, &committed));
  run_until([this] {
    return sql_count("select count(*) from pg_stat_activity where wait_event = 'PgSleep'") == 1;
  });
  sql("select edged.queue_send('work', '\"early\"')");
  run_until([&] { return one->counts().acked == 2 && committed; });
  EXPECT_EQ(bodies_.size(), 2u);
  stop(*one);
  expect_empty();
}

TEST_F(QueueTest, ConsumersShareAndSurviveTerminatedBackEnds) {
  auto one = consumer(), two = consumer();
  net::spawn(io_, one->run());
  net::spawn(io_, two->run());
  for (int round = 0; round < 5; ++round) {
    const std::string sent =
        "select edged.queue_send_batch('work', array_agg(to_jsonb(n)), unique_keys => "
        "array_agg('" +
        std::to_string(round) + "-' || n)) from generate_series(1, 200) n";
    run_until([&] { return sql_count("select count(*) from (" + sent + ") s") == 1; });
    (void)sql_count(
        "select count(pg_terminate_backend(pid)) from pg_stat_activity "
        "where datname = current_database()");
  }
  run_until([this] { return sql_count("select count(*) from edged.queue_messages") == 0; });
  EXPECT_GE(bodies_.size(), 1000u);  // again where a recording was cut off
  stop(*one);
  stop(*two);
  expect_empty();
}

}  // namespace
}  // namespace edged::queue
