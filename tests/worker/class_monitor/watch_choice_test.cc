// SPDX-License-Identifier: Apache-2.0
// What single watches ask for: reserved seats too; and those that are left alone, of past terms.
#include "tests/worker/class_monitor/monitor_fixture.h"

namespace edged::class_monitor {
namespace {

using Strings = std::vector<std::string>;

class ReservedSeatsTest : public MonitorTest, public ::testing::WithParamInterface<bool> {
 protected:
  ReservedSeatsTest() : MonitorTest(GetParam()) {}
  void SetUp() override {
    add_watch("open@example.edu");
    execute("update class_watches set include_reserved_seats = true where id = $1",
            {add_watch("all@example.edu")});
  }
  // Seats with reserved ones, seats without.
  boost::json::object see_both(std::int64_t all, std::optional<std::int64_t> not_reserved) {
    return see(all, std::nullopt, not_reserved);
  }
  static constexpr const char* kAll = "seat_available all@example.edu";
  static constexpr const char* kOpen = "seat_available open@example.edu";
};

INSTANTIATE_TEST_SUITE_P(Kv, ReservedSeatsTest, ::testing::Bool(), [](const auto& param_info) {
  return param_info.param ? "WithNode" : "WithoutNode";
});

TEST_P(ReservedSeatsTest, AReservedSeatIsToldToThoseWhoAskedForIt) {
  see_both(0, 0);
  const auto summary = see_both(5, 0);
  EXPECT_EQ(mails(), Strings{kAll});
  EXPECT_EQ(summary.at("openings"), 1);
  EXPECT_EQ(summary.at("notifications"), 1);
}

TEST_P(ReservedSeatsTest, ASeatThatStopsBeingReservedIsToldToTheOthers) {
  see_both(5, 0);
  see_both(5, 3);
  EXPECT_EQ(mails(), Strings{kOpen});
}

TEST_P(ReservedSeatsTest, AnOpenSeatInAFullSectionIsToldToBoth) {
  see_both(0, 0);
  see_both(3, 3);
  EXPECT_EQ(mails(), (Strings{kAll, kOpen}));
}

TEST_P(ReservedSeatsTest, EachFillingUpResetsItsOwnClaim) {
  see_both(0, 0);
  see_both(5, 2);
  see_both(4, 0);  // full for those who may not have reserved seats
  see_both(4, 1);
  EXPECT_EQ(mails(), (Strings{kAll, kOpen, kOpen}));
  see_both(0, 0);
  see_both(1, 0);
  EXPECT_EQ(mails(), (Strings{kAll, kOpen, kOpen, kAll}));
}

TEST_P(ReservedSeatsTest, WhereNoneAreReservedBothAreTheSame) {
  see(0);
  see(3);
  EXPECT_EQ(mails(), (Strings{kAll, kOpen}));
}

TEST_P(ReservedSeatsTest, AnUnreadDetailOpensNothingForAnybody) {
  see_both(0, 0);
  see(5);  // how many of them are reserved could not be read
  EXPECT_EQ(mails(), Strings{});
  see_both(5, 0);
  EXPECT_EQ(mails(), Strings{kAll});
}

TEST_P(ReservedSeatsTest, AnInstructorIsToldToBoth) {
  see(0, "Staff");
  see(0, "Jane Doe");
  EXPECT_EQ(
      mails(),
      (Strings{"instructor_assigned all@example.edu", "instructor_assigned open@example.edu"}));
}

TEST_P(ReservedSeatsTest, ATableWithoutTheColumnWorksAsBefore) {
  execute("alter table class_watches drop column include_reserved_seats");
  see_both(0, 0);
  see_both(5, 0);
  EXPECT_EQ(mails(), Strings{});
  see_both(5, 1);
  EXPECT_EQ(mails(), (Strings{kAll, kOpen}));
}

TEST_P(ReservedSeatsTest, AColumnOfAnotherTypeIsNotTakenForIt) {
  execute(
      "alter table class_watches alter include_reserved_seats drop default, "
      "alter include_reserved_seats type text using 'true, mostly'");
  see_both(0, 0);
  see_both(5, 0);
  EXPECT_EQ(mails(), Strings{});
}

class PastTermsTest : public MonitorTest {
 protected:
  PastTermsTest() {
    store_options_.past_term_after = std::chrono::days(180);
    monitor_ = make_monitor("worker-b");
  }
  void created(const std::string& watch, int days_ago) {
    execute(
        "update class_watches set created_at = $2::timestamptz - make_interval(days => $3::int) "
        "where id = $1",
        {watch, format_rfc3339(clock_.wall_now()), std::to_string(days_ago)});
  }
};

TEST_F(PastTermsTest, WatchesOfATermThatNobodyHasAddedToForLongAreLeftAlone) {
  created(add_watch("a@example.edu", "11111", "2254"), 400);
  created(add_watch("b@example.edu", "22222", "2254"), 181);
  created(add_watch("c@example.edu", "33333", "2257"), 400);
  created(add_watch("d@example.edu", "44444", "2257"), 179);
  EXPECT_EQ(tick().at("sections"), 2);
  EXPECT_EQ(source_.asked, (Strings{"33333", "44444"}));
}

TEST_F(PastTermsTest, ANewWatchBringsTheTermBack) {
  created(add_watch("a@example.edu", "11111", "2254"), 400);
  EXPECT_EQ(tick().at("sections"), 0);
  created(add_watch("b@example.edu", "22222", "2254"), 0);
  EXPECT_EQ(tick().at("sections"), 2);
}

TEST_F(PastTermsTest, ANumberThatIsUsedAgainIsWatchedInTheCurrentTerm) {
  created(add_watch("a@example.edu", kSection, "2254"), 400);
  created(add_watch("b@example.edu", kSection, "2247"), 1);  // of an earlier name, and yet current
  EXPECT_EQ(tick().at("sections"), 1);
  see(1);
  EXPECT_EQ(query("select class_nbr, term from class_states"),
            Strings{std::string(kSection) + "|2247"});
}

TEST_F(PastTermsTest, AWatchWithoutATermHidesNoOthers) {
  execute("alter table class_watches alter term drop not null");
  const std::string without = add_watch("a@example.edu", "11111", "2254");
  execute("update class_watches set term = null where id = $1", {without});
  created(without, 400);
  created(add_watch("b@example.edu", "22222", "2261"), 1);
  tick();
  EXPECT_EQ(source_.asked.back(), "22222");
}

TEST_F(PastTermsTest, ZeroLeavesNothingAlone) {
  store_options_.past_term_after = std::chrono::seconds(0);
  monitor_ = make_monitor("worker-c");
  created(add_watch("a@example.edu", "11111", "2254"), 4000);
  EXPECT_EQ(tick().at("sections"), 1);
}

}  // namespace
}  // namespace edged::class_monitor
