// SPDX-License-Identifier: Apache-2.0
// The rules of an observation laid over a known state, and the KV value's text.
#include "worker/class_monitor/section_state.h"

#include <gtest/gtest.h>

namespace edged::class_monitor {
namespace {

SectionState known_state() {
  SectionState state;
  state.class_nbr = "12431";
  state.term = "2261";
  state.subject = "CSE";
  state.catalog_nbr = "310";
  state.title = "Data Structures";
  state.instructor = "Staff";
  state.seats_available = 4;
  state.seats_capacity = 150;
  return state;
}

upstream::SectionObservation seats(std::optional<std::int64_t> available,
                                   std::optional<std::int64_t> non_reserved = std::nullopt) {
  upstream::SectionObservation seen;
  seen.seats_available = available;
  seen.non_reserved_seats = non_reserved;
  return seen;
}

TEST(SectionStateTest, NothingKnownChangesNothing) {
  EXPECT_EQ(merge(known_state(), {}), known_state());
}

TEST(SectionStateTest, KnownFieldsReplaceTheOld) {
  upstream::SectionObservation seen = seats(0);
  seen.instructor = "Nakul Gopalan";
  const SectionState state = merge(known_state(), seen);
  EXPECT_EQ(state.seats_available, 0);
  EXPECT_EQ(state.instructor, "Nakul Gopalan");
  EXPECT_EQ(state.title, "Data Structures");
}

struct ReservedCase {
  const char* name;
  std::optional<std::int64_t> known, available, non_reserved;
  std::int64_t expected_available;
  std::optional<std::int64_t> expected_non_reserved;
};

class ReservedSeatsTest : public ::testing::TestWithParam<ReservedCase> {};

TEST_P(ReservedSeatsTest, Merges) {
  const ReservedCase& c = GetParam();
  SectionState before = known_state();
  before.non_reserved_seats = c.known;
  const SectionState after = merge(before, seats(c.available, c.non_reserved));
  EXPECT_EQ(after.seats_available, c.expected_available);
  EXPECT_EQ(after.non_reserved_seats, c.expected_non_reserved);
}

INSTANTIATE_TEST_SUITE_P(
    Table,
    ReservedSeatsTest,
    ::testing::Values(ReservedCase{"never_known", {}, 7, {}, 7, {}},
                      ReservedCase{"first_known", {}, 7, 2, 7, 2},
                      ReservedCase{"lost_while_open_hides_seats", 0, 7, {}, 4, 0},
                      ReservedCase{"lost_while_full_is_full", 3, 0, {}, 0, 0},
                      ReservedCase{"lost_with_seats_unknown", 3, {}, {}, 4, 3},
                      ReservedCase{"seats_unknown_detail_known", 3, {}, 1, 4, 1}),
    [](const auto& param_info) { return std::string(param_info.param.name); });

TEST(NormalizeTest, NegativeSeatsAreNone) {
  EXPECT_EQ(normalize(seats(-2)).seats_available, 0);
}

TEST(NormalizeTest, SeatsBeyondAnIntegerAreUnknown) {
  EXPECT_EQ(normalize(seats(std::int64_t{1} << 31)).seats_available, std::nullopt);
  EXPECT_EQ(normalize(seats((std::int64_t{1} << 31) - 1)).seats_available,
            (std::int64_t{1} << 31) - 1);
}

TEST(NormalizeTest, BlankInstructorIsStaff) {
  upstream::SectionObservation seen;
  seen.instructor = " \t";
  EXPECT_EQ(normalize(seen).instructor, "Staff");
}

TEST(NormalizeTest, NulBytesAreDropped) {
  upstream::SectionObservation seen;
  seen.title = std::string("a\0b", 3);
  EXPECT_EQ(normalize(seen).title, "ab");
}

TEST(StateValueTest, RoundTripsWithAndWithoutUnknownFields) {
  SectionState state = known_state();
  state.location = "Tempe \"PSH\" 153 \xE2\x98\x83";
  state.non_reserved_seats = 0;
  for (const SectionState& each : {state, known_state()}) {
    const auto decoded = decode_state(encode_state(each, 42));
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->state, each);
    EXPECT_EQ(decoded->epoch, 42);
  }
}

TEST(StateValueTest, RefusesWhatItDidNotWrite) {
  for (const char* text : {"",
                           "{",
                           "[]",
                           "null",
                           "{}",
                           "{\"class_nbr\":1}",
                           "{\"class_nbr\":\"1\",\"term\":\"2\",\"seats_available\":\"x\","
                           "\"seats_capacity\":1,\"epoch\":1}"}) {
    EXPECT_EQ(decode_state(text).code(), Code::kCorruption) << text;
  }
}

}  // namespace
}  // namespace edged::class_monitor
