// SPDX-License-Identifier: Apache-2.0
// The adaptive window against simulated upstreams, in simulated time: there is always more to ask
// than may be asked, an answer takes about a second, a refusal ten milliseconds. Seeds are fixed.
// The figures it prints are those of docs/class-monitor.md.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <queue>
#include <random>
#include <vector>

#include "tests/support/manual_clock.h"
#include "worker/upstream/rate_limit.h"

namespace edged::upstream {
namespace {

using std::chrono::milliseconds;

class Simulation {
 public:
  // True if a request is refused that is the `under_way`-th.
  using Refuses = std::function<bool(int under_way)>;

  explicit Simulation(int ceiling) : window_(ceiling, clock_) {}

  void run(double seconds, const Refuses& refuses) {
    sent_ = refused_ = 0;
    const auto end = now_ + static_cast<std::int64_t>(seconds * 1000);
    while (now_ < end) {
      while (static_cast<int>(under_way_.size()) < window_.limit()) send(refuses);
      now_ = under_way_.top().at;
      answer();
    }
  }
  // Runs until the window is at least so wide; the seconds it took.
  double run_until(int limit, const Refuses& refuses) {
    const std::int64_t begin = now_;
    while (window_.limit() < limit && now_ < begin + 600'000) run(0.1, refuses);
    return static_cast<double>(now_ - begin) / 1000;
  }

  // So many of those under way are refused at this moment.
  void refuse_now(int count) {
    std::priority_queue<Request> left;
    for (; !under_way_.empty(); under_way_.pop()) {
      Request request = under_way_.top();
      if (!request.refused && count-- > 0) {
        request.at = now_;
        request.refused = true;
        ++refusals_under_way_;
      }
      left.push(request);
    }
    under_way_ = std::move(left);
  }

  int limit() const { return window_.limit(); }
  std::int64_t sent() const { return sent_; }
  std::int64_t answered() const { return sent_ - refused_; }
  std::int64_t refused() const { return refused_; }
  double refused_share() const {
    return static_cast<double>(refused_) / static_cast<double>(sent_);
  }
  bool chance(double share) { return std::bernoulli_distribution(share)(random_); }

 private:
  struct Request {
    std::int64_t at;  // of its answer
    bool refused;
    RateWindow::Ticket ticket;
    bool operator<(const Request& other) const { return at > other.at; }
  };

  void send(const Refuses& refuses) {
    const bool refused = refuses(static_cast<int>(under_way_.size()) - refusals_under_way_ + 1);
    const std::int64_t takes =
        refused ? 10 : std::uniform_int_distribution<std::int64_t>(800, 1200)(random_);
    under_way_.push({now_ + takes, refused, window_.admit()});
    ++sent_;
    refused_ += refused;
    refusals_under_way_ += refused;
  }

  void answer() {
    const Request done = under_way_.top();
    under_way_.pop();
    refusals_under_way_ -= done.refused;
    if (done.refused) {
      window_.pushed_back(done.ticket, std::nullopt);
    } else {
      window_.succeeded(done.ticket);
    }
  }

  test::ManualClock clock_;
  RateWindow window_;
  std::mt19937_64 random_{1};
  std::priority_queue<Request> under_way_;
  int refusals_under_way_ = 0;  // the upstream is done with them
  std::int64_t now_ = 0, sent_ = 0, refused_ = 0;
};

bool never(int) {
  return false;
}
Simulation::Refuses above(int bound) {
  return [bound](int under_way) { return under_way > bound; };
}

TEST(RateWindowSimulation, RecoversFromOneMomentWithinSomeRounds) {
  for (const int refused : {1, 100, 1000, 1900}) {
    Simulation upstream(2000);
    upstream.run(10, never);
    upstream.refuse_now(refused);
    upstream.run(0.1, never);
    const int least = upstream.limit();
    EXPECT_GE(least, std::min(1000, 2000 - refused)) << "halved, or what was not refused";
    const double seconds = upstream.run_until(2000, never);
    std::printf("%d of 2000 refused at once: window %d, 2000 again after %.1f s\n",
                refused,
                least,
                seconds);
    EXPECT_LE(seconds, 25) << refused;
  }
}

TEST(RateWindowSimulation, FewFailuresLeaveTheCeilingInUse) {
  const struct {
    int ceiling;
    double share, least;
  } cases[] = {{2000, 0.001, 0.99}, {2000, 0.01, 0.9}, {100, 0.001, 0.85}, {10, 0.001, 0.9}};
  for (const auto& test : cases) {
    Simulation upstream(test.ceiling);
    const int seconds = 400;
    upstream.run(seconds, [&](int) { return upstream.chance(test.share); });
    const double used = static_cast<double>(upstream.answered()) / (test.ceiling * seconds);
    std::printf("%.1f %% fail, ceiling %d: %.1f %% of it in use\n",
                test.share * 100,
                test.ceiling,
                used * 100);
    EXPECT_GE(used, test.least) << test.ceiling << " " << test.share;
  }
}

TEST(RateWindowSimulation, FindsTheBoundOfAnUpstream) {
  for (const int bound : {5, 50, 300}) {
    Simulation upstream(2000);
    upstream.run(10, above(bound));
    std::printf("bound %d: %lld refused in the first 10 s",
                bound,
                static_cast<long long>(upstream.refused()));
    EXPECT_LE(upstream.refused(), 2200) << "those that were under way, and few more";
    upstream.run(600, above(bound));
    const double used = static_cast<double>(upstream.answered()) / (bound * 600);
    const double share = upstream.refused_share();
    std::printf("; then %.0f %% in use, %.2f %% refused\n", used * 100, share * 100);
    EXPECT_GE(used, 0.75) << bound;
    EXPECT_LE(share, bound < 10 ? 0.08 : 0.02) << bound;
    const double seconds = upstream.run_until(1900, never);
    std::printf("  the bound lifted: 1900 after %.0f s\n", seconds);
    EXPECT_LE(seconds, 60);
  }
}

TEST(RateWindowSimulation, WhoRefusesEverythingIsHardlyAsked) {
  Simulation upstream(2000);
  upstream.run(1, [](int) { return true; });
  EXPECT_EQ(upstream.limit(), 1);
  EXPECT_LE(upstream.sent(), 2200);
  std::printf("everything refused: %lld asked in a second\n",
              static_cast<long long>(upstream.sent()));
  upstream.run(60, [](int) { return true; });
  EXPECT_EQ(upstream.limit(), 1);
}

// One in five is refused, whatever the window.
TEST(RateWindowSimulation, AnUpstreamInTroubleIsThrottled) {
  Simulation upstream(2000);
  const auto refuses = [&](int) { return upstream.chance(0.2); };
  upstream.run(30, refuses);
  upstream.run(60, refuses);
  std::printf("20 %% fail: %.1f under way\n", static_cast<double>(upstream.answered()) / 60);
  EXPECT_LE(upstream.answered(), 60 * 20);
}

}  // namespace
}  // namespace edged::upstream
