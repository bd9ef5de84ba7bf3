// SPDX-License-Identifier: Apache-2.0
// The data of a notification's mail, as it stands in the queue.
#include "worker/class_monitor/notification_facts.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace edged::class_monitor {
namespace {

// With `fields` besides those that every notification has.
boost::json::object data(const std::string& fields) {
  const std::string text =
      R"({"type":"seat_available","class_nbr":"12431","term":"2261","checked_at":"2026-11-24T14:33:35.123Z")" +
      (fields.empty() ? "" : "," + fields) + "}";
  return boost::json::parse(text).as_object();
}

TEST(NotificationFactsTest, ReadsEveryFact) {
  const auto read = read_facts(
      data(R"("subject":"CSE","catalog_nbr":"110","title":"Programming","instructor":"Ada",)"
           R"("location":"COOR 170","meeting_times":"MW 9:00","seats_available":3,)"
           R"("seats_capacity":30,"non_reserved_seats":2,"include_reserved_seats":true)"));
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_EQ(read->type, NotificationType::kSeatAvailable);
  EXPECT_EQ(read->class_nbr, "12431");
  EXPECT_EQ(read->term, "2261");
  EXPECT_EQ(read->subject, "CSE");
  EXPECT_EQ(read->catalog_nbr, "110");
  EXPECT_EQ(read->title, "Programming");
  EXPECT_EQ(read->instructor, "Ada");
  EXPECT_EQ(read->location, "COOR 170");
  EXPECT_EQ(read->meeting_times, "MW 9:00");
  EXPECT_EQ(read->seats_available, 3);
  EXPECT_EQ(read->seats_capacity, 30);
  EXPECT_EQ(read->non_reserved_seats, 2);
  EXPECT_TRUE(read->include_reserved_seats);
  EXPECT_EQ(format_rfc3339(read->checked_at), "2026-11-24T14:33:35.123Z");
}

TEST(NotificationFactsTest, AbsentAndNullFactsAreUnknown) {
  const auto read = read_facts(data(R"("title":null,"seats_available":null)"));
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_EQ(read->title, std::nullopt);
  EXPECT_EQ(read->instructor, std::nullopt);
  EXPECT_EQ(read->seats_available, std::nullopt);
  EXPECT_FALSE(read->include_reserved_seats);
}

TEST(NotificationFactsTest, RefusesWrongValues) {
  for (const char* fields : {R"("title":5)",
                             R"("seats_available":"3")",
                             R"("seats_capacity":1.5)",
                             R"("location":["a"])"}) {
    EXPECT_EQ(read_facts(data(fields)).code(), Code::kInvalidArgument) << fields;
  }
}

TEST(NotificationFactsTest, RefusesWhatLacksAKey) {
  for (const char* key : {"type", "class_nbr", "term", "checked_at"}) {
    boost::json::object without = data("");
    without.erase(key);
    EXPECT_EQ(read_facts(without).code(), Code::kInvalidArgument) << key;
    for (const boost::json::value& wrong : {boost::json::value(17), boost::json::value(nullptr)}) {
      boost::json::object other = data("");
      other[key] = wrong;
      EXPECT_EQ(read_facts(other).code(), Code::kInvalidArgument) << key;
    }
  }
  boost::json::object weather = data("");
  weather["type"] = "weather";
  EXPECT_EQ(read_facts(weather).code(), Code::kInvalidArgument);
  weather["type"] = "seat_available";
  weather["checked_at"] = "yesterday";
  EXPECT_EQ(read_facts(weather).code(), Code::kInvalidArgument);
}

TEST(NotificationTypeTest, NamesRoundTrip) {
  for (const auto type :
       {NotificationType::kSeatAvailable, NotificationType::kInstructorAssigned}) {
    EXPECT_EQ(parse_notification_type(notification_type_name(type)), type);
  }
  EXPECT_FALSE(parse_notification_type("Seat_available"));
}

}  // namespace
}  // namespace edged::class_monitor
