// SPDX-License-Identifier: Apache-2.0
// May a notification still be mailed? Profiles, removed watches, late mails.
#include "tests/worker/class_monitor/seat_letters_fixture.h"

namespace edged::class_monitor {
namespace {

const Seats kOpen{3, std::nullopt};
const Seats kClosed{0, std::nullopt};

TEST_F(SeatLettersTest, AsksTheProfileOnceMoreBeforeSending) {
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
    EXPECT_EQ(deliver().dropped, 1U);
    EXPECT_EQ(outcome(id), std::string("dropped/") + test.reason);
  }
  EXPECT_TRUE(transport_.messages.empty());
  EXPECT_EQ(claims(), "4");
  const std::string id = add_mail();
  set_profile("notifications_enabled", true);
  EXPECT_EQ(deliver().sent, 1U);
  EXPECT_EQ(outcome(id), "sent/");
}

TEST_F(SeatLettersTest, RemovedWatchIsNotMailed) {
  const std::string id = add_mail();
  query("delete from public.class_watches");
  EXPECT_EQ(deliver().dropped, 1U);
  EXPECT_EQ(outcome(id), "dropped/the watch was removed");
}

TEST_F(SeatLettersTest, MailInTimeIsNotJudgedAgain) {
  add_mail();
  set_state(0, "null", now());
  upstream_says(kClosed);
  clock_.advance(30min);
  EXPECT_EQ(deliver().sent, 1U);
  EXPECT_TRUE(questions_.empty());
}

TEST_F(SeatLettersTest, LateMailOfAnOpenSectionIsSent) {
  add_mail();
  clock_.advance(31min);
  set_state(2, "null", now());
  upstream_says(kClosed);
  EXPECT_EQ(deliver().sent, 1U);
  EXPECT_TRUE(questions_.empty());
}

TEST_F(SeatLettersTest, LateMailOfAClosedSectionReleasesItsClaim) {
  const struct {
    int seats;
    const char* non_reserved;
  } cases[] = {{0, "null"}, {5, "0"}, {5, "-1"}};
  for (const auto& test : cases) {
    const std::string id = add_mail();
    clock_.advance(31min);
    query("delete from public.class_states");
    set_state(test.seats, test.non_reserved, now());
    EXPECT_EQ(deliver().dropped, 1U);
    EXPECT_EQ(outcome(id), "dropped/closed again before sending");
    EXPECT_EQ(claims(), "0");
  }
  EXPECT_TRUE(transport_.messages.empty());
}

TEST_F(SeatLettersTest, LateMailOfAWatchThatCountsReservedSeats) {
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
    const Delivered counts = deliver();
    EXPECT_EQ(counts.sent, test.open ? 1U : 0U) << test.seats;
    EXPECT_EQ(counts.dropped, test.open ? 0U : 1U) << test.seats;
  }
  query("delete from public.class_states");
  add_mail();
  query("update public.class_watches set include_reserved_seats = true");
  clock_.advance(31min);
  upstream_says(kOpen);
  EXPECT_EQ(deliver().sent, 1U);
  EXPECT_THAT(questions_, ElementsAre("12431@2261"));
}

TEST_F(SeatLettersTest, LaterMailOfTheSameWatchKeepsTheClaim) {
  const std::string id = add_mail();
  clock_.advance(1ms);
  const std::string later = notify(id.substr(0, id.find('.')));
  query(
      "update edged.queue_messages set body = body || '{\"valid_until\":\"2100-01-01T00:00:00Z\"}' "
      "where unique_key = '" +
      later + "'");
  query("update edged.notifications set valid_until = '2100-01-01' where notification_id = '" +
        later + "'");
  clock_.advance(31min);
  set_state(0, "null", now());
  const Delivered counts = deliver();
  EXPECT_EQ(counts.dropped, 1U);
  EXPECT_EQ(counts.sent, 1U);
  EXPECT_EQ(outcome(id), "dropped/closed again before sending");
  EXPECT_EQ(claims(), "1");
}

TEST_F(SeatLettersTest, RecentCheckOfTheSectionCountsAsARecentState) {
  add_mail();
  set_state(2, "null", now());
  clock_.advance(31min);
  query("insert into edged.section_checks values ('12431', 5, " + now() + " - interval '9 min')");
  upstream_says(kClosed);
  EXPECT_EQ(deliver().sent, 1U);
  EXPECT_TRUE(questions_.empty());
}

TEST_F(SeatLettersTest, LateInstructorMailIsStillTrue) {
  MailRow mail;
  mail.type = "instructor_assigned";
  add_mail(mail);
  clock_.advance(31min);
  set_state(0, "null", now());
  EXPECT_EQ(deliver().sent, 1U);
}

}  // namespace
}  // namespace edged::class_monitor
