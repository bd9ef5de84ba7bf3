// SPDX-License-Identifier: Apache-2.0
// Facts of a mail as they stand in the outbox.
#include "worker/class_monitor/outbox_row.h"

#include <gtest/gtest.h>

namespace edged::mail {
namespace {

OutboxRow with_facts(std::string facts) {
  OutboxRow row;
  row.notification_id = "w.seat_available.7";
  row.notification_type = "seat_available";
  row.class_nbr = "12431";
  row.term = "2261";
  row.recipient = "student@example.edu";
  row.facts = std::move(facts);
  row.created_at = from_unix_ms(1000);
  return row;
}

TEST(OutboxRowTest, ReadsEveryFact) {
  const Result<MailFacts> read = read_facts(with_facts(
      R"({"subject":"CSE","catalog_nbr":"110","title":"Programming","instructor":"Ada",)"
      R"("location":"COOR 170","meeting_times":"MW 9:00","seats_available":3,"seats_capacity":30,)"
      R"("non_reserved_seats":2,"checked_at":"2026-11-24T14:33:35.123Z"})"));
  ASSERT_TRUE(read) << read.error().to_string();
  const MailFacts& facts = read.value();
  EXPECT_EQ(facts.notification_id, "w.seat_available.7");
  EXPECT_EQ(facts.type, NotificationType::kSeatAvailable);
  EXPECT_EQ(facts.recipient, "student@example.edu");
  EXPECT_EQ(facts.subject, "CSE");
  EXPECT_EQ(facts.catalog_nbr, "110");
  EXPECT_EQ(facts.title, "Programming");
  EXPECT_EQ(facts.instructor, "Ada");
  EXPECT_EQ(facts.location, "COOR 170");
  EXPECT_EQ(facts.meeting_times, "MW 9:00");
  EXPECT_EQ(facts.seats_available, 3);
  EXPECT_EQ(facts.seats_capacity, 30);
  EXPECT_EQ(facts.non_reserved_seats, 2);
  EXPECT_EQ(format_rfc3339(facts.checked_at), "2026-11-24T14:33:35.123Z");
  EXPECT_EQ(facts.created_at, from_unix_ms(1000));
}

TEST(OutboxRowTest, AbsentAndNullFactsAreUnknown) {
  const Result<MailFacts> read = read_facts(
      with_facts(R"({"title":null,"seats_available":null,"checked_at":"2026-11-24T14:33:35Z"})"));
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_EQ(read.value().title, std::nullopt);
  EXPECT_EQ(read.value().seats_available, std::nullopt);
}

TEST(OutboxRowTest, RefusesWhatItCannotRead) {
  const char* const cases[] = {"",
                               "[]",
                               "{",
                               "{}",
                               R"({"checked_at":"yesterday"})",
                               R"({"checked_at":17})",
                               R"({"title":5,"checked_at":"2026-11-24T14:33:35Z"})",
                               R"({"seats_available":"3","checked_at":"2026-11-24T14:33:35Z"})"};
  for (const char* facts : cases) {
    EXPECT_EQ(read_facts(with_facts(facts)).code(), Code::kInvalidArgument) << facts;
  }
  OutboxRow row = with_facts(R"({"checked_at":"2026-11-24T14:33:35Z"})");
  row.notification_type = "weather";
  EXPECT_EQ(read_facts(row).code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace edged::mail
