// SPDX-License-Identifier: Apache-2.0
// The section "upstream" of a configuration.
#include "tests/tools/config_fixture.h"

namespace edged::config {
namespace {

TEST_F(ConfigTest, ReadsWhereThingsAreInAnAnswer) {
  const std::string basics =
      R"({ "postgres": { "url": "p" }, "worker": { "cron_secret": "s" }, "upstream": )";
  const Loaded loaded = load(basics + R"({ "type": "json", "url": "http://u/{term}/{class_nbr}",
      "fields": { "list": "/l", "class_nbr": "/n", "term": "/t", "subject": "/s", "catalog_nbr": "/c",
                  "title": "/ti", "instructor": "/i", "location": "/lo", "meeting_times": "/a /b",
                  "seats_available": "/x", "seats_capacity": "/y", "seats_taken": "/z",
                  "non_reserved_seats": "/r" } } })");
  ASSERT_EQ(complaints(loaded), "");
  EXPECT_EQ(loaded.config.upstream.fields.list, "/l");
  EXPECT_EQ(loaded.config.upstream.fields.meeting_times, "/a /b");
  EXPECT_EQ(loaded.config.upstream.fields.non_reserved_seats, "/r");
  const std::string without =
      complaints(load(basics + R"({ "type": "json", "url": "http://u/{term}" } })"));
  EXPECT_NE(
      without.find("upstream.fields: needs seats_available, or seats_capacity and seats_taken"),
      std::string::npos)
      << without;
  const std::string wrong = complaints(load(
      basics +
      R"({ "type": "json", "url": "http://u/{nbr}", "fields": { "seats_available": "/s" } } })"));
  EXPECT_NE(wrong.find("upstream.url: may hold {class_nbr} and {term} in braces"),
            std::string::npos)
      << wrong;
}

}  // namespace
}  // namespace edged::config
