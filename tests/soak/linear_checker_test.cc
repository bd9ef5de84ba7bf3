// SPDX-License-Identifier: Apache-2.0
// Histories that must be accepted, and histories that must not: a checker that accepts everything
// would prove nothing.
#include "tests/soak/linear_checker.h"

#include <gtest/gtest.h>

#include "tests/soak/linear_ops.h"
#include "tests/soak/linear_search.h"
#include "tests/soak/linear_versions.h"

namespace edged::soak {
namespace {

using Kind = LinearVerdict::Kind;

struct Case {
  const char* name;
  std::vector<LinearOp> history;
};

const std::vector<Case>& accepted() {
  static const LinearKind kPut = LinearKind::kPut;
  static const std::vector<Case> cases = {
      {"nothing", {}},
      {"a get of what is absent", {get_nothing({1, 2})}},
      {"one after the other",
       {put({1, 2}, 7, 1), get({3, 4}, 7, 1), remove({5, 6}), get_nothing({7, 8})}},
      {"a get during a put sees the old",
       {put({1, 2}, 7, 1), put({3, 9}, 8, 2), get({4, 5}, 7, 1)}},
      {"a get during a put sees the new",
       {put({1, 2}, 7, 1), put({3, 9}, 8, 2), get({4, 5}, 8, 2)}},
      {"two puts at once, the versions say which was first",
       {put({1, 9}, 7, 2), put({1, 9}, 8, 1), get({10, 11}, 7, 2)}},
      {"they touch: it may have been during", {put({1, 5}, 7, 1), get_nothing({5, 6})}},
      {"one of two put_if_absent wins",
       {put_if_absent({1, 9}, 7, Code::kExists, 3), put_if_absent({2, 8}, 8, Code::kOk, 3)}},
      {"a lost put that was never done",
       {op({1, kNever}, kPut, 7), get_nothing({5, 6}), get_nothing({8, 9})}},
      {"a lost put that was done",
       {op({1, kNever}, kPut, 7), get_nothing({5, 6}), get({8, 9}, 7, 4)}},
      {"a lost put that was done behind a later one",
       {op({1, kNever}, kPut, 7), put({2, 3}, 8, 1), get({4, 5}, 8, 1), get({6, 7}, 7, 2)}},
      {"a lost put that only a version shows",
       {op({1, kNever}, kPut, 7), put_if_absent({2, 3}, 8, Code::kExists, 5), get({4, 5}, 7, 5)}},
      {"a lost put whose version another one names",
       {op({1, kNever}, kPut, 7), put_if({2, 3}, 8, 5, Code::kOk, 6), get({4, 5}, 8, 6)}},
      {"a lost delete in time",
       {put({1, 2}, 7, 1), op({3, 6}, LinearKind::kDelete), get_nothing({7, 8})}},
      {"a lost conditional put whose condition held",
       {put({1, 2}, 7, 1), op({3, 6}, LinearKind::kPutIfVersion, 8, 1), get({7, 8}, 8, 2)}},
      {"if_version as it was read",
       {put({1, 2}, 7, 1), put_if({3, 4}, 8, 1, Code::kOk, 2), remove_if({5, 6}, 2, Code::kOk)}},
      {"refusals that tell what is there",
       {put({1, 2}, 7, 2),
        put_if({3, 4}, 8, 1, Code::kVersionMismatch, 2),
        remove_if({5, 6}, 1, Code::kVersionMismatch, 2),
        put_if_absent({7, 8}, 9, Code::kExists, 2)}},
      {"refusals of what is absent",
       {put_if({1, 2}, 8, 1, Code::kVersionMismatch, 0),
        remove_if({3, 4}, 1, Code::kNotFound),
        answered(op({5, 6}, LinearKind::kPutIfPresent, 9), Code::kNotFound)}},
      {"deletes that tell a version, and one that found nothing",
       {put({1, 2}, 7, 1),
        remove_with_version({3, 4}, 2),
        remove({5, 6}),
        put_if_absent({7, 8}, 8, Code::kOk, 3)}},
      {"deletes of what is absent, the versions say which was first",
       {remove_with_version({1, 9}, 4), remove_with_version({1, 9}, 3), put({10, 11}, 7, 5)}},
      {"a put if present that found a lost put which nobody saw",
       {put({1, 2}, 7, 1),
        remove_with_version({3, 4}, 2),
        op({5, 8}, kPut, 8),
        answered(op({9, 10}, LinearKind::kPutIfPresent, 9), Code::kOk, 5)}},
      {"a lost delete serves one of two reads, a lost put the other",
       {put({1, 2}, 7, 1),
        op({3, 20}, LinearKind::kDelete),
        op({3, 20}, kPut, 8),
        get_nothing({4, 5}),
        get({6, 7}, 8, 2)}},
      {"more than 64 lost puts",
       [] {
         std::vector<LinearOp> history;
         for (std::uint64_t i = 0; i < 200; ++i) history.push_back(op({1, kNever}, kPut, i + 1));
         history.push_back(get({2, 3}, 200, 9));
         return history;
       }()},
      {"given in any order", {get({3, 4}, 7, 1), put({1, 2}, 7, 1)}},
  };
  return cases;
}

const std::vector<Case>& refused() {
  static const LinearKind kPut = LinearKind::kPut;
  static const std::vector<Case> cases = {
      {"an acknowledged put is lost", {put({1, 2}, 7, 1), get_nothing({3, 4})}},
      {"a stale read", {put({1, 2}, 7, 1), put({3, 4}, 8, 2), get({5, 6}, 7, 1)}},
      {"a value nobody wrote", {put({1, 2}, 7, 1), get({3, 4}, 9, 1)}},
      {"a value before it was written", {get({1, 2}, 7, 1), put({3, 4}, 7, 1)}},
      {"back and forth",
       {put({1, 2}, 7, 1), put({3, 20}, 8, 2), get({4, 5}, 8, 2), get({6, 7}, 7, 1)}},
      {"a delete that was undone", {put({1, 2}, 7, 1), remove({3, 4}), get({5, 6}, 7, 1)}},
      {"two put_if_absent win",
       {put_if_absent({1, 9}, 7, Code::kOk, 1), put_if_absent({1, 9}, 8, Code::kOk, 2)}},
      {"two if_version of one version win",
       {put({1, 2}, 7, 1), put_if({3, 9}, 8, 1, Code::kOk, 2), put_if({3, 9}, 9, 1, Code::kOk, 3)}},
      {"an if_version that had passed",
       {put({1, 2}, 7, 1), put({3, 4}, 8, 2), put_if({5, 6}, 9, 1, Code::kOk, 3)}},
      {"a mismatch that was none",
       {put({1, 2}, 7, 1), put_if({3, 4}, 8, 1, Code::kVersionMismatch, 1)}},
      {"a refusal with a version that was not there",
       {put({1, 2}, 7, 1), put_if_absent({3, 4}, 8, Code::kExists, 9)}},
      {"exists, and nothing was there", {put_if_absent({1, 2}, 7, Code::kExists, 1)}},
      {"a mismatch with nothing, and it was there",
       {put({1, 2}, 7, 1), put_if({3, 4}, 8, 1, Code::kVersionMismatch, 0)}},
      {"not_found, and it was there", {put({1, 2}, 7, 1), remove_if({3, 4}, 1, Code::kNotFound)}},
      {"not_found by one that does not say so", {put_if({1, 2}, 8, 1, Code::kNotFound, 0)}},
      {"a version that does not grow", {put({1, 2}, 7, 5), put({3, 4}, 8, 5)}},
      {"a read with another version", {put({1, 2}, 7, 5), get({3, 4}, 7, 6)}},
      {"a lost put with two versions",
       {op({1, kNever}, kPut, 7), get({2, 3}, 7, 4), get({4, 5}, 7, 5)}},
      {"a lost put with the version of another",
       {op({1, kNever}, kPut, 7), put({2, 3}, 8, 4), get({4, 5}, 7, 4)}},
      {"a lost put is done twice",
       {op({1, kNever}, kPut, 7), get({2, 3}, 7, 1), put({4, 5}, 8, 2), get({6, 7}, 7, 1)}},
      {"a lost put before it was asked for", {get({1, 2}, 7, 1), op({3, kNever}, kPut, 7)}},
      {"a lost put done after its process was dead",
       {op({1, 4}, kPut, 7), get_nothing({5, 6}), get({7, 8}, 7, 1)}},
      {"a lost conditional put whose condition never held",
       {put({1, 2}, 7, 2), op({3, 6}, LinearKind::kPutIfVersion, 8, 1), get({7, 8}, 8, 3)}},
      {"a delete with the version of a put", {put({1, 2}, 7, 5), remove_with_version({3, 4}, 5)}},
      {"a delete whose version does not grow", {put({1, 2}, 7, 5), remove_with_version({3, 4}, 3)}},
      {"a delete between a put and its reads, by the versions",
       {put({1, 9}, 7, 1), remove_with_version({1, 9}, 2), get({10, 11}, 7, 1)}},
      {"one lost delete cannot serve two reads",
       {put({1, 2}, 7, 1),
        op({3, 20}, LinearKind::kDelete),
        get_nothing({4, 5}),
        put({6, 7}, 8, 2),
        get_nothing({8, 9})}},
      {"an answer that is none of a register's", {answered(op({1, 2}, kPut, 7), Code::kExists, 1)}},
  };
  return cases;
}

TEST(LinearCheckerTest, AcceptsWhatIsLinearizable) {
  for (const Case& one : accepted()) {
    const LinearVerdict verdict = judge_linear(one.history);
    EXPECT_EQ(verdict.kind, Kind::kLinearizable) << one.name << ": " << verdict.why;
    if (one.history.size() > 64) continue;
    EXPECT_EQ(search_linear(one.history).kind, Kind::kLinearizable) << one.name;
  }
}

TEST(LinearCheckerTest, RefusesWhatIsNot) {
  for (const Case& one : refused()) {
    const LinearVerdict verdict = judge_linear(one.history);
    EXPECT_EQ(verdict.kind, Kind::kBroken) << one.name;
    EXPECT_NE(verdict.why, "") << one.name;
    EXPECT_EQ(search_linear(one.history).kind, Kind::kBroken) << one.name;
  }
}

// Each answered operation alone must matter: without it, or with another answer, it is broken.
TEST(LinearCheckerTest, NoticesAWriteThatIsTakenOutOfALongHistory) {
  std::vector<LinearOp> history;
  for (std::int64_t i = 0; i < 1000; ++i) {
    const auto number = static_cast<std::uint64_t>(i + 1);
    history.push_back(put({10 * i, 10 * i + 3}, number, number));
    history.push_back(get({10 * i + 5, 10 * i + 7}, number, number));
  }
  EXPECT_EQ(judge_linear(history).kind, Kind::kLinearizable);
  for (std::size_t i = 0; i < history.size(); i += 200) {
    std::vector<LinearOp> shorter = history;
    shorter.erase(shorter.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_EQ(judge_linear(shorter).kind, Kind::kBroken) << i;
  }
}

// What killed the search on a fast machine: many writes whose outcome is not known.
TEST(LinearCheckerTest, KeepsFewConfigurationsForManyLostWrites) {
  constexpr LinearKind kLost[] = {
      LinearKind::kPut, LinearKind::kPutIfAbsent, LinearKind::kPutIfPresent, LinearKind::kDelete};
  std::vector<LinearOp> history;
  for (std::int64_t i = 0; i < 400; ++i) {
    history.push_back(op({i, kNever}, kLost[i % 4], static_cast<std::uint64_t>(100 + i)));
  }
  for (std::int64_t i = 0; i < 1000; ++i) {
    const auto number = static_cast<std::uint64_t>(i + 1);
    history.push_back(put({500 + 10 * i, 503 + 10 * i}, 1000 + number, number));
    history.push_back(get({505 + 10 * i, 507 + 10 * i}, 1000 + number, number));
  }
  const LinearVerdict verdict = judge_linear(history);
  EXPECT_EQ(verdict.kind, Kind::kLinearizable) << verdict.why;
  EXPECT_LT(verdict.most_configurations, 10u);
}

TEST(LinearCheckerTest, SaysWhenItCannotDecide) {
  std::vector<LinearOp> history;
  for (std::uint64_t i = 0; i < 65; ++i) history.push_back(get_nothing({1, 2}));
  EXPECT_EQ(judge_linear(history).kind, Kind::kUndecided);
}

TEST(LinearVersionsTest, GrowOverAllKeys) {
  EXPECT_NE(judge_versions({put({1, 2}, 7, 2), remove_with_version({3, 4}, 1)}), "");
  EXPECT_EQ(judge_versions({put({1, 2}, 7, 1), put({3, 4}, 8, 2), put({3, 9}, 9, 5)}), "");
  EXPECT_EQ(judge_versions({put({1, 9}, 7, 2), put({3, 4}, 8, 1)}), "") << "at once, either way";
  EXPECT_NE(judge_versions({put({1, 2}, 7, 2), put({3, 4}, 8, 1)}), "");
  EXPECT_NE(judge_versions({put({1, 2}, 7, 3), put({1, 4}, 8, 4), put({5, 6}, 9, 3)}), "");
}

}  // namespace
}  // namespace edged::soak
