// SPDX-License-Identifier: Apache-2.0
// What becomes of messages, by what their handler decides.
#include "tests/worker/queue/queue_fixture.h"

namespace edged::queue {
namespace {

TEST_F(QueueTest, DeliversInOrderAndInBatches) {
  send(25);
  auto one = consumer();
  drain(*one);
  EXPECT_THAT(sizes_, ElementsAre(10, 10, 5));
  ASSERT_EQ(bodies_.size(), 25u);
  for (std::size_t i = 0; i < 25; ++i) EXPECT_EQ(bodies_[i], std::to_string(i + 1));
  EXPECT_EQ(one->counts().acked, 25u);
  expect_empty();
}

TEST_F(QueueTest, ARolledBackTransactionSendsNothing) {
  EXPECT_NE(sql_error("do $$ begin perform edged.queue_send('work', '1'); raise 'no'; end $$"), "");
  auto one = consumer();
  drain(*one);
  EXPECT_THAT(bodies_, IsEmpty());
  expect_empty();
}

TEST_F(QueueTest, ARetriedMessageComesAgainWithItsAttempts) {
  send(2);
  auto one = consumer([](Batch& batch) {
    if (batch.messages()[0].attempts == 1) batch.retry(0, std::nullopt);
  });
  drain(*one);
  EXPECT_THAT(bodies_, ElementsAre("1", "2", "1"));
  EXPECT_THAT(attempts_, ElementsAre(1, 1, 2));
  expect_empty();
}

TEST_F(QueueTest, AFailedBatchComesAgainUntilItIsDead) {
  send(1);
  answer_ = Status(Code::kUnavailable, "no");
  options_.max_retries = 2;
  auto one = consumer();
  drain(*one);
  EXPECT_THAT(attempts_, ElementsAre(1, 2, 3));
  EXPECT_THAT(sql("select reason from edged.queue_dead where body = '1'"),
              ElementsAre("3 attempts failed"));
  expect_empty();
}

TEST_F(QueueTest, AHandlerThatThrowsFailsItsBatch) {
  send(1);
  auto one = consumer([](Batch& batch) {
    if (batch.messages()[0].attempts == 1) throw std::runtime_error("no");
  });
  drain(*one);
  EXPECT_THAT(attempts_, ElementsAre(1, 2));
  expect_empty();
}

TEST_F(QueueTest, TheFirstDecisionCounts) {
  send(1);
  auto one = consumer([](Batch& batch) {
    batch.ack(0);
    batch.bury(0, "too late");
  });
  drain(*one);
  EXPECT_THAT(sql("select 1 from edged.queue_dead"), IsEmpty());
  expect_empty();
}

TEST_F(QueueTest, ADelayedMessageWaits) {
  sql("select edged.queue_send('work', '1', delay => '1 hour')");
  sql("select edged.queue_send('work', '2')");
  auto one = consumer();
  drain(*one);
  EXPECT_THAT(bodies_, ElementsAre("2"));
  sql("update edged.queue_delayed set due_at = now() - interval '1 s'");
  drain(*one);
  EXPECT_THAT(bodies_, ElementsAre("2", "1"));
  expect_empty();
}

TEST_F(QueueTest, DeadMessagesGoToTheQueueThatIsNamed) {
  send(1);
  options_.dead_letter_queue = "graveyard";
  auto one = consumer([](Batch& batch) { batch.bury(0, "broken"); });
  drain(*one);
  options_.queue = "graveyard";
  options_.dead_letter_queue = "";
  auto other = consumer();
  drain(*other);
  EXPECT_THAT(bodies_, ElementsAre("1", "1"));
  EXPECT_THAT(attempts_, ElementsAre(1, 1));
  expect_empty();
}

TEST_F(QueueTest, AUniqueKeyIsTakenWhileItsMessageLives) {
  const std::string once = "select edged.queue_send('work', '1', unique_key => 'a') is null";
  EXPECT_THAT(sql(once), ElementsAre("f"));
  EXPECT_THAT(sql(once), ElementsAre("t"));
  EXPECT_THAT(sql("select (edged.queue_send_batch('work', array['7', '8', '9']::jsonb[], "
                  "unique_keys => array['a', 'b', 'b']))[1] is null"),
              ElementsAre("t"));
  auto one = consumer();
  drain(*one);
  EXPECT_THAT(bodies_, ElementsAre("1", "8"));
  EXPECT_THAT(sql(once), ElementsAre("f"));
}

TEST_F(QueueTest, APausedQueueGivesNothing) {
  send(1);
  sql("update edged.queues set is_paused = true where name = 'work'");
  auto one = consumer();
  drain(*one);
  EXPECT_THAT(bodies_, IsEmpty());
  sql("update edged.queues set is_paused = false where name = 'work'");
  drain(*one);
  EXPECT_THAT(bodies_, ElementsAre("1"));
}

TEST_F(QueueTest, TheRecordIsWrittenWithTheDecision) {
  sql("create table public.record (note text)");
  send(2);
  options_.record = [](const std::vector<Decision>& decisions) {
    std::string notes;
    for (const Decision& decision : decisions) notes += decision.note;
    db::PgStatement statement;
    statement.sql = "insert into public.record values ($1)";
    statement.parameters.emplace_back(std::move(notes));
    return std::optional<db::PgStatement>(std::move(statement));
  };
  auto one = consumer([](Batch& batch) {
    batch.ack(0, "a");
    batch.ack(1, "b");
  });
  drain(*one);
  EXPECT_THAT(sql("select string_agg(note, '') from public.record"), ElementsAre("ab"));
}

TEST_F(QueueTest, WhatCannotBeSentIsRefusedClearly) {
  EXPECT_THAT(sql_error("select edged.queue_send('nothing', '1')"), HasSubstr("does not exist"));
  EXPECT_THAT(sql_error("select edged.queue_send('work', null)"), HasSubstr("not-null"));
  EXPECT_THAT(sql_error("select edged.queue_send('work', '1', delay => '-1 s')"),
              HasSubstr("between 0 and 30 days"));
  EXPECT_THAT(sql_error("select edged.queue_create('a b')"), HasSubstr("queues_name_fits"));
  EXPECT_THAT(sql("select edged.queue_send_batch('work', '{}')"), ElementsAre("{}"));
}

}  // namespace
}  // namespace edged::queue
