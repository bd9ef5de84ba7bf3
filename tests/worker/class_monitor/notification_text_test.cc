// SPDX-License-Identifier: Apache-2.0
// What a notification says: only what is known, in the reader's time zone, and nothing that could
// break out of a line or of HTML.
#include "worker/class_monitor/notification_text.h"

#include <gmock/gmock.h>

#include "tests/worker/class_monitor/notification_samples.h"

namespace edged::class_monitor {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kUrl = "https://pickmyclass.example";

NotificationText words(const NotificationFacts& facts, const std::string& url = kUrl) {
  return word_notification(facts, url, worker::TimeZone());
}

std::string line(const NotificationText& text, const std::string& label) {
  for (const FactLine& one : text.lines) {
    if (one.label == label) return one.value;
  }
  return {};
}

TEST(NotificationTextTest, SameFactsGiveSameBytes) {
  const NotificationText one = words(usual_facts()), other = words(usual_facts());
  EXPECT_EQ(one.subject, other.subject);
  EXPECT_EQ(text_part(one), text_part(other));
  EXPECT_EQ(html_part(one), html_part(other));
}

TEST(NotificationTextTest, SaysEveryKnownFact) {
  const NotificationText text = words(usual_facts());
  EXPECT_EQ(text.subject, "Seat open: CSE 310 (12431): Data Structures");
  EXPECT_EQ(text_part(text),
            "A seat is open in CSE 310 (12431): Data Structures.\n"
            "\n"
            "Course:      CSE 310\n"
            "Title:       Data Structures\n"
            "Section:     12431\n"
            "Term:        2261\n"
            "Seats:       3 open of 120\n"
            "Instructor:  Jane Doe\n"
            "Time:        MW 9:00-10:15\n"
            "Place:       BYAC 110\n"
            "Checked:     Tue 25 Nov 2025, 14:33 UTC\n"
            "\n"
            "You get this mail because you watch this section.\n"
            "Your watches: https://pickmyclass.example\n");
  for (const FactLine& one : text.lines) {
    EXPECT_THAT(html_part(text), HasSubstr(">" + one.value + "<")) << one.label;
  }
  EXPECT_THAT(html_part(text), HasSubstr("href=\"https://pickmyclass.example\""));
}

TEST(NotificationTextTest, SaysAnInstructor) {
  NotificationFacts facts = usual_facts();
  facts.type = NotificationType::kInstructorAssigned;
  const NotificationText text = words(facts);
  EXPECT_EQ(text.subject, "Instructor assigned: CSE 310 (12431): Data Structures");
  EXPECT_EQ(text.lead, "An instructor is now assigned to CSE 310 (12431): Data Structures.");
  EXPECT_EQ(text.summary, "Jane Doe");
}

TEST(NotificationTextTest, LeavesUnknownFactsOut) {
  NotificationFacts facts;
  facts.class_nbr = "12431";
  facts.term = "2261";
  const NotificationText text = words(facts, "");
  EXPECT_EQ(text.subject, "Seat open: Section 12431");
  EXPECT_EQ(text.lines.size(), 3u);  // section, term, checked
  EXPECT_THAT(html_part(text), Not(HasSubstr("href")));
}

TEST(NotificationTextTest, SaysSeatsAsKnown) {
  const struct {
    std::optional<std::int64_t> available, capacity, open;
    const char* expected;  // empty: no line
  } cases[] = {
      {3, 120, std::nullopt, "3 open of 120"},
      {3, std::nullopt, std::nullopt, "3 open"},
      {3, 0, std::nullopt, "3 open"},
      {-2, 120, std::nullopt, "0 open of 120"},
      {5, 120, 2, "2 open of 120 (not reserved; 5 with reserved seats)"},
      {2, 120, 2, "2 open of 120 (not reserved)"},
      {std::nullopt, std::nullopt, 2, "2 open (not reserved)"},
      {std::nullopt, 120, std::nullopt, ""},
  };
  for (const auto& c : cases) {
    NotificationFacts facts = usual_facts();
    facts.seats_available = c.available;
    facts.seats_capacity = c.capacity;
    facts.non_reserved_seats = c.open;
    EXPECT_EQ(line(words(facts), "Seats"), c.expected);
  }
}

TEST(NotificationTextTest, CountsReservedSeatsForAWatchThatWantsThem) {
  NotificationFacts facts = usual_facts();
  facts.include_reserved_seats = true;
  facts.seats_available = 5;
  facts.non_reserved_seats = 0;
  EXPECT_EQ(line(words(facts), "Seats"), "5 open of 120 (0 not reserved)");
  facts.non_reserved_seats.reset();
  EXPECT_EQ(line(words(facts), "Seats"), "5 open of 120");
  facts.seats_available.reset();
  facts.non_reserved_seats = 2;
  EXPECT_EQ(line(words(facts), "Seats"), "2 open of 120 (not reserved)");
}

TEST(NotificationTextTest, BlankInstructorIsNotAssigned) {
  NotificationFacts facts = usual_facts();
  facts.instructor = " ";
  EXPECT_EQ(line(words(facts), "Instructor"), "not assigned yet");
}

TEST(NotificationTextTest, TellsTimesOfTheZone) {
  const auto phoenix = worker::TimeZone::load("America/Phoenix");
  const auto kathmandu = worker::TimeZone::load("Asia/Kathmandu");
  ASSERT_TRUE(phoenix && kathmandu);
  NotificationFacts facts = usual_facts();
  EXPECT_EQ(line(word_notification(facts, kUrl, *phoenix), "Checked"),
            "Tue 25 Nov 2025, 07:33 MST");
  EXPECT_EQ(line(word_notification(facts, kUrl, *kathmandu), "Checked"),
            "Tue 25 Nov 2025, 20:18 UTC+0545");
  facts.checked_at = from_unix_ms(1'764'115'200'000);  // 2025-11-26T00:00:00Z
  EXPECT_EQ(line(word_notification(facts, kUrl, *phoenix), "Checked"),
            "Tue 25 Nov 2025, 17:00 MST");
}

TEST(NotificationTextTest, LinksOnlyHttp) {
  for (const char* url : {"javascript:alert(1)", "ftp://a.example", "", "pickmyclass.example"}) {
    const NotificationText text = words(usual_facts(), url);
    EXPECT_EQ(text.url, "");
    EXPECT_THAT(html_part(text), Not(HasSubstr("href"))) << url;
  }
  EXPECT_THAT(html_part(words(usual_facts(), "https://a.example/?a=1&b=\"2\"")),
              HasSubstr("href=\"https://a.example/?a=1&amp;b=&quot;2&quot;\""));
}

TEST(NotificationTextTest, HostileFactsStayText) {
  NotificationFacts facts = usual_facts();
  facts.title = "X\r\nBcc: a@b.example\n</table><script>alert(1)</script>";
  facts.class_nbr = "1\nSeats:       99 open";
  facts.location = std::string(5000, 'x');
  const NotificationText text = words(facts);
  EXPECT_EQ(text.subject.find_first_of("\r\n"), std::string::npos);
  for (const FactLine& one : text.lines) {
    EXPECT_EQ(one.value.find_first_of("\r\n"), std::string::npos) << one.label;
    EXPECT_LE(one.value.size(), 520u) << one.label;
  }
  EXPECT_THAT(html_part(text), Not(HasSubstr("<script")));
}

}  // namespace
}  // namespace edged::class_monitor
