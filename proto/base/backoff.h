// SPDX-License-Identifier: Apache-2.0
// Exponential back-off: the n-th delay is min(max, first * 2^n), or a random part of it. Not
// thread-safe; one object per thing that is retried.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>

namespace edged {

// Which part of a delay is random, so that many who failed together do not come back together.
enum class Jitter {
  kFull,  // uniform in (0, delay]
  kHalf,  // uniform in [delay / 2, delay]
  kNone,
};

class Backoff {
 public:
  struct Options {
    std::chrono::milliseconds first{100};
    std::chrono::milliseconds max{10'000};
    Jitter jitter = Jitter::kFull;
  };

  explicit Backoff(Options options, std::uint64_t seed = 0) : options_(options), random_(seed) {}

  std::chrono::milliseconds next() { return delay(options_, attempt_++, random_); }
  void reset() { attempt_ = 0; }
  int attempts() const { return attempt_; }

  // The delay after `attempt` others, for callers that keep the number of attempts themselves.
  template <typename Random>
  static std::chrono::milliseconds delay(const Options& options, int attempt, Random& random) {
    const auto longest = std::max<std::int64_t>(
        1,
        std::min<std::int64_t>(options.max.count(),
                               options.first.count() << std::clamp(attempt, 0, kDoublingsMax)));
    if (options.jitter == Jitter::kNone) return std::chrono::milliseconds(longest);
    const auto shortest = options.jitter == Jitter::kHalf ? longest / 2 : 1;
    return std::chrono::milliseconds(
        std::uniform_int_distribution<std::int64_t>(shortest, longest)(random));
  }

 private:
  static constexpr int kDoublingsMax = 20;

  Options options_;
  std::mt19937_64 random_;
  int attempt_ = 0;
};

}  // namespace edged
