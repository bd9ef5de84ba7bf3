// SPDX-License-Identifier: Apache-2.0
// HTTP APIs of other shapes than the scraper's: a recorded answer of ASU's class search, one in the
// shape of Banner's, and answers that are of no use.
#include "worker/upstream/json_source.h"

#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <fstream>
#include <iterator>

#include "tests/support/run_awaitable.h"
#include "tests/support/scripted_http_server.h"

namespace edged::upstream {
namespace {

using test::ScriptedAnswer;
using test::ScriptedHttpServer;
using test::ScriptedRequest;

Result<SectionObservation> parse_json_answer(std::string_view body,
                                             const JsonFields& fields,
                                             const SectionKey& section,
                                             const JsonDefaults& defaults = {}) {
  return upstream::parse_json_answer(body, JsonReading{fields, defaults, {}}, section);
}

std::string recorded_answer() {
  std::ifstream file(EDGED_TEST_DATA "/asu_class_search.json");
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

JsonFields asu() {
  JsonFields fields;
  fields.list = "/classes";
  fields.class_nbr = "/CLAS/CLASSNBR";
  fields.term = "/CLAS/STRM";
  fields.subject = "/CLAS/SUBJECT";
  fields.catalog_nbr = "/CLAS/CATALOGNBR";
  fields.title = "/CLAS/COURSETITLELONG";
  fields.instructor = "/CLAS/INSTRUCTORSLIST";
  fields.location = "/LOCATIONBUILDING/0/NAME";
  fields.meeting_times = "/DAYLIST /CLAS/STARTTIMES /CLAS/ENDTIMES";
  fields.seats_capacity = "/seatInfo/ENRL_CAP";
  fields.seats_taken = "/seatInfo/ENRL_TOT";
  return fields;
}

TEST(JsonSourceTest, ReadsARecordedAnswerOfAsu) {
  const std::string body = recorded_answer();
  ASSERT_FALSE(body.empty());
  const auto open = parse_json_answer(body, asu(), {"66445", "2267"});
  ASSERT_TRUE(open) << open.error().to_string();
  EXPECT_EQ(open->subject, "CSE");
  EXPECT_EQ(open->catalog_nbr, "310");
  EXPECT_EQ(open->title, "Data Structures and Algorithms");
  EXPECT_EQ(open->instructor, "Nakul Gopalan");
  EXPECT_EQ(open->location, "Tempe - PSH153");
  EXPECT_EQ(open->meeting_times, "M W 4:30 PM 5:45 PM");
  EXPECT_EQ(open->seats_capacity, 150);
  EXPECT_EQ(open->seats_available, 69);
  EXPECT_FALSE(open->non_reserved_seats);
  const auto full = parse_json_answer(body, asu(), {"70380", "2267"});
  ASSERT_TRUE(full);
  EXPECT_EQ(full->seats_available, 0);
  const auto online = parse_json_answer(body, asu(), {"75092", "2267"});
  ASSERT_TRUE(online);
  EXPECT_FALSE(online->meeting_times) << "blank is unknown";
  EXPECT_EQ(parse_json_answer(body, asu(), {"66445", "2261"}).code(), Code::kNotFound);
  EXPECT_EQ(parse_json_answer(body, asu(), {"1", "2267"}).code(), Code::kNotFound);
}

TEST(JsonSourceTest, ReadsTheShapeOfBanner) {
  JsonFields fields;
  fields.list = "/data";
  fields.class_nbr = "/courseReferenceNumber";
  fields.term = "/term";
  fields.instructor = "/faculty/0/displayName";
  fields.seats_available = "/seatsAvailable";
  fields.seats_capacity = "/maximumEnrollment";
  fields.title = "/courseTitle";
  const std::string body =
      R"({"success":true,"totalCount":2,"data":[
          {"term":"202430","courseReferenceNumber":30443,"seatsAvailable":-2,"maximumEnrollment":28,
           "courseTitle":"Calculus","faculty":[]},
          {"term":202430,"courseReferenceNumber":"30444","seatsAvailable":1,"maximumEnrollment":28,
           "courseTitle":"Calculus","faculty":[{"displayName":"Doe, Jane","primaryIndicator":true}]}]})";
  const auto first = parse_json_answer(body, fields, {"30443", "202430"});
  ASSERT_TRUE(first) << first.error().to_string();
  EXPECT_EQ(first->seats_available, -2) << "judged by the monitor";
  EXPECT_FALSE(first->instructor);
  JsonDefaults defaults;
  defaults.instructor = "Staff";
  defaults.location = "online";
  const auto filled = parse_json_answer(body, fields, {"30443", "202430"}, defaults);
  ASSERT_TRUE(filled);
  EXPECT_EQ(filled->instructor, "Staff") << "so that an assignment can be seen";
  EXPECT_EQ(filled->location, "online");
  EXPECT_EQ(filled->title, "Calculus");
  const auto named = parse_json_answer(body, fields, {"30444", "202430"}, defaults);
  ASSERT_TRUE(named);
  EXPECT_EQ(named->instructor, "Doe, Jane");
  const auto second = parse_json_answer(body, fields, {"30444", "202430"});
  ASSERT_TRUE(second);
  EXPECT_EQ(second->instructor, "Doe, Jane");
  EXPECT_EQ(second->seats_available, 1);
}

