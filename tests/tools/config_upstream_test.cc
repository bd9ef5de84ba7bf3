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

TEST_F(ConfigTest, SaysWhichFieldOfAnAnswerIsOfNoUse) {
  const std::string basics =
      R"({ "postgres": { "url": "p" }, "worker": { "cron_secret": "s" }, "upstream": )"
      R"({ "type": "json", "url": "http://u/{class_nbr}", "fields": )";
  const std::string seats = complaints(load(basics + R"({ "seats_available": "/a /b" } } })"));
  EXPECT_NE(seats.find("upstream.fields: seats_available takes one pointer"), std::string::npos)
      << seats;
  const std::string list = complaints(
      load(basics + R"({ "list": "/a /b", "class_nbr": "/n", "seats_available": "/a" } } })"));
  EXPECT_NE(list.find("upstream.fields: list takes one pointer"), std::string::npos) << list;
}

TEST_F(ConfigTest, ReadsTheWordsForNoSeatsAndForCancelled) {
  const std::string basics =
      R"({ "postgres": { "url": "p" }, "worker": { "cron_secret": "s" }, "upstream": { "url": "http://u", )";
  const Loaded scraper = load(basics + R"("zero_words": { "seats_available": ["Full", "Closed"],
      "non_reserved_seats": ["none"] } } })");
  ASSERT_EQ(complaints(scraper), "");
  EXPECT_EQ(scraper.config.upstream.zero_words.seats_available,
            (std::vector<std::string>{"Full", "Closed"}));
  const std::string json = basics + R"("type": "json", "fields": { "seats_available": "/a",
      "status": "/status" }, )";
  const Loaded cancelled = load(json + R"("cancelled_values": ["Cancelled", "X"] } })");
  ASSERT_EQ(complaints(cancelled), "");
  EXPECT_EQ(cancelled.config.upstream.cancelled_values,
            (std::vector<std::string>{"Cancelled", "X"}));
  EXPECT_EQ(cancelled.config.upstream.fields.status, "/status");
}

TEST_F(ConfigTest, RefusesWordsThatAreOfNoUse) {
  const std::string basics =
      R"({ "postgres": { "url": "p" }, "worker": { "cron_secret": "s" }, "upstream": { "url": "http://u", )";
  const std::string json = basics + R"("type": "json", "fields": { "seats_available": "/a" )";
  const struct {
    std::string text, complaint;
  } cases[] = {
      {basics + R"("zero_words": { "seats_available": [" "] })",
       "upstream.zero_words.seats_available: holds a blank word"},
      {basics + R"("zero_words": { "seats_available": ["12"] })",
       "upstream.zero_words.seats_available: holds the number \"12\""},
      {basics + R"("zero_words": { "seats_available": ["Full", " full "] })",
       "upstream.zero_words.seats_available: holds \" full \" twice"},
      {basics + R"("zero_words": { "seats_available": "Full" })", "expected an array"},
      {basics + R"("zero_words": { "seats": ["Full"] })", "seats_available"},
      {basics + R"("zero_words": ["Full"])", "expected an object"},
      {basics + R"("zero_words": { "seats_taken": ["Full"] })",
       "upstream.zero_words.seats_taken: needs upstream.type \"json\""},
      {json + R"(}, "zero_words": { "non_reserved_seats": ["Full"] })",
       "upstream.zero_words.non_reserved_seats: needs upstream.fields.non_reserved_seats"},
      {json + R"(}, "cancelled_values": ["Cancelled"])",
       "upstream.cancelled_values: needs upstream.fields.status"},
      {basics + R"("cancelled_values": ["Cancelled"])",
       "upstream.cancelled_values: needs upstream.type \"json\""},
      {json + R"(, "status": "/s" })", "upstream.fields.status: needs upstream.cancelled_values"},
      {json + R"(, "status": "/s /t" }, "cancelled_values": ["x"])",
       "upstream.fields: status takes one pointer"},
      {json + R"(, "status": "s" }, "cancelled_values": ["x"])", "is not a JSON pointer"},
      {json + R"(, "status": "/s" }, "cancelled_values": ["x", "X"])",
       "upstream.cancelled_values: holds \"X\" twice"},
  };
  for (const auto& c : cases) {
    const std::string found = complaints(load(c.text + " } }"));
    EXPECT_NE(found.find(c.complaint), std::string::npos) << c.text << "\n" << found;
  }
}

TEST_F(ConfigTest, ReadsHowTheUpstreamIsReached) {
  const std::string basics =
      R"({ "postgres": { "url": "p" }, "worker": { "cron_secret": "s" }, "upstream": { "url": "http://u", )";
  const std::string ca = write("ca.pem", "");
  const Loaded loaded =
      load(basics + R"("proxy": "socks5h://127.0.0.1:1080", "tls_ca": ")" + ca + R"(",
      "defaults": { "instructor": "Staff", "location": "" } } })");
  ASSERT_EQ(complaints(loaded), "");
  EXPECT_EQ(loaded.config.upstream.proxy, "socks5h://127.0.0.1:1080");
  EXPECT_EQ(loaded.config.upstream.tls_ca, ca);
  EXPECT_EQ(loaded.config.upstream.defaults.instructor, "Staff");
  EXPECT_EQ(loaded.config.upstream.defaults.location, "");
  EXPECT_FALSE(loaded.config.upstream.defaults.title);
  for (const char* wrong : {R"("proxy": "127.0.0.1:1080")",
                            R"("tls_ca": "/no/such/file")",
                            R"("defaults": { "seats_available": "3" })"}) {
    EXPECT_NE(complaints(load(basics + wrong + " } }")), "") << wrong;
  }
  const std::string unknown = complaints(load(basics + R"("defaults": { "seats": "3" } } })"));
  EXPECT_NE(unknown.find("instructor"), std::string::npos) << "names those there are: " << unknown;
}

TEST_F(ConfigTest, AMirrorBehindAPoolerNeedsAnAddressOfItsOwn) {
  const std::string text =
      R"({ "worker": { "cron_secret": "s" }, "upstream": { "url": "http://u" },
           "kv_namespaces": [ { "binding": "KV", "id": "0f2ac74b498b48028cb68387c421e279" } ],
           "postgres": { "url": "p", "session_state": false }, "mirror": { "mode": "logical", )";
  const std::string rules =
      R"("rules": [ { "table": "t", "key": "k:{a}", "value": { "row": true } } ] } })";
  EXPECT_NE(complaints(load(text + rules)).find("mirror.url: is missing"), std::string::npos);
  EXPECT_EQ(complaints(load(text + R"("url": "direct", )" + rules)), "");
}

}  // namespace
}  // namespace edged::config
