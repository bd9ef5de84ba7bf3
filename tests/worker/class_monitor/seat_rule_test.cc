// SPDX-License-Identifier: Apache-2.0
// The seat rule: in SQL, where it counts, and its copy in C++, by which a run decides whether it
// must ask PostgreSQL at all.
#include <gmock/gmock.h>

#include <map>
#include <sstream>

#include "tests/worker/class_monitor/monitor_fixture.h"
#include "tests/worker/class_monitor/seat_rule_cases.h"
#include "worker/class_monitor/section_state.h"

namespace edged::class_monitor {
namespace {

using ::testing::ElementsAre;

std::optional<std::string> parameter(const std::optional<int>& number) {
  if (!number) return std::nullopt;
  return std::to_string(*number);
}

std::string text(const std::optional<int>& number) {
  return parameter(number).value_or("");
}

const char* name_of(Turn turn) {
  return turn == Turn::kOpened ? "opened" : turn == Turn::kFilled ? "filled" : "";
}

// The state after `seen` of a section whose seats were `old`, by the C++ copy.
SectionState merged(const SeatPair& old, const SeatPair& seen) {
  SectionState state;
  state.seats_available = old.available.value_or(0);
  state.non_reserved_seats = old.non_reserved;
  upstream::SectionObservation observation;
  observation.seats_available = seen.available;
  observation.non_reserved_seats = seen.non_reserved;
  return merge(state, observation);
}

class SeatRuleTest : public MonitorTest {};

TEST_F(SeatRuleTest, SqlFollowsTheTable) {
  for (const SeatRuleCase& c : kSeatRuleCases) {
    std::ostringstream expected;
    expected << text(c.stored.available) << "|" << text(c.stored.non_reserved) << "|"
             << name_of(c.turn) << "|" << name_of(c.turn_with_reserved) << "|" << text(c.open)
             << "|" << text(c.open_with_reserved);
    const auto rows = query(
        "select new_available, new_non_reserved, "
        "concat(case when opened then 'opened' end, case when filled then 'filled' end), "
        "concat(case when opened_with_reserved then 'opened' end, "
        "case when filled_with_reserved then 'filled' end), seen_open, seen_open_with_reserved "
        "from edged.seat_rule($1::integer, $2::integer, $3::integer, $4::integer)",
        {parameter(c.old.available),
         parameter(c.old.non_reserved),
         parameter(c.seen.available),
         parameter(c.seen.non_reserved)});
    EXPECT_THAT(rows, ElementsAre(expected.str())) << c.name;
  }
}

// An observation has no negative seats (normalize), and a first sight has no state to keep.
TEST(SeatRuleCopyTest, FollowsTheTable) {
  int compared = 0;
  for (const SeatRuleCase& c : kSeatRuleCases) {
    if (!c.old.available || c.seen.non_reserved.value_or(0) < 0) continue;
    const SectionState state = merged(c.old, c.seen);
    EXPECT_EQ(state.seats_available, c.stored.available) << c.name;
    EXPECT_EQ(state.non_reserved_seats, c.stored.non_reserved) << c.name;
    ++compared;
  }
  EXPECT_GT(compared, 20);
}

// Both agree wherever the table has no case.
TEST_F(SeatRuleTest, CopyAgreesOnEveryCombination) {
  const auto rows = query(
      "with n (n) as (values (null), (0), (1), (4)) "
      "select a.n, b.n, c.n, d.n, r.new_available, r.new_non_reserved "
      "from generate_series(0, 4) as a (n), n as b, n as c, n as d, "
      "edged.seat_rule(a.n, b.n, c.n, d.n) as r");
  EXPECT_EQ(rows.size(), 5u * 4 * 4 * 4);
  for (const std::string& row : rows) {
    std::vector<std::optional<int>> fields;
    std::string field;
    std::istringstream in(row + "|");
    while (std::getline(in, field, '|')) {
      fields.push_back(field.empty() ? std::nullopt : std::optional<int>(std::stoi(field)));
    }
    ASSERT_EQ(fields.size(), 6u) << row;
    const SectionState state = merged({fields[0], fields[1]}, {fields[2], fields[3]});
    EXPECT_EQ(state.seats_available, fields[4]) << row;
    EXPECT_EQ(state.non_reserved_seats, fields[5]) << row;
  }
}

// What a late mail learns is stored only as far as seats are gone.
TEST_F(SeatRuleTest, OnlyClosingLeavesOpeningsToARun) {
  const struct {
    const char* arguments;
    const char* stored;  // available|non_reserved|filled|filled_with_reserved
  } cases[] = {
      {"3, null, 0, null", "0||t|t"},
      {"3, null, 1, null", "1||f|f"},
      {"0, null, 3, null", "0||f|f"},
      {"5, 2, 3, 0", "3|0|t|f"},
      {"5, 0, 5, 2", "5|0|f|f"},
      {"0, 0, 4, 1", "0|0|f|f"},
      {"3, 1, 0, null", "0|0|t|t"},
      {"-1, null, 2, null", "-1||f|f"},
  };
  for (const auto& c : cases) {
    EXPECT_THAT(query("select new_available, new_non_reserved, filled, filled_with_reserved "
                      "from edged.seat_rule(" +
                      std::string(c.arguments) + ", only_closing => true)"),
                ElementsAre(c.stored))
        << c.arguments;
    EXPECT_THAT(query("select opened or opened_with_reserved from edged.seat_rule(" +
                      std::string(c.arguments) + ", only_closing => true)"),
                ElementsAre("f"))
        << c.arguments;
  }
}

// Its cost in a run is that of its expressions: PostgreSQL calls no function.
TEST_F(SeatRuleTest, IsExpandedInTheStatementThatCallsIt) {
  const auto plan = query(
      "explain (verbose, costs off) select r.* from public.class_states s "
      "cross join lateral edged.seat_rule(s.seats_available, s.non_reserved_seats, 1, 2) as r");
  for (const std::string& line : plan) {
    EXPECT_EQ(line.find("seat_rule("), line.npos) << line;
    EXPECT_EQ(line.find("open_seats("), line.npos) << line;
  }
  EXPECT_FALSE(plan.empty());
}

}  // namespace
}  // namespace edged::class_monitor