TEST(JsonSourceTest, AnAnswerMayBeTheSection) {
  JsonFields fields;
  fields.seats_available = "/a~1b/free";
  fields.instructor = "/who";
  const auto seen = parse_json_answer(R"({"a/b":{"free":"7"},"who":[]})", fields, {"1", "2"});
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->seats_available, 7);
  EXPECT_EQ(seen->instructor, "") << "an empty list: nobody is assigned";
  for (const char* value : {"null", "\"x\"", "1.5", "{}", "99999999", "[1]", "true"}) {
    const std::string body = std::string(R"({"a/b":{"free":)") + value + "}}";
    const auto odd = parse_json_answer(body, fields, {"1", "2"});
    ASSERT_TRUE(odd) << value;
    EXPECT_FALSE(odd->seats_available) << value;
  }
}

// An answer of another shape must not look like a section whose instructor is not assigned yet.
TEST(JsonSourceTest, DefaultsAreForAnswersThatTellTheSeats) {
  JsonFields fields;
  fields.seats_available = "/seats";
  fields.title = "/title";
  fields.instructor = "/who";
  JsonDefaults defaults;
  defaults.instructor = "Staff";
  for (const char* body : {R"({"error":"busy"})", "{}", R"({"data":{"seats":3}})"}) {
    EXPECT_EQ(parse_json_answer(body, fields, {"1", "2"}, defaults).code(), Code::kCorruption)
        << body;
    EXPECT_EQ(parse_json_answer(body, fields, {"1", "2"}).code(), Code::kCorruption) << body;
  }
  for (const char* body :
       {R"({"seats":null})", R"({"seats":"soon","title":"Calculus"})", R"({"title":"Calculus"})"}) {
    const auto seen = parse_json_answer(body, fields, {"1", "2"}, defaults);
    ASSERT_TRUE(seen) << body;
    EXPECT_FALSE(seen->instructor) << body;
  }
  const auto told = parse_json_answer(R"({"seats":0})", fields, {"1", "2"}, defaults);
  ASSERT_TRUE(told);
  EXPECT_EQ(told->instructor, "Staff");
  fields.list = "/list";
  fields.class_nbr = "/nr";
  EXPECT_EQ(parse_json_answer(R"({"list":[{"nr":1,"error":"busy"}]})", fields, {"1", "2"}, defaults)
                .code(),
            Code::kCorruption);
}

TEST(JsonSourceTest, AWordForNoSeatsIsZero) {
  JsonReading reading;
  reading.fields.seats_available = "/a";
  reading.fields.seats_capacity = "/b";
  reading.fields.non_reserved_seats = "/c";
  reading.values.zero_words.seats_available = {"Full", "Closed", "Waitlist"};
  reading.values.zero_words.non_reserved_seats = {"none"};
  const auto seen =
      upstream::parse_json_answer(R"({"a":" FULL ","b":"Full","c":"None"})", reading, {"1", "2"});
  ASSERT_TRUE(seen) << seen.error().to_string();
  EXPECT_EQ(seen->seats_available, 0);
  EXPECT_EQ(seen->seats_capacity, std::nullopt) << "a word of another field";
  EXPECT_EQ(seen->non_reserved_seats, 0);
  const auto open =
      upstream::parse_json_answer(R"({"a":"3","b":30,"c":"Open"})", reading, {"1", "2"});
  ASSERT_TRUE(open);
  EXPECT_EQ(open->seats_available, 3);
  EXPECT_EQ(open->non_reserved_seats, std::nullopt) << "not a word that was named";
}

TEST(JsonSourceTest, SeatsTakenMayBeAWordToo) {
  JsonReading reading;
  reading.fields.seats_capacity = "/cap";
  reading.fields.seats_taken = "/taken";
  reading.values.zero_words.seats_taken = {"none"};
  const auto seen =
      upstream::parse_json_answer(R"({"cap":30,"taken":"None"})", reading, {"1", "2"});
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->seats_available, 30);
}

