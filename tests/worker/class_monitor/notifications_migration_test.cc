// SPDX-License-Identifier: Apache-2.0
// The rows of the old table edged.mails after 0007_notifications.sql, and that those still to be
// sent are sent.
#include "tests/worker/class_monitor/seat_letters_fixture.h"

namespace edged::class_monitor {
namespace {

constexpr const char* kWatch = "6b7c3f9e-3f0b-4c5e-9a51-0123456789ab";

std::vector<db::Migration> migrations_before() {
  std::vector<db::Migration> all = db::embedded_migrations();
  std::erase_if(all, [](const db::Migration& one) { return one.version >= 7; });
  return all;
}

class NotificationsMigrationTest : public SeatLettersTest {
 protected:
  // With the database as it was before.
  NotificationsMigrationTest() : SeatLettersTest(migrations_before()) {
    query(std::string("with u as (insert into auth.users (email) values ('a@example.edu') "
                      "returning id) insert into public.class_watches (id, user_id, term, subject, "
                      "catalog_nbr, class_nbr) select '") +
          kWatch + "', id, '2261', 'CSE', '110', '12431' from u");
  }

  void add_row(const std::string& key, const std::string& columns, const std::string& values) {
    query(
        "insert into edged.mails (notification_id, run_id, class_watch_id, user_id, "
        "notification_type, class_nbr, term, recipient, facts, next_attempt_at, valid_until, "
        "created_at" +
        columns + ") select '" + key +
        "', 5, id, user_id, 'seat_available', '12431', '2261', 'a@example.edu', "
        "'{\"checked_at\":\"2026-01-01T00:00:00Z\",\"seats_available\":3}', " +
        now() + ", " + now() + " + interval '30 min', " + now() + values +
        " from public.class_watches");
  }

  void migrate() {
    db::MigrateOptions schema;
    schema.url = cluster_.url(database_);
    const auto migrated = run_awaitable(io_, db::migrate(io_.get_executor(), schema));
    ASSERT_TRUE(migrated) << migrated.error().to_string();
  }
};

TEST_F(NotificationsMigrationTest, WhatWaitedIsSentUnderTheSameKey) {
  add_row("w.seat_available.1", "", "");
  add_row("w.seat_available.2",
          ", status, attempts, lease_until",
          ", 'sending', 3, " + now() + " + interval '30 s'");
  migrate();
  EXPECT_EQ(outcome("w.seat_available.1"), "pending/");
  EXPECT_EQ(outcome("w.seat_available.2"), "pending/");
  EXPECT_EQ(deliver().sent, 1U);
  ASSERT_EQ(transport_.messages.size(), 1U);
  EXPECT_EQ(transport_.messages[0].message_id, "w.seat_available.1@example.org");
  EXPECT_EQ(transport_.messages[0].recipient, "a@example.edu");
  // A worker may have been sending this one when it was stopped.
  clock_.advance(30s);
  EXPECT_EQ(deliver().sent, 1U);
  EXPECT_EQ(transport_.messages[1].message_id, "w.seat_available.2@example.org");
  EXPECT_EQ(transport_.attempts[1], mail::Attempt::kRepeated);
}

TEST_F(NotificationsMigrationTest, WhatIsOverStaysAsRecord) {
  add_row("w.seat_available.1", ", status, attempts, finished_at", ", 'sent', 1, " + now());
  add_row("w.seat_available.2",
          ", status, reason, finished_at",
          ", 'dropped', 'closed again before sending', " + now());
  add_row("w.seat_available.3", ", status, reason, finished_at", ", 'dead', '550 no', " + now());
  add_row("w.seat_available.4",
          ", status, reason, claimed, finished_at",
          ", 'dropped', 'the address bounced', false, " + now());
  migrate();
  EXPECT_EQ(outcome("w.seat_available.1"), "sent/");
  EXPECT_EQ(outcome("w.seat_available.2"), "dropped/closed again before sending");
  EXPECT_EQ(outcome("w.seat_available.3"), "dead/550 no");
  EXPECT_EQ(outcome("w.seat_available.4"), "dropped/the address bounced");
  EXPECT_EQ(value("select count(*) || '/' || count(message_id) from edged.notifications"), "4/3");
  EXPECT_EQ(value("select count(*) from edged.queue_messages"), "0");
  EXPECT_EQ(deliver().sent, 0U);
}

// The claim of a late mail stays if a later one stands for it: the order is kept.
TEST_F(NotificationsMigrationTest, TheOrderOfMailsIsKept) {
  for (int i = 1; i <= 20; ++i) add_row("w.seat_available." + std::to_string(i), "", "");
  migrate();
  EXPECT_EQ(value("select string_agg(split_part(notification_id, '.', 3), ' ' order by message_id) "
                  "from edged.notifications"),
            "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20");
  EXPECT_EQ(deliver().sent, 20U);
}

}  // namespace
}  // namespace edged::class_monitor
