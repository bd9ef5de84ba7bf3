// SPDX-License-Identifier: Apache-2.0
// Messages that are leased one by one, acknowledged, retried, lost and dead.
#include "worker/queue/queue_pull.h"

#include "tests/worker/queue/queue_fixture.h"

namespace edged::queue {
namespace {

using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

class QueuePullTest : public QueueTest {
 protected:
  QueuePullTest() {
    QueueChange change;
    change.is_pulled = true;
    change.max_retries = 1;
    configure(change);
  }
  void configure(QueueChange change) {
    const Status done = run_awaitable(io_, directory_.configure("work", std::move(change)));
    EXPECT_TRUE(done.ok()) << done.to_string();
  }
  QueueInfo info() {
    const auto found = run_awaitable(io_, directory_.find("work"));
    return found ? *found : QueueInfo();
  }
  Result<Pulled> try_pull(int count, std::optional<std::chrono::milliseconds> timeout = {}) {
    return run_awaitable(io_, pull_.pull(info(), count, timeout));
  }
  std::vector<PulledMessage> pull(int count,
                                  std::optional<std::chrono::milliseconds> timeout = {}) {
    Result<Pulled> pulled = try_pull(count, timeout);
    if (!pulled) ADD_FAILURE() << pulled.error().to_string();
    return pulled ? std::move(pulled->messages) : std::vector<PulledMessage>();
  }
  Settled settle(std::vector<std::string> acks, std::vector<LeaseRetry> retries) {
    Result<Settled> done =
        run_awaitable(io_, pull_.settle(info(), std::move(acks), std::move(retries)));
    if (!done) ADD_FAILURE() << done.error().to_string();
    return done ? *done : Settled();
  }
  void expire_leases() { sql("update edged.queue_claims set lease_until = now()"); }
  // Housekeeping is due once a second: another worker has none behind it.
  std::vector<PulledMessage> pull_elsewhere(int count) {
    QueuePull other(*pool_, clock_);
    Result<Pulled> pulled = run_awaitable(io_, other.pull(info(), count, {}));
    return pulled ? std::move(pulled->messages) : std::vector<PulledMessage>();
  }