TEST(JsonSourceTest, ACancelledSectionHasNoSeatsAndTellsNoInstructor) {
  JsonReading reading;
  reading.fields.seats_available = "/seats";
  reading.fields.seats_capacity = "/cap";
  reading.fields.non_reserved_seats = "/free";
  reading.fields.instructor = "/who";
  reading.fields.title = "/title";
  reading.fields.status = "/status";
  reading.defaults.instructor = "Staff";
  reading.values.cancelled = {"Cancelled", "x", "7", "true"};
  const std::string rest = R"(,"seats":3,"cap":30,"free":2,"who":"Jane Doe","title":"T"})";
  for (const char* status :
       {R"("Cancelled")", R"(" CANCELLED ")", R"("X")", "7", "\"7\"", "true", R"(["Open","x"])"}) {
    const auto seen = upstream::parse_json_answer(
        R"({"status":)" + std::string(status) + rest, reading, {"1", "2"});
    ASSERT_TRUE(seen) << status;
    EXPECT_TRUE(seen->is_cancelled) << status;
    EXPECT_EQ(seen->seats_available, 0) << status;
    EXPECT_EQ(seen->seats_capacity, 30) << status;
    EXPECT_EQ(seen->non_reserved_seats, std::nullopt) << status;
    EXPECT_EQ(seen->instructor, std::nullopt) << status;
    EXPECT_EQ(seen->title, "T") << status;
  }
  for (const char* status :
       {"null", R"("Open")", "\"\"", "false", "70", "{}", "[]", R"([["x"]])"}) {
    const auto seen = upstream::parse_json_answer(
        R"({"status":)" + std::string(status) + rest, reading, {"1", "2"});
    ASSERT_TRUE(seen) << status;
    EXPECT_FALSE(seen->is_cancelled) << status;
    EXPECT_EQ(seen->seats_available, 3) << status;
    EXPECT_EQ(seen->instructor, "Jane Doe") << status;
  }
  const auto bare = upstream::parse_json_answer(R"({"status":"x"})", reading, {"1", "2"});
  ASSERT_TRUE(bare) << "the status alone tells all";
  EXPECT_EQ(bare->seats_available, 0);
  EXPECT_EQ(bare->instructor, std::nullopt);
}

TEST(JsonSourceTest, AnAnswerMayBeTheList) {
  JsonFields fields;
  fields.seats_available = "/seats";
  const std::string body = R"([{"nr":"1","seats":3},{"nr":"2","seats":4}])";
  const auto lost = parse_json_answer(body, fields, {"2", "x"});
  EXPECT_EQ(lost.code(), Code::kCorruption);
  EXPECT_NE(lost.error().message().find("fields.class_nbr"), std::string::npos)
      << lost.error().message();
  fields.class_nbr = "/nr";
  const auto seen = parse_json_answer(body, fields, {"2", "x"});
  ASSERT_TRUE(seen) << seen.error().to_string();
  EXPECT_EQ(seen->seats_available, 4);
  EXPECT_EQ(parse_json_answer(body, fields, {"3", "x"}).code(), Code::kNotFound);
  EXPECT_EQ(parse_json_answer("[]", fields, {"3", "x"}).code(), Code::kNotFound);
  EXPECT_EQ(parse_json_answer("3", fields, {"3", "x"}).code(), Code::kCorruption);
}

TEST(JsonSourceTest, WhatIsNoAnswerIsSaid) {
  for (const char* body :
       {"", "<html>", "[]", "null", "{\"classes\":{}}", "{\"classes\":null}", "{}"}) {
    EXPECT_EQ(parse_json_answer(body, asu(), {"1", "2"}).code(), Code::kCorruption) << body;
  }
  EXPECT_EQ(parse_json_answer(R"({"classes":[]})", asu(), {"1", "2"}).code(), Code::kNotFound);
  EXPECT_EQ(parse_json_answer(R"({"classes":[1,null,[]]})", asu(), {"1", "2"}).code(),
            Code::kNotFound);
}

