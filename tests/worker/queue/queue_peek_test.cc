// SPDX-License-Identifier: Apache-2.0
// Messages that are looked at and stay, and single ones that are deleted.
#include "worker/queue/queue_peek.h"

#include "tests/worker/queue/queue_fixture.h"

namespace edged::queue {
namespace {

using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

class QueuePeekTest : public QueueTest {
 protected:
  std::int64_t id_of(const std::string& queue) {
    return sql_count("select id from edged.queues where name = '" + queue + "'");
  }
  std::vector<PeekedMessage> look(int count) {
    auto found = run_awaitable(io_, peek_.peek(id_of("work"), count));
    EXPECT_TRUE(found) << found.error().to_string();
    return found ? *std::move(found) : std::vector<PeekedMessage>();
  }
  // The refs that were missed.
  std::vector<std::string> purge(const std::string& queue, std::vector<std::string> refs) {
    auto missed = run_awaitable(io_, peek_.purge(id_of(queue), std::move(refs)));
    EXPECT_TRUE(missed) << missed.error().to_string();
    return missed ? *std::move(missed) : std::vector<std::string>();
  }
  void claim(int count) {
    sql("select edged.queue_claim(id, " + std::to_string(count) +
        ", 0, 'someone', now() + interval '1 min') from edged.queues where name = 'work'");
  }
  std::vector<std::string> bodies() {
    return sql("select body::text from edged.queue_messages order by id");
  }

  QueuePeek peek_{*pool_, clock_};
};

TEST_F(QueuePeekTest, LooksAtWhatIsDueAndLeavesItThere) {
  EXPECT_THAT(look(100), IsEmpty());
  send(3);
  sql("select edged.queue_send('work', '\"later\"', delay => '1 hour')");
  sql("select edged.queue_send('work', '\"due\"', delay => '1 s', sent_at => now() - interval '1 "
      "min')");
  for (int again = 0; again < 2; ++again) {
    const auto found = look(100);
    ASSERT_THAT(found, SizeIs(4));
    EXPECT_EQ(found[0].message.body, "1");
    EXPECT_EQ(found[0].message.attempts, 0);
    EXPECT_EQ(found[0].message.content_type, "json");
    EXPECT_EQ(found[3].message.body, "\"due\"");
  }
  EXPECT_THAT(look(2), SizeIs(2));
  claim(2);
  EXPECT_THAT(look(100), SizeIs(2));  // not what a consumer has
}

TEST_F(QueuePeekTest, DeletesWhatWaitsOrIsDelayed) {
  send(4);
  const auto found = look(4);
  ASSERT_THAT(found, SizeIs(4));
  sql("insert into edged.queue_delayed (queue_id, due_at, message_id, attempts) "
      "select queue_id, now() + interval '1 hour', message_id, 1 from edged.queue_ready "
      "order by position limit 1");
  sql("delete from edged.queue_ready where position = (select min(position) from "
      "edged.queue_ready)");
  EXPECT_THAT(purge("work", {found[0].ref, found[2].ref, found[2].ref}), IsEmpty());
  EXPECT_THAT(bodies(), ElementsAre("2", "4"));
  EXPECT_THAT(sql("select count(*) from edged.queue_delayed"), ElementsAre("0"));
  EXPECT_THAT(sql("select count(*) from edged.queue_ready"), ElementsAre("2"));
  EXPECT_THAT(purge("work", {found[0].ref}), ElementsAre(found[0].ref));
}

TEST_F(QueuePeekTest, MissesWhatAConsumerHasAndWhatIsNoRefOfThisQueue) {
  sql("select edged.queue_create('other')");
  send(2);
  const auto found = look(2);
  ASSERT_THAT(found, SizeIs(2));
  claim(1);
  const std::string leased = found[0].ref;
  const std::vector<std::string> wrong = {leased,
                                          "",
                                          "x",
                                          std::string(32, 'f'),
                                          std::string(32, '0'),
                                          std::string(32, 'F'),
                                          found[1].ref + "0",
                                          "1); drop table edged.queues; --",
                                          std::string(100'000, '7')};
  EXPECT_THAT(purge("work", wrong), ::testing::UnorderedElementsAreArray(wrong));
  EXPECT_THAT(purge("other", {found[1].ref}), ElementsAre(found[1].ref));
  EXPECT_THAT(purge("work", {}), IsEmpty());
  EXPECT_THAT(bodies(), ElementsAre("1", "2"));
}

TEST_F(QueuePeekTest, AMessageIsDeletedOrDeliveredNeverBoth) {
  send(200);
  const auto found = look(200);
  std::vector<std::string> refs;
  for (const PeekedMessage& one : found) refs.push_back(one.ref);
  auto consumer = this->consumer();
  const std::int64_t id = id_of("work");
  std::size_t missed = 0;
  bool purged = false;
  asio::co_spawn(io_, consumer->drain_due(), asio::detached);
  net::spawn(io_, peek_.purge(id, refs), [&](Result<std::vector<std::string>> answer) {
    purged = true;
    if (answer) missed = answer->size();
  });
  run_until([&] { return purged && bodies().empty(); });
  EXPECT_EQ(bodies_.size(), missed);
  stop(*consumer);
  expect_empty();
}

}  // namespace
}  // namespace edged::queue
