// SPDX-License-Identifier: Apache-2.0
// The truth table of docs/class-monitor.md, row by row, against PostgreSQL, with the KV node and
// without.
#include "tests/worker/class_monitor/monitor_fixture.h"
#include "worker/upstream/json_source.h"

namespace edged::class_monitor {
namespace {

using Strings = std::vector<std::string>;
constexpr const char* kSeatMail = "seat_available student@example.edu";
constexpr const char* kInstructorMail = "instructor_assigned student@example.edu";

class TruthTableTest : public MonitorTest, public ::testing::WithParamInterface<bool> {
 protected:
  TruthTableTest() : MonitorTest(GetParam()) {}
  void SetUp() override { watch_ = add_watch("student@example.edu"); }

  std::string watch_;
};

INSTANTIATE_TEST_SUITE_P(Kv, TruthTableTest, ::testing::Bool(), [](const auto& param_info) {
  return param_info.param ? "WithNode" : "WithoutNode";
});

TEST_P(TruthTableTest, Row1FirstSightOfAnOpenSection) {
  see(3);
  EXPECT_EQ(mails(), Strings{});
}

TEST_P(TruthTableTest, Row1FirstSightOfAFullSection) {
  see(0);
  EXPECT_EQ(mails(), Strings{});
}

TEST_P(TruthTableTest, Row1WatchCreatedOnAnOpenSection) {
  see(3);
  add_watch("late@example.edu");
  see(3);
  EXPECT_EQ(mails(), Strings{});
}

TEST_P(TruthTableTest, Row2OpeningMailsEachWatcherOnce) {
  add_watch("other@example.edu");
  see(0);
  see(3);
  EXPECT_EQ(mails(), (Strings{"seat_available other@example.edu", kSeatMail}));
}

TEST_P(TruthTableTest, Row3MoreOrFewerSeatsAreNoOpening) {
  see(3);
  see(5);
  see(1);
  EXPECT_EQ(mails(), Strings{});
}

TEST_P(TruthTableTest, Row4FillingUpResetsTheClaim) {
  see(0);
  see(3);
  see(0);
  see(2);
  EXPECT_EQ(mails(), (Strings{kSeatMail, kSeatMail}));
}

TEST_P(TruthTableTest, Row5UnknownAfterAnOpeningIsNoFilling) {
  see(0);
  see(3);
  see(std::nullopt);
  see(3);
  EXPECT_EQ(mails(), Strings{kSeatMail});
}

TEST_P(TruthTableTest, Row5FailuresAfterAnOpeningAreNoFilling) {
  see(0);
  see(3);
  for (const Code code :
       {Code::kNotFound, Code::kUnavailable, Code::kCorruption, Code::kDeadlineExceeded}) {
    see_failure(Status(code, "scripted"));
    see(3);
  }
  EXPECT_EQ(mails(), Strings{kSeatMail});
}

TEST_P(TruthTableTest, Row6UnknownBeforeAnOpening) {
  see(0);
  see(std::nullopt);
  see(3);
  EXPECT_EQ(mails(), Strings{kSeatMail});
}

TEST_P(TruthTableTest, Row7LostStatesDoNotRepeatAClaimedOpening) {
  see(0);
  see(3);
  execute("update class_states set seats_available = 0");  // as a restored backup would have it
  execute("delete from edged.section_checks");
  see(3);
  EXPECT_EQ(
      mails(),
      (Strings{kSeatMail,
               "seat_available student@example.edu (already notified, the claim is still valid)"}));
}

TEST_P(TruthTableTest, Row7DeletedStatesAreAFirstSight) {
  see(0);
  see(3);
  execute("delete from class_states");
  execute("delete from edged.section_checks");
  see(0);
  see(3);
  EXPECT_EQ(
      mails(),
      (Strings{kSeatMail,
               "seat_available student@example.edu (already notified, the claim is still valid)"}));
}

TEST_P(TruthTableTest, Row8AnExpiredClaimDoesNotBlock) {
  see(0);
  see(3);
  execute("update class_states set seats_available = 0");
  execute("delete from edged.section_checks");
  clock_.advance(std::chrono::hours(24));
  see(3);
  EXPECT_EQ(mails(), (Strings{kSeatMail, kSeatMail}));
}

TEST_P(TruthTableTest, Row9TwoWorkersOneTick) {
  see(0);
  source_.say(kSection, upstream::SectionObservation{.seats_available = 3});
  clock_.advance(std::chrono::hours(1));
  const auto other = make_monitor("worker-b");
  const WallTime due = clock_.wall_now();
  const auto first = wait_for(monitor_->start({due, worker::Cause::kSchedule, ""}));
  const auto second = wait_for(other->start({due, worker::Cause::kSchedule, ""}));
  ASSERT_TRUE(first);
  EXPECT_EQ(second.code(), Code::kConflict);
  ASSERT_TRUE(wait_for(monitor_->wait(*first)));
  const auto third = wait_for(other->start({due, worker::Cause::kSchedule, ""}));
  EXPECT_EQ(third.code(), Code::kConflict);
  EXPECT_EQ(mails(), Strings{kSeatMail});
}

TEST_P(TruthTableTest, Row10ALateResultOfAnOlderRunIsIgnored) {
  see(0);
  CheckedSection late;
  late.watched = {kSection, kTerm, "CSE", "310", "", std::nullopt};
  late.observation.seats_available = 0;
  late.requested_at = clock_.wall_now();
  see(3);
  const auto applied = wait_for(stores_.front()->apply({late}, {1, 1}, clock_.wall_now(), nullptr));
  ASSERT_TRUE(applied);
  EXPECT_TRUE(applied->empty());
  EXPECT_EQ(query("select seats_available from class_states"), Strings{"3"});
  EXPECT_EQ(query("select count(*) from notifications_sent"), Strings{"1"});
}

struct ProfileCase {
  const char* name;
  const char* column;
  const char* reason;
};

TEST_P(TruthTableTest, Row11ProfilesThatRefuseAreRecorded) {
  see(0);
  execute(
      "insert into user_profiles(user_id, is_disabled) select user_id, true from class_watches");
  see(3);
  EXPECT_EQ(mails(), Strings{"seat_available student@example.edu (the account is disabled)"});
  EXPECT_EQ(query("select count(*) from notifications_sent"), Strings{"0"});
  for (const auto& [name, column, reason] :
       {ProfileCase{"bounced", "email_bounced", "the address bounced"},
        ProfileCase{"complained", "spam_complained", "the user complained of spam"}}) {
    see(0);
    execute("delete from edged.notifications");
    execute(
        "update user_profiles set is_disabled = false, email_bounced = false, spam_complained = "
        "false");
    execute(std::string("update user_profiles set ") + column + " = true");
    see(1);
    EXPECT_EQ(mails(), Strings{std::string(kSeatMail) + " (" + reason + ")"}) << name;
  }
  see(0);
  execute("delete from edged.notifications");
  execute(
      "update user_profiles set spam_complained = false, email_bounced = false, "
      "notifications_enabled = false");
  see(1);
  EXPECT_EQ(mails(), Strings{std::string(kSeatMail) + " (notifications are switched off)"});
}

TEST_P(TruthTableTest, Row13AnInstructorIsAssigned) {
  for (const char* placeholder : {"Staff", "TBA", "instructor unassigned", "  staff ", ""}) {
    execute("delete from class_states");
    execute("delete from edged.section_checks");
    execute("delete from edged.notifications");
    execute("delete from notifications_sent");
    see(1, placeholder);
    see(1, "Nakul Gopalan");
    EXPECT_EQ(mails(), Strings{kInstructorMail}) << '"' << placeholder << '"';
  }
}

TEST_P(TruthTableTest, Row13APlaceholderIsComparedWithoutCaseOfAnyScript) {
  store_options_.placeholders.push_back(" À Définir ");
  monitor_ = make_monitor();
  see(1, "à DÉFINIR");
  see(1, "Nakul Gopalan");
  EXPECT_EQ(mails(), Strings{kInstructorMail});
}

TEST_P(TruthTableTest, Row13AnotherNameIsNoAssignment) {
  see(1, "Yiran Luo");
  see(1, "Nakul Gopalan");
  EXPECT_EQ(mails(), Strings{});
}

TEST_P(TruthTableTest, Row13BackToStaffWithinTheClaim) {
  see(1, "Staff");
  see(1, "Nakul Gopalan");
  see(1, "Staff");
  see(1, "Nakul Gopalan");
  EXPECT_EQ(mails().size(), 2u);
  EXPECT_EQ(query("select count(*) from edged.mails where status = 'pending'"), Strings{"1"});
}

TEST_P(TruthTableTest, Row13NullIsUnknown) {
  see(1, std::nullopt);
  see(1, "Nakul Gopalan");
  EXPECT_EQ(mails(), Strings{});
  see(1, std::nullopt);
  EXPECT_EQ(query("select instructor_name from class_states"), Strings{"Nakul Gopalan"});
}

TEST_P(TruthTableTest, Row13NullBetweenStaffAndAName) {
  see(1, "Staff");
  see(1, std::nullopt);
  see(1, "Nakul Gopalan");
  EXPECT_EQ(mails(), Strings{kInstructorMail});
}

TEST_P(TruthTableTest, ReservedSeatsDecideWhenTheyAreKnown) {
  see(5, std::nullopt, 0);
  see(7, std::nullopt, 0);
  EXPECT_EQ(mails(), Strings{});
  see(7, std::nullopt, 2);
  EXPECT_EQ(mails(), Strings{kSeatMail});
}

TEST_P(TruthTableTest, ALostReservedDetailDoesNotOpenASection) {
  see(5, std::nullopt, 0);
  see(5);
  EXPECT_EQ(mails(), Strings{});
  see(0);
  see(5);
  EXPECT_EQ(mails(), Strings{});
  see(5, std::nullopt, 1);
  EXPECT_EQ(mails(), Strings{kSeatMail});
}

TEST_P(TruthTableTest, ALostReservedDetailWithNoSeatsIsAFilling) {
  see(0, std::nullopt, 0);
  see(2, std::nullopt, 2);
  see(0);
  see(2, std::nullopt, 2);
  EXPECT_EQ(mails(), (Strings{kSeatMail, kSeatMail}));
}

TEST_P(TruthTableTest, NegativeSeatsAreNone) {
  see(-3);
  see(1);
  EXPECT_EQ(mails(), Strings{kSeatMail});
}

TEST_P(TruthTableTest, AFirstSightWithoutSeatsStoresNothing) {
  see(std::nullopt, "Staff");
  EXPECT_EQ(query("select count(*) from class_states"), Strings{"0"});
  see(0);
  see(1);
  EXPECT_EQ(mails(), Strings{kSeatMail});
}

TEST_P(TruthTableTest, ASectionNumberReusedInANewTermIsAFirstSight) {
  see(0);
  add_watch("next@example.edu", kSection, "2267");
  see(3);
  EXPECT_EQ(mails(), Strings{});
  EXPECT_EQ(query("select term, seats_available from class_states"), Strings{"2267|3"});
  see(0);
  see(1);
  EXPECT_EQ(mails(), Strings{"seat_available next@example.edu"});
}

// A section's answer through the json source, whose pointer `status` can say that it is cancelled.
class CancelledSectionTest : public TruthTableTest {
 protected:
  void answer(const std::string& members) {
    upstream::JsonReading reading;
    reading.fields.seats_available = "/seats";
    reading.fields.non_reserved_seats = "/free";
    reading.fields.instructor = "/who";
    reading.fields.status = "/status";
    reading.values.cancelled = {"Cancelled"};
    auto seen = upstream::parse_json_answer("{" + members + "}", reading, {kSection, kTerm});
    ASSERT_TRUE(seen) << seen.error().to_string();
    source_.say(kSection, *seen);
    summary_ = tick();
  }
  Strings stored() {
    return query("select seats_available, non_reserved_seats, instructor_name from class_states");
  }