TEST(JsonSourceTest, ChecksWhatIsConfigured) {
  EXPECT_EQ(check_json_fields(asu()), "");
  JsonFields fields;
  EXPECT_NE(check_json_fields(fields), "");
  fields.seats_available = "/seats";
  EXPECT_EQ(check_json_fields(fields), "");
  fields.list = "/list";
  EXPECT_NE(check_json_fields(fields), "");
  fields.class_nbr = "number";
  EXPECT_EQ(check_json_fields(fields), "\"number\" is not a JSON pointer like /data/seats");
  fields.class_nbr = "/a~2";
  EXPECT_NE(check_json_fields(fields), "");
  fields.class_nbr = "/nr";
  EXPECT_EQ(check_json_fields(fields), "");
  for (std::string JsonFields::*field : {&JsonFields::list,
                                         &JsonFields::seats_available,
                                         &JsonFields::seats_capacity,
                                         &JsonFields::seats_taken,
                                         &JsonFields::non_reserved_seats}) {
    JsonFields several = fields;
    several.*field = "/a /b";
    EXPECT_NE(check_json_fields(several).find("takes one pointer"), std::string::npos)
        << check_json_fields(several);
    several.*field = " /a";
    EXPECT_NE(check_json_fields(several), "") << "never found";
  }
  fields.meeting_times = "/days  /start";
  EXPECT_EQ(check_json_fields(fields), "");
  EXPECT_NE(check_url_template("https://h/a/../{class_nbr}"), "");
  EXPECT_EQ(check_url_template("https://h/a..b/...?x=/../"), "");
  EXPECT_EQ(check_url_template("https://h/{term}/{class_nbr}?again={term}"), "");
  EXPECT_NE(check_url_template("https://h/{number}"), "");
  EXPECT_EQ(expand_url("http://h/{term}/{class_nbr}?q={class_nbr}", {"1 &/ü", "22"}),
            "http://h/22/1%20%26%2F%C3%BC?q=1%20%26%2F%C3%BC");
  EXPECT_EQ(expand_url("http://h/{class_nbr}", {"{term}", "x"}), "http://h/%7Bterm%7D");
}

// libcurl and servers take "x/.." out of a path: another thing would be asked for.
TEST(JsonSourceTest, ANumberThatWouldChangeThePathIsNotAskedFor) {
  std::string target;
  ScriptedHttpServer server([&](const ScriptedRequest& request) {
    target = request.target;
    return ScriptedAnswer{200, R"({"seats":3})"};
  });
  boost::asio::io_context io(1);
  http::HttpClient client(io.get_executor(), http::HttpClientOptions{});
  JsonOptions options;
  options.url = server.url() + "/terms/{term}/sections/{class_nbr}?q={class_nbr}";
  options.reading.fields.seats_available = "/seats";
  JsonSource source(client, options);
  for (const auto& [class_nbr, term] :
       {std::pair("..", "2261"), {".", "2261"}, {"1", ".."}, {"..", ".."}}) {
    const Attempt attempt =
        test::run_awaitable(io, source.attempt(SectionKey{class_nbr, term}, ""));
    EXPECT_EQ(attempt.outcome, Outcome::kRejected) << class_nbr << " " << term;
    EXPECT_EQ(attempt.result.code(), Code::kInvalidArgument);
    EXPECT_EQ(target, "");
  }
  for (const char* class_nbr : {"...", "../..", "a.b"}) {
    EXPECT_TRUE(test::run_awaitable(io, source.fetch(SectionKey{class_nbr, "1"}, "")));
    EXPECT_TRUE(target.starts_with("/terms/1/sections/")) << target;
  }
}

TEST(JsonSourceTest, AsksOverHttp) {
  ScriptedRequest seen;
  int status = 200;
  ScriptedHttpServer server([&](const ScriptedRequest& request) {
    seen = request;
    return ScriptedAnswer{status, recorded_answer()};
  });
  boost::asio::io_context io(1);
  http::HttpClient client(io.get_executor(), http::HttpClientOptions{});
  JsonOptions options;
  options.url = server.url() + "/search?term={term}&keywords={class_nbr}";
  options.token = "s3cret";
  options.reading.fields = asu();
  JsonSource source(client, options);
  const auto answer = test::run_awaitable(io, source.fetch(SectionKey{"66445", "2267"}, "run-7"));
  ASSERT_TRUE(answer) << answer.error().to_string();
  EXPECT_EQ(answer->seats_available, 69);
  EXPECT_EQ(seen.method, "GET");
  EXPECT_EQ(seen.target, "/search?term=2267&keywords=66445");
  EXPECT_EQ(seen.header("Authorization"), "Bearer s3cret");
  EXPECT_EQ(seen.header("X-Edged-Run"), "run-7");
  status = 503;
  const auto refused = test::run_awaitable(io, source.attempt(SectionKey{"66445", "2267"}, ""));
  EXPECT_EQ(refused.outcome, Outcome::kOverloaded);
}

}  // namespace
}  // namespace edged::upstream
