// SPDX-License-Identifier: Apache-2.0
// Names and settings of queues, and what is counted of them.
#include "worker/queue/queue_directory.h"

#include "tests/worker/queue/queue_fixture.h"

namespace edged::queue {
namespace {

class QueueDirectoryTest : public QueueTest {
 protected:
  Status configure(const std::string& name, QueueChange change = {}) {
    return run_awaitable(io_, directory_.configure(name, std::move(change)));
  }
  QueueBacklog backlog() {
    const auto id = sql_count("select id from edged.queues where name = 'work'");
    const auto counted = run_awaitable(io_, directory_.backlog(id));
    EXPECT_TRUE(counted) << counted.error().to_string();
    return counted ? *counted : QueueBacklog();
  }

  QueueDirectory directory_{*pool_};
};

TEST_F(QueueDirectoryTest, TakesNamesAsCloudflareDoes) {
  for (const std::string& name : {std::string("a"), std::string("9-_Z"), std::string(63, 'q')}) {
    EXPECT_TRUE(configure(name).ok()) << name;
    const auto found = run_awaitable(io_, directory_.find(name));
    ASSERT_TRUE(found);
    EXPECT_EQ(found->name, name);
  }
}

TEST_F(QueueDirectoryTest, RefusesOtherNames) {
  for (const std::string& name : {std::string(),
                                  std::string(64, 'q'),
                                  std::string("-a"),
                                  std::string("a b"),
                                  std::string("a'b"),
                                  std::string("a;drop table edged.queues"),
                                  std::string("\xc3\xbc"),
                                  std::string("a\0b", 3),
                                  std::string("a\nb"),
                                  queue_id_text(1)}) {
    EXPECT_EQ(configure(name).code(), Code::kInvalidArgument) << name;
    const Status made = run_awaitable(io_, directory_.create(name));
    EXPECT_EQ(made.code(), Code::kInvalidArgument) << name;
    EXPECT_THAT(made.message(), HasSubstr("is not a queue's name")) << name;
  }
  EXPECT_THAT(sql("select name from edged.queues order by 1"), ElementsAre("email", "work"));
}

TEST_F(QueueDirectoryTest, RefusesSettingsOutOfRange) {
  struct Case {
    const char* message;
    QueueChange change;
  };
  std::vector<Case> cases(8);
  cases[0] = {"delivery delay", {}};
  cases[0].change.delivery_delay = 86'401s;
  cases[1] = {"delivery delay", {}};
  cases[1].change.delivery_delay = -1s;
  cases[2] = {"retention", {}};
  cases[2].change.message_retention = 59s;
  cases[3] = {"retention", {}};
  cases[3].change.message_retention = 14 * 86'400s + 1s;
  cases[4] = {"retry delay", {}};
  cases[4].change.retry_delay = 86'401s;
  cases[5] = {"visibility time-out", {}};
  cases[5].change.visibility_timeout = 0ms;
  cases[6] = {"visibility time-out", {}};
  cases[6].change.visibility_timeout = 12h + 1ms;
  cases[7] = {"dead letter queue", {}};
  cases[7].change.dead_letter_queue = "work";
  for (const Case& one : cases) {
    const Status status = configure("work", one.change);
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << one.message;
    EXPECT_THAT(status.message(), HasSubstr(one.message));
  }
}

TEST_F(QueueDirectoryTest, SetsWhatIsNamedAlone) {
  QueueChange change;
  change.message_retention = 60s;
  change.delivery_delay = 24h;
  EXPECT_TRUE(configure("work", change).ok());
  EXPECT_TRUE(configure("work").ok());
  const auto found = run_awaitable(io_, directory_.find("work"));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->message_retention, 60s);
  EXPECT_EQ(found->delivery_delay, 24h);
  EXPECT_EQ(found->max_retries, 3);
}

TEST_F(QueueDirectoryTest, CountsWhatIsNotAcknowledged) {
  const QueueBacklog empty = backlog();
  EXPECT_EQ(empty.messages, 0);
  EXPECT_EQ(empty.bytes, 0);
  EXPECT_FALSE(empty.oldest);
  sql("select edged.queue_send('work', '\"12345678\"', sent_at => '2026-01-01 00:00:00.123Z', "
      "delay => '1 day')");
  sql("select edged.queue_send('work', '\"abcdefgh\"')");
  sql("select edged.queue_send('work', '\"ijklmnop\"')");
  sql("select edged.queue_claim(id, 1, 0, 'someone', now() + interval '1 min') from edged.queues "
      "where name = 'work'");
  const QueueBacklog three = backlog();
  EXPECT_EQ(three.messages, 3);
  EXPECT_EQ(three.bytes, 30);
  ASSERT_TRUE(three.oldest);
  EXPECT_EQ(to_unix_ms(*three.oldest), 1'767'225'600'123);
}

TEST_F(QueueDirectoryTest, EstimatesTheBytesOfManyMessages) {
  sql("select edged.queue_send_batch('work', array_agg('\"12345678\"'::jsonb)) from "
      "generate_series(1, 1000)");
  const QueueBacklog many = backlog();
  EXPECT_EQ(many.messages, 1000);
  EXPECT_EQ(many.bytes, 10'000);
}

}  // namespace
}  // namespace edged::queue
