// SPDX-License-Identifier: Apache-2.0
// A snapshot that somebody holds for long keeps the dead rows of all batches since, while
// autovacuum's statistics say that the tables are nearly empty. The work of a batch must not grow
// with them. It is measured in the pages that PostgreSQL touches, which no load of the machine
// changes.
#include "proto/base/clock.h"
#include "tests/support/manual_clock.h"
#include "tests/worker/queue/queue_fixture.h"
#include "worker/queue/queue_store.h"

namespace edged::queue {
namespace {

constexpr int kBatches = 1500;
constexpr int kBatch = 10;
// A batch of 10 touches about 150 pages alone; one that walks over the dead rows touches thousands.
constexpr std::int64_t kPagesMax = 600;

asio::awaitable<void> hold_snapshot(db::PgPool* pool) {
  (void)co_await pool->execute("select pg_sleep(600)", {});
}

class LongSnapshotTest : public QueueTest {
 protected:
  LongSnapshotTest() : holder_(io_.get_executor(), pool_options(), metrics_) {
    net::spawn(io_, hold_snapshot(&holder_));
    run_until([&] {
      return sql_count(
                 "select count(*) from pg_stat_activity where query like 'select pg_sleep%' "
                 "and state = 'active' and datname = current_database()") == 1;
    });
    sql("create function pages_of(statement text) returns bigint language plpgsql as $$ "
        "declare plan json; begin "
        "execute 'explain (analyze, buffers, format json) ' || statement into plan; "
        "return (plan->0->'Plan'->>'Shared Hit Blocks')::bigint "
        "+ (plan->0->'Plan'->>'Shared Read Blocks')::bigint; end $$");
  }
  ~LongSnapshotTest() override { cluster_.terminate_backends(database_); }

  // What autovacuum does now and then.
  void vacuum() {
    for (const std::string table :
         {"queue_ready", "queue_claims", "queue_messages", "queue_delayed"}) {
      sql("vacuum analyze edged." + table);
    }
  }
  std::int64_t pages_of(const std::string& statement) {
    const auto pages = sql("select pages_of($q$" + statement + "$q$)");
    return pages.empty() ? -1 : std::stoll(pages[0]);
  }

  db::PgPool holder_;
};

TEST_F(LongSnapshotTest, ClaimsAndCompletionsTouchNoMorePages) {
  sql("do $do$ declare behind bigint := 0; done jsonb; begin "
      "for batch in 1.." +
      std::to_string(kBatches) +
      " loop "
      "perform edged.queue_send_batch('work', (select array_agg(to_jsonb(n)) from "
      "generate_series(1, " +
      std::to_string(kBatch) +
      ") n)); "
      "select max(c.position), jsonb_agg(jsonb_build_object('claim', c.claim, 'message', "
      "c.message_id, "
      "'what', 'ack')) into behind, done from edged.queue_claim((select id from edged.queues where "
      "name = "
      "'work'), " +
      std::to_string(kBatch) +
      ", behind, 'here', now() + interval '30 s') c; "
      "perform edged.queue_complete(done, now()); commit; end loop; end $do$");
  vacuum();
  const std::string behind = sql("select last_value from edged.queue_positions")[0];
  send(kBatch);
  EXPECT_LT(
      pages_of(
          "select * from edged.queue_claim((select id from edged.queues where name = 'work'), " +
          std::to_string(kBatch) + ", " + behind + ", 'here', now() + interval '30 s')"),
      kPagesMax);
  const std::string decisions =
      sql("select jsonb_agg(jsonb_build_object('claim', c.id, 'message', m, 'what', 'ack')) "
          "from edged.queue_claims c, unnest(c.message_ids) m")[0];
  EXPECT_LT(pages_of("select * from edged.queue_complete('" + decisions + "', now())"), kPagesMax);
  expect_empty();
}

// Messages that came due in the past stay as dead rows before those that come due now.
TEST_F(LongSnapshotTest, ReleasesTouchNoMorePages) {
  test::ManualClock clock(clock_.wall_now());
  QueueStore store(*pool_, clock);
  const std::int64_t queue = std::stoll(sql("select id from edged.queues where name = 'work'")[0]);
  const auto release = [&] {
    const auto released = run_awaitable(io_, store.release_due(queue));
    EXPECT_TRUE(released.has_value());
    return released ? released->count : -1;
  };
  for (int round = 0; round < 12; ++round) {
    sql("select edged.queue_send_batch('work', array_agg(to_jsonb(n)), delay => '10 s', sent_at => "
        "'" +
        format_rfc3339(clock.wall_now()) + "') from generate_series(1, 900) n");
    clock.advance(600s);
    EXPECT_EQ(release(), 900);
  }
  vacuum();
  sql("select pg_stat_force_next_flush()");
  const std::string touched =
      "select heap_blks_hit + heap_blks_read + idx_blks_hit + idx_blks_read "
      "from pg_statio_user_tables where relname = 'queue_delayed'";
  const std::int64_t before = std::stoll(sql(touched)[0]);
  EXPECT_EQ(release(), 0);
  sql("select pg_stat_force_next_flush()");
  EXPECT_LT(std::stoll(sql(touched)[0]) - before, 30);  // 5; all the dead rows: 138
}

// What was sent with a time that had passed, or was committed late, comes with a look at
// everything.
TEST_F(LongSnapshotTest, WhatComesLateIsReleased) {
  test::ManualClock clock(clock_.wall_now());
  QueueStore store(*pool_, clock);
  const std::int64_t queue = std::stoll(sql("select id from edged.queues where name = 'work'")[0]);
  const auto release = [&] {
    const auto released = run_awaitable(io_, store.release_due(queue));
    return released ? released->count : -1;
  };
  EXPECT_EQ(release(), 0);
  sql("select edged.queue_send('work', '1', delay => '1 s', sent_at => now() - interval '1 day')");
  int looks = 0;
  while (release() == 0 && ++looks < 100) clock.advance(1s);
  EXPECT_LE(looks, 60);
}

}  // namespace
}  // namespace edged::queue
