// SPDX-License-Identifier: Apache-2.0
// Delivery from the outbox: may this mail still be sent? Profiles, removed watches, late mails.
#include "tests/worker/class_monitor/outbox_fixture.h"

namespace edged::mail {
namespace {

const Seats kOpen{3, std::nullopt};
const Seats kClosed{0, std::nullopt};

TEST_F(OutboxDeliveryTest, AsksTheProfileOnceMoreBeforeSending) {
  const struct {
    const char* column;
    bool on;
    const char* reason;
  } cases[] = {{"is_disabled", true, "the account is disabled"},
               {"notifications_enabled", false, "notifications are switched off"},
               {"email_bounced", true, "the address bounced"},
               {"spam_complained", true, "the user complained of spam"}};
  for (const auto& test : cases) {
    const std::string id = add_mail();
    set_profile(test.column, test.on);
    EXPECT_EQ(deliver().dropped, 1);
    EXPECT_EQ(outcome(id), std::string("dropped/") + test.reason + "/1");
  }
  EXPECT_TRUE(transport_.messages.empty());
  EXPECT_EQ(claims(), "4");
  const std::string id = add_mail();
  set_profile("notifications_enabled", true);
  EXPECT_EQ(deliver().sent, 1);
  EXPECT_EQ(outcome(id), "sent//1");
}

TEST_F(OutboxDeliveryTest, RemovedWatchIsNotMailed) {
  const std::string id = add_mail();
  query("delete from public.class_watches");
  EXPECT_EQ(deliver().dropped, 1);
  EXPECT_EQ(outcome(id), "dropped/the watch was removed/1");
}

TEST_F(OutboxDeliveryTest, MailInTimeIsNotJudgedAgain) {
  add_mail();
  set_state(0, "null", now());
  upstream_says(kClosed);
  clock_.advance(30min);
  EXPECT_EQ(deliver().sent, 1);
  EXPECT_TRUE(questions_.empty());
}

TEST_F(OutboxDeliveryTest, LateMailOfAnOpenSectionIsSent) {
  add_mail();
  clock_.advance(31min);
  set_state(2, "null", now());
  upstream_says(kClosed);
  EXPECT_EQ(deliver().sent, 1);
  EXPECT_TRUE(questions_.empty());
}

TEST_F(OutboxDeliveryTest, LateMailOfAClosedSectionReleasesItsClaim) {
  const struct {
    int seats;
    const char* non_reserved;
  } cases[] = {{0, "null"}, {5, "0"}, {5, "-1"}};
  for (const auto& test : cases) {
    const std::string id = add_mail();
    clock_.advance(31min);
    query("delete from public.class_states");
    set_state(test.seats, test.non_reserved, now());
    EXPECT_EQ(deliver().dropped, 1);
    EXPECT_EQ(outcome(id), "dropped/closed again before sending/1");
    EXPECT_EQ(claims(), "0");
  }
  EXPECT_TRUE(transport_.messages.empty());
}

TEST_F(OutboxDeliveryTest, LateMailOfAWatchThatCountsReservedSeats) {
  const struct {
    int seats;
    const char* non_reserved;
    bool open;
  } cases[] = {{5, "0", true}, {0, "0", false}, {2, "null", true}};
  for (const auto& test : cases) {
    const std::string id = add_mail();
    query("update public.class_watches set include_reserved_seats = true");
    clock_.advance(31min);
    query("delete from public.class_states");
    set_state(test.seats, test.non_reserved, now());
    const OutboxCounts counts = deliver();
    EXPECT_EQ(counts.sent, test.open ? 1 : 0) << test.seats;
    EXPECT_EQ(counts.dropped, test.open ? 0 : 1) << test.seats;
  }
  query("delete from public.class_states");
  add_mail();
  query("update public.class_watches set include_reserved_seats = true");
  clock_.advance(31min);
  upstream_says(kOpen);
  EXPECT_EQ(deliver().sent, 1);
  EXPECT_THAT(questions_, ElementsAre("12431@2261"));
}

TEST_F(OutboxDeliveryTest, LaterMailOfTheSameWatchKeepsTheClaim) {
  const std::string id = add_mail();
  query(
      "insert into edged.mails (notification_id, run_id, class_watch_id, user_id, "
      "notification_type, class_nbr, "
      "term, recipient, facts, next_attempt_at, valid_until, created_at) select notification_id || "
      "'x', 78, "
      "class_watch_id, user_id, notification_type, class_nbr, term, recipient, facts, "
      "next_attempt_at + "
      "interval '1 day', valid_until + interval '1 day', created_at from edged.mails");
  clock_.advance(31min);
  set_state(0, "null", now());
  EXPECT_EQ(deliver().dropped, 1);
  EXPECT_EQ(outcome(id), "dropped/closed again before sending/1");
  EXPECT_EQ(claims(), "1");
}

TEST_F(OutboxDeliveryTest, RecentCheckOfTheSectionCountsAsARecentState) {
  add_mail();
  set_state(2, "null", now());
  clock_.advance(31min);
  query("insert into edged.section_checks values ('12431', 5, " + now() + " - interval '9 min')");
  upstream_says(kClosed);
  EXPECT_EQ(deliver().sent, 1);
  EXPECT_TRUE(questions_.empty());
}

TEST_F(OutboxDeliveryTest, LateInstructorMailIsStillTrue) {
  MailRow mail;
  mail.type = "instructor_assigned";
  add_mail(mail);
  clock_.advance(31min);
  set_state(0, "null", now());
  EXPECT_EQ(deliver().sent, 1);
}

}  // namespace
}  // namespace edged::mail