  QueueDirectory directory_{*pool_};
  QueuePull pull_{*pool_, clock_};
};

TEST_F(QueuePullTest, LeasesAndAcknowledges) {
  send(5);
  const auto first = pull(2);
  ASSERT_THAT(first, SizeIs(2));
  EXPECT_EQ(first[0].message.body, "1");
  EXPECT_EQ(first[0].message.attempts, 1);
  EXPECT_NE(first[0].lease_id, first[1].lease_id);
  EXPECT_THAT(pull(100), SizeIs(3));
  EXPECT_THAT(pull(100), IsEmpty());
  const Settled settled = settle({first[0].lease_id, first[1].lease_id}, {});
  EXPECT_THAT(settled.acked, UnorderedElementsAre(first[0].lease_id, first[1].lease_id));
  EXPECT_THAT(sql("select count(*) from edged.queue_messages"), ElementsAre("3"));
}

TEST_F(QueuePullTest, ALeaseThatIsOverIsLostAndItsMessageComesAgain) {
  send(1);
  const auto first = pull(1);
  ASSERT_THAT(first, SizeIs(1));
  expire_leases();
  const auto second = pull_elsewhere(1);
  ASSERT_THAT(second, SizeIs(1));
  EXPECT_EQ(second[0].message.attempts, 2);
  EXPECT_EQ(second[0].message.id, first[0].message.id);
  EXPECT_THAT(settle({first[0].lease_id}, {}).lost, ElementsAre(first[0].lease_id));
  EXPECT_THAT(settle({}, {{first[0].lease_id, {}}}).lost, ElementsAre(first[0].lease_id));
  EXPECT_THAT(settle({second[0].lease_id}, {}).acked, ElementsAre(second[0].lease_id));
  expect_empty();
}

TEST_F(QueuePullTest, AShortLeaseEndsForTheSameWorkerToo) {
  send(1);
  ASSERT_THAT(pull(1, 1ms), SizeIs(1));
  bool came_again = false;
  run_until([&] { return came_again = came_again || !pull(1).empty(); });
}

TEST_F(QueuePullTest, RetriesWithAndWithoutDelay) {
  send(2);
  const auto first = pull(2);
  ASSERT_THAT(first, SizeIs(2));
  const Settled settled = settle({}, {{first[0].lease_id, 1h}, {first[1].lease_id, {}}});
  EXPECT_THAT(settled.retried, SizeIs(2));
  const auto again = pull(2);
  ASSERT_THAT(again, SizeIs(1));
  EXPECT_EQ(again[0].message.body, "2");
  EXPECT_THAT(sql("select round(extract(epoch from due_at - now()) / 60) from edged.queue_delayed"),
              ElementsAre("60"));
  // Its second delivery is the last: max_retries is 1.
  EXPECT_THAT(settle({}, {{again[0].lease_id, {}}}).dead, SizeIs(1));
  EXPECT_THAT(sql("select reason from edged.queue_dead"), ElementsAre("2 attempts failed"));
}

TEST_F(QueuePullTest, AMessageNobodyAnswersForGoesToTheDeadLetterQueue) {
  QueueChange change;
  change.dead_letter_queue = "graveyard";
  configure(change);
  ASSERT_TRUE(run_awaitable(io_, directory_.create("graveyard")).ok());
  send(2);
  for (int delivery = 0; delivery < 2; ++delivery) {
    ASSERT_THAT(pull_elsewhere(1), SizeIs(1));
    expire_leases();
  }
  ASSERT_THAT(pull_elsewhere(2), SizeIs(2));
  expire_leases();
  pull_elsewhere(2);
  expire_leases();
  EXPECT_THAT(pull_elsewhere(2), IsEmpty());
  EXPECT_THAT(sql("select count(*) from edged.queue_ready r join edged.queues q on q.id = "
                  "r.queue_id where q.name = 'graveyard'"),
              ElementsAre("2"));
}

TEST_F(QueuePullTest, AcknowledgingPartOfABatchKeepsTheRest) {
  send(3);
  const auto batch = pull(3);
  ASSERT_THAT(batch, SizeIs(3));
  EXPECT_THAT(settle({batch[1].lease_id}, {}).acked, SizeIs(1));
  EXPECT_THAT(settle({batch[1].lease_id}, {}).lost, SizeIs(1));
  const Settled rest = settle({batch[0].lease_id, batch[2].lease_id}, {{batch[2].lease_id, {}}});
  EXPECT_THAT(rest.acked, ElementsAre(batch[0].lease_id));
  EXPECT_THAT(rest.retried, ElementsAre(batch[2].lease_id));
}

TEST_F(QueuePullTest, IdsThatAreNoneOrOfAnotherQueueAreLost) {
  send(1);
  const auto batch = pull(1);
  ASSERT_THAT(batch, SizeIs(1));
  ASSERT_TRUE(run_awaitable(io_, directory_.create("other")).ok());
  const auto other = run_awaitable(io_, directory_.find("other"));
  ASSERT_TRUE(other);
  const auto lost = run_awaitable(io_, pull_.settle(*other, {batch[0].lease_id}, {}));
  ASSERT_TRUE(lost);
  EXPECT_THAT(lost->lost, ElementsAre(batch[0].lease_id));
  const std::string hostile[] = {"",
                                 "'",
                                 "{}",
                                 "NULL",
                                 std::string(100'000, 'a'),
                                 std::string(32, 'f'),
                                 std::string("\0\xff", 2)};
  for (const std::string& id : hostile) {
    EXPECT_THAT(settle({id}, {{id, 5s}}).acked, IsEmpty());
    EXPECT_THAT(settle({id}, {}).lost, SizeIs(1));
  }
  EXPECT_THAT(settle({}, {}).lost, IsEmpty());
  EXPECT_THAT(settle({batch[0].lease_id}, {}).acked, SizeIs(1));
}

TEST_F(QueuePullTest, RefusesWhatIsNotPullable) {
  for (const int count : {0, -1, 101}) {
    EXPECT_EQ(try_pull(count).code(), Code::kInvalidArgument);
  }
  for (const auto timeout : {0ms, -1ms, QueuePull::kVisibilityTimeoutMax + 1ms}) {
    EXPECT_EQ(try_pull(1, timeout).code(), Code::kInvalidArgument);
  }
  QueueChange change;
  change.is_paused = true;
  configure(change);
  EXPECT_EQ(try_pull(1).code(), Code::kConflict);
  change.is_pulled = false;
  configure(change);
  EXPECT_EQ(try_pull(1).code(), Code::kUnsupported);
  QueueChange wrong;
  wrong.max_retries = 101;
  EXPECT_EQ(run_awaitable(io_, directory_.configure("work", wrong)).code(), Code::kInvalidArgument);
  EXPECT_EQ(run_awaitable(io_, directory_.create("no good")).code(), Code::kInvalidArgument);
  EXPECT_EQ(run_awaitable(io_, directory_.create("work")).code(), Code::kExists);
  EXPECT_EQ(run_awaitable(io_, directory_.find("none")).code(), Code::kNotFound);
}

TEST_F(QueuePullTest, ManyPullersShareAQueue) {
  send(500);
  db::PgPoolOptions four = pool_options();
  four.size = 4;
  db::PgPool pool(io_.get_executor(), four, metrics_);
  QueuePull shared(pool, clock_);
  const QueueInfo queue = info();
  std::set<std::int64_t> seen;
  std::size_t deliveries = 0;
  int running = 4;
  const auto work = [&]() -> asio::awaitable<void> {
    for (;;) {
      const Result<Pulled> pulled = co_await shared.pull(queue, 7, std::nullopt);
      EXPECT_TRUE(pulled.has_value());
      if (!pulled || pulled->messages.empty()) break;
      std::vector<std::string> acks;
      for (const PulledMessage& one : pulled->messages) {
        seen.insert(one.message.id);
        acks.push_back(one.lease_id);
        ++deliveries;
      }
      std::vector<LeaseRetry> none;
      const auto settled = co_await shared.settle(queue, std::move(acks), std::move(none));
      EXPECT_TRUE(settled.has_value());
    }
    --running;
  };
  for (int i = 0; i < 4; ++i) net::spawn(io_, work());
  run_until([&] { return running == 0; });
  EXPECT_THAT(seen, SizeIs(500));
  EXPECT_EQ(deliveries, 500u);
  expect_empty();
}

TEST_F(QueuePullTest, SendsMessagesOfSeveralKindsTogetherOrNotAtAll) {
  std::vector<OutgoingMessage> messages{
      {"{\"a\":1}", "json", {}}, {"\"text\"", "text", {}}, {"\"AAE=\"", "bytes", 1h}};
  ASSERT_TRUE(run_awaitable(io_, pull_.send(info(), messages)).ok());
  EXPECT_THAT(sql("select content_type from edged.queue_messages order by 1"),
              ElementsAre("bytes", "json", "text"));
  EXPECT_THAT(sql("select count(*) from edged.queue_delayed"), ElementsAre("1"));
  messages.push_back({"\"\\u0000\"", "text", {}});  // PostgreSQL cannot store it
  EXPECT_EQ(run_awaitable(io_, pull_.send(info(), messages)).code(), Code::kInvalidArgument);
  messages.back() = {"\"" + std::string(300'000, 'x') + "\"", "text", {}};
  const Status too_long = run_awaitable(io_, pull_.send(info(), messages));
  EXPECT_THAT(too_long.message(), HasSubstr("256 KiB"));
  EXPECT_THAT(sql("select count(*) from edged.queue_messages"), ElementsAre("3"));
  EXPECT_TRUE(run_awaitable(io_, pull_.send(info(), {})).ok());
}

TEST_F(QueuePullTest, TheSameInSql) {
  send(3);
  const auto leases = sql("select lease_id from edged.queue_pull('work', 2)");
  ASSERT_THAT(leases, SizeIs(2));
  EXPECT_THAT(sql("select edged.queue_ack('work', array['" + leases[0] + "', 'x'])"),
              ElementsAre("1"));
  EXPECT_THAT(sql("select edged.queue_retry('work', array['" + leases[1] + "'], '1 hour')"),
              ElementsAre("1"));
  EXPECT_THAT(sql("select edged.queue_retry('work', array['" + leases[1] + "'])"),
              ElementsAre("0"));
  EXPECT_THAT(sql("select body from edged.queue_pull('work')"), ElementsAre("3"));
  EXPECT_THAT(sql_error("select edged.queue_pull('work', 101)"), HasSubstr("batch size"));
  EXPECT_THAT(sql_error("select edged.queue_pull('none')"), HasSubstr("does not exist"));
}

TEST_F(QueuePullTest, ExpiredMessagesAreDeletedUnlessAConsumerHasThem) {
  sql("select edged.queue_send('work', '1', sent_at => now() - interval '5 days')");
  ASSERT_THAT(pull(1), SizeIs(1));  // in a consumer's hands
  sql("select edged.queue_send('work', '2', sent_at => now() - interval '5 days')");
  sql("select edged.queue_send('work', '3')");
  sql("select edged.queue_send('work', '4', delay => '5 days')");
  const std::string clean = "select deleted from edged.queue_delete_expired(0, 100, now()";
  EXPECT_THAT(sql(clean + ")"), ElementsAre("1"));
  EXPECT_THAT(sql(clean + ")"), ElementsAre("0"));
  EXPECT_THAT(sql(clean + " + interval '6 days')"), ElementsAre("1"));  // 4 waits for its time
  EXPECT_THAT(sql(clean + " + interval '10 days')"), ElementsAre("1"));
  EXPECT_THAT(sql("select body from edged.queue_messages"), ElementsAre("1"));
}

}  // namespace
}  // namespace edged::queue