  boost::json::object summary_;
};

INSTANTIATE_TEST_SUITE_P(Kv, CancelledSectionTest, ::testing::Bool(), [](const auto& param_info) {
  return param_info.param ? "WithNode" : "WithoutNode";
});

constexpr const char* kCancelled = R"("status":" CANCELLED ","seats":5,"who":"Jane Doe")";

TEST_P(CancelledSectionTest, Row14ACancelledSectionAnnouncesNothing) {
  answer(R"("status":"Open","seats":0,"who":"Staff")");
  answer(kCancelled);
  EXPECT_EQ(summary_.at("cancelled").as_int64(), 1);
  EXPECT_EQ(summary_.at("fetched").as_int64(), 1);
  answer(kCancelled);
  EXPECT_EQ(mails(), Strings{});
  EXPECT_EQ(stored(), Strings{"0||Staff"});
}

TEST_P(CancelledSectionTest, Row14ItsFirstSightIsOfAFullSection) {
  answer(kCancelled);
  EXPECT_EQ(mails(), Strings{});
  EXPECT_EQ(stored(), Strings{"0||"});
  answer(R"("status":"Open","seats":2,"who":"Jane Doe")");
  EXPECT_EQ(mails(), Strings{kSeatMail});
}

TEST_P(CancelledSectionTest, Row14AnOpenSectionThatIsCancelledAndComesBackIsAnnouncedAgain) {
  answer(R"("status":"Open","seats":0,"who":"Staff")");
  answer(R"("status":"Open","seats":3,"who":"Staff")");
  EXPECT_EQ(mails(), Strings{kSeatMail});
  answer(kCancelled);
  answer(R"("status":"Open","seats":2,"who":"Staff")");
  EXPECT_EQ(mails(), (Strings{kSeatMail, kSeatMail})) << "being cancelled is filling up";
}

TEST_P(CancelledSectionTest, Row14AFullSectionThatComesBackFullIsNot) {
  answer(R"("status":"Open","seats":0,"who":"Staff")");
  answer(kCancelled);
  answer(R"("status":"Open","seats":0,"who":"Staff")");
  EXPECT_EQ(mails(), Strings{});
}

TEST_P(CancelledSectionTest, Row14AnInstructorIsAnnouncedOnceTheSectionIsBack) {
  answer(R"("status":"Open","seats":0,"who":"Staff")");
  answer(kCancelled);
  EXPECT_EQ(mails(), Strings{});
  answer(R"("status":"Open","seats":0,"who":"Jane Doe")");
  EXPECT_EQ(mails(), Strings{kInstructorMail});
}

TEST_P(CancelledSectionTest, Row14TheReservedDetailOfACancelledSectionIsNone) {
  answer(R"("status":"Open","seats":5,"free":2,"who":"Staff")");
  answer(R"("status":"Cancelled","seats":5,"free":2,"who":"Staff")");
  EXPECT_EQ(stored(), Strings{"0|0|Staff"});
  answer(R"("status":"Open","seats":5,"free":0,"who":"Staff")");
  EXPECT_EQ(mails(), Strings{});
  answer(R"("status":"Open","seats":5,"free":1,"who":"Staff")");
  EXPECT_EQ(mails(), Strings{kSeatMail});
}

}  // namespace
}  // namespace edged::class_monitor
