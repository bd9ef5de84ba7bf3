// SPDX-License-Identifier: Apache-2.0
// The judge against the search through all orders, on many small random histories: both must say
// the same of each. And the judge alone on a history as long as a fast machine makes.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <random>

#include "tests/soak/linear_checker.h"
#include "tests/soak/linear_search.h"
#include "tests/soak/random_history.h"

namespace edged::soak {
namespace {

using Kind = LinearVerdict::Kind;

std::uint64_t seed_of_run() {
  const char* given = std::getenv("EDGED_TEST_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
}

// EDGED_HISTORIES=N tries more.
std::size_t histories_of_run() {
  const char* given = std::getenv("EDGED_HISTORIES");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : 3'000;
}

std::string text_of(const std::vector<LinearOp>& history) {
  std::string text;
  for (const LinearOp& op : history) text += "\n  " + text_of(op);
  return text;
}

struct Tally {
  std::size_t linearizable = 0, broken = 0, undecided = 0;
};

void compare(const std::vector<LinearOp>& history, Tally& tally) {
  const LinearVerdict expected = search_linear(history);
  const LinearVerdict judged = judge_linear(history);
  ASSERT_NE(judged.kind, Kind::kUndecided) << judged.why << text_of(history);
  if (expected.kind == Kind::kUndecided) {
    ++tally.undecided;
    return;
  }
  ++(expected.kind == Kind::kBroken ? tally.broken : tally.linearizable);
  ASSERT_EQ(judged.kind, expected.kind) << "the search says: " << expected.why
                                        << "\nthe judge says: " << judged.why << text_of(history);
}

void compare_many(bool damaged) {
  const std::uint64_t seed = seed_of_run();
  SCOPED_TRACE("again: EDGED_TEST_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  Tally tally;
  for (std::size_t i = 0; i < histories_of_run() && !testing::Test::HasFatalFailure(); ++i) {
    RandomHistoryOptions options;
    options.operations = 3 + random() % 16;
    options.clients = 2 + random() % 4;
    options.lost_per_mille = static_cast<unsigned>(random() % 600);
    options.life = random() % 3 == 0 ? 3 + random() % 6 : 0;
    std::vector<LinearOp> history = random_history(options, random);
    if (damaged) damage(history, random);
    drop_unknown_conditions(history);
    compare(history, tally);
  }
  std::printf("%zu linearizable, %zu broken, %zu too many for the search\n",
              tally.linearizable,
              tally.broken,
              tally.undecided);
  if (damaged) {
    EXPECT_GT(tally.broken, tally.linearizable / 20);
  } else {
    EXPECT_EQ(tally.broken, 0u);
  }
}

TEST(LinearAgreementTest, OnLinearizableHistories) {
  compare_many(false);
}

TEST(LinearAgreementTest, OnDamagedHistories) {
  compare_many(true);
}

// `life` operations from one kill to the next.
void judge_long_history(std::size_t operations, std::size_t life) {
  const std::uint64_t seed = seed_of_run();
  SCOPED_TRACE("again: EDGED_TEST_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  RandomHistoryOptions options;
  options.operations = operations;
  options.clients = 8;
  options.lost_per_mille = 4;
  options.life = life;
  std::vector<LinearOp> history = random_history(options, random);
  const LinearVerdict verdict = judge_linear(history);
  EXPECT_EQ(verdict.kind, Kind::kLinearizable) << verdict.why;
  EXPECT_LT(verdict.most_configurations, 2000u);
  std::printf("%zu operations, %zu states at most\n", history.size(), verdict.most_configurations);

  std::vector<LinearOp*> reads;
  for (LinearOp& op : history) {
    if (op.value_read != 0) reads.push_back(&op);
  }
  ASSERT_GT(reads.size(), 1000u);
  LinearOp& stale = *reads[reads.size() - 100];
  const LinearOp& old = *reads[reads.size() - 500];
  stale.value_read = old.value_read;
  stale.version = old.version;
  EXPECT_EQ(judge_linear(history).kind, Kind::kBroken);
}

TEST(LinearAgreementTest, JudgesALongHistoryWithKillsAndFindsOneStaleReadInIt) {
  judge_long_history(60'000, 2'500);
}

TEST(LinearAgreementTest, JudgesALongHistoryWithFewKillsAndFindsOneStaleReadInIt) {
  judge_long_history(250'000, 25'000);
}

}  // namespace
}  // namespace edged::soak
