// SPDX-License-Identifier: Apache-2.0
// What render_message promises beyond what a parser sees: stable bytes, and refusals.
#include "worker/class_monitor/notification.h"

#include <gtest/gtest.h>

#include "tests/worker/class_monitor/sample_facts.h"

namespace edged::mail {
namespace {

std::string content_of(const MailFacts& facts) {
  const auto message = render_message(facts, sample_identity());
  EXPECT_TRUE(message);
  return message ? message->content : std::string();
}

TEST(RenderMessageTest, SameFactsGiveSameBytes) {
  EXPECT_EQ(content_of(sample_facts()), content_of(sample_facts()));
}

TEST(RenderMessageTest, NamesTheEnvelope) {
  const auto message = render_message(sample_facts(), sample_identity());
  ASSERT_TRUE(message);
  EXPECT_EQ(message->message_id,
            "6f1c2e4a-0000-4000-8000-000000000001.seat_available.42@example.org");
  EXPECT_EQ(message->sender, "notify@example.org");
  EXPECT_EQ(message->recipient, "student@example.edu");
}

TEST(RenderMessageTest, SaysSeatsAsKnown) {
  const struct {
    std::optional<std::int64_t> available, capacity, open;
    std::string expected;  // empty: no line
  } cases[] = {
      {3, 120, std::nullopt, "3 open of 120\r\n"},
      {3, std::nullopt, std::nullopt, "3 open\r\n"},
      {3, 0, std::nullopt, "3 open\r\n"},
      {-2, 120, std::nullopt, "0 open of 120\r\n"},
      {5, 120, 2, "2 open of 120 (not reserved; 5 with reserved seats)\r\n"},
      {2, 120, 2, "2 open of 120 (not reserved)\r\n"},
      {std::nullopt, std::nullopt, 2, "2 open (not reserved)\r\n"},
      {std::nullopt, 120, std::nullopt, ""},
  };
  for (const auto& c : cases) {
    MailFacts facts = sample_facts();
    facts.seats_available = c.available;
    facts.seats_capacity = c.capacity;
    facts.non_reserved_seats = c.open;
    const std::string content = content_of(facts);
    if (c.expected.empty()) {
      EXPECT_EQ(content.find("Seats:"), std::string::npos);
    } else {
      EXPECT_NE(content.find("Seats:       " + c.expected), std::string::npos) << content;
    }
  }
}

TEST(RenderMessageTest, CountsReservedSeatsForAWatchThatWantsThem) {
  MailFacts facts = sample_facts();
  facts.include_reserved_seats = true;
  facts.seats_available = 5;
  facts.non_reserved_seats = 0;
  EXPECT_NE(content_of(facts).find("Seats:       5 open of 120 (0 not reserved)\r\n"),
            std::string::npos);
  facts.non_reserved_seats.reset();
  EXPECT_NE(content_of(facts).find("Seats:       5 open of 120\r\n"), std::string::npos);
  facts.seats_available.reset();
  facts.non_reserved_seats = 2;
  EXPECT_NE(content_of(facts).find("Seats:       2 open of 120 (not reserved)\r\n"),
            std::string::npos);
}

TEST(RenderMessageTest, BlankInstructorIsNotAssigned) {
  MailFacts facts = sample_facts();
  facts.instructor = "";
  EXPECT_NE(content_of(facts).find("not assigned yet"), std::string::npos);
}

TEST(RenderMessageTest, LinksOnlyHttp) {
  MailIdentity identity = sample_identity();
  identity.public_url = "javascript:alert(1)";
  const auto message = render_message(sample_facts(), identity);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->content.find("javascript"), std::string::npos);
}

TEST(RenderMessageTest, RefusesUnusableAddressesAndIds) {
  for (const char* recipient : {"", "nobody", "a@b\r\nBcc: c@d", "a@b\nc"}) {
    MailFacts facts = sample_facts();
    facts.recipient = recipient;
    EXPECT_EQ(render_message(facts, sample_identity()).code(), Code::kInvalidArgument) << recipient;
  }
  for (const std::string& id : {std::string(),
                                std::string("a b"),
                                std::string("a@b"),
                                std::string("a>\r\nX: y"),
                                std::string(".a"),
                                std::string("a..b"),
                                std::string(201, 'a')}) {
    MailFacts facts = sample_facts();
    facts.notification_id = id;
    EXPECT_EQ(render_message(facts, sample_identity()).code(), Code::kInvalidArgument) << id;
  }
  MailIdentity identity = sample_identity();
  identity.from = "PickMyClass";
  EXPECT_EQ(render_message(sample_facts(), identity).code(), Code::kInvalidArgument);
}

TEST(NotificationTypeTest, NamesRoundTrip) {
  for (const auto type :
       {NotificationType::kSeatAvailable, NotificationType::kInstructorAssigned}) {
    EXPECT_EQ(parse_notification_type(notification_type_name(type)), type);
  }
  EXPECT_FALSE(parse_notification_type("Seat_available"));
}

}  // namespace
}  // namespace edged::mail
