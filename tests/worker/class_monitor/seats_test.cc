// SPDX-License-Identifier: Apache-2.0
// Whether a section is open, for a mail that waited too long.
#include "worker/class_monitor/seats.h"

#include <gtest/gtest.h>

namespace edged::mail {
namespace {

constexpr auto kNone = std::nullopt;

TEST(SeatsTest, JudgesByTheLastKnownState) {
  const struct {
    const char* name;
    Seats known;
    Opening plain, with_reserved;
  } cases[] = {
      {"nothing known", {kNone, kNone}, Opening::kUnknown, Opening::kUnknown},
      {"open, no detail", {3, kNone}, Opening::kOpen, Opening::kOpen},
      {"closed, no detail", {0, kNone}, Opening::kClosed, Opening::kClosed},
      {"negative", {-2, kNone}, Opening::kClosed, Opening::kClosed},
      {"reserved ones only", {3, 0}, Opening::kClosed, Opening::kOpen},
      {"reserved ones only, overbooked", {3, -1}, Opening::kClosed, Opening::kOpen},
      {"some of both", {5, 2}, Opening::kOpen, Opening::kOpen},
      {"full", {0, 0}, Opening::kClosed, Opening::kClosed},
      {"detail alone, open", {kNone, 2}, Opening::kOpen, Opening::kUnknown},
      {"detail alone, closed", {kNone, 0}, Opening::kClosed, Opening::kUnknown},
  };
  for (const auto& test : cases) {
    EXPECT_EQ(judge_state(test.known, false), test.plain) << test.name;
    EXPECT_EQ(judge_state(test.known, true), test.with_reserved) << test.name;
  }
}

TEST(SeatsTest, JudgesByAnAnswer) {
  const Seats no_detail{3, kNone};
  const Seats detail{5, 3};
  const struct {
    const char* name;
    Seats known, seen;
    Opening plain, with_reserved;
  } cases[] = {
      {"first sight, open", {}, {2, kNone}, Opening::kOpen, Opening::kOpen},
      {"first sight, closed", {}, {0, kNone}, Opening::kClosed, Opening::kClosed},
      {"first sight, unknown", {}, {}, Opening::kUnknown, Opening::kUnknown},
      {"never a detail, open", no_detail, {1, kNone}, Opening::kOpen, Opening::kOpen},
      {"never a detail, closed", no_detail, {0, kNone}, Opening::kClosed, Opening::kClosed},
      {"a detail for the first time", no_detail, {3, 0}, Opening::kClosed, Opening::kOpen},
      {"detail lost", detail, {5, kNone}, Opening::kUnknown, Opening::kUnknown},
      {"detail lost, seats unknown", detail, {}, Opening::kUnknown, Opening::kUnknown},
      {"detail lost, none at all", detail, {0, kNone}, Opening::kClosed, Opening::kClosed},
      {"detail lost, overbooked", detail, {-1, kNone}, Opening::kClosed, Opening::kClosed},
      {"detail was 0 and is lost", {5, 0}, {5, kNone}, Opening::kUnknown, Opening::kUnknown},
      {"both known, open", detail, {4, 1}, Opening::kOpen, Opening::kOpen},
      {"reserved ones are left", detail, {4, 0}, Opening::kClosed, Opening::kOpen},
      {"detail alone, open", detail, {kNone, 2}, Opening::kOpen, Opening::kUnknown},
      {"detail alone, closed", detail, {kNone, 0}, Opening::kClosed, Opening::kUnknown},
  };
  for (const auto& test : cases) {
    EXPECT_EQ(judge_answer(test.known, test.seen, false), test.plain) << test.name;
    EXPECT_EQ(judge_answer(test.known, test.seen, true), test.with_reserved) << test.name;
  }
}

}  // namespace
}  // namespace edged::mail
