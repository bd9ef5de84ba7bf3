// SPDX-License-Identifier: Apache-2.0
// Exponential back-off with full jitter: the n-th delay is uniform in (0, min(max, first * 2^n)].
// Not thread-safe; one object per thing that is retried.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>

namespace edged {

class Backoff {
 public:
  struct Options {
    std::chrono::milliseconds first{100};
    std::chrono::milliseconds max{10'000};
  };

  Backoff(Options options, std::uint64_t seed) : options_(options), random_(seed) {}

  std::chrono::milliseconds next() {
    const auto ceiling = std::min<std::int64_t>(options_.max.count(),
                                                options_.first.count() << std::min(attempt_, 20));
    ++attempt_;
    return std::chrono::milliseconds(std::uniform_int_distribution<std::int64_t>(
        1, std::max<std::int64_t>(1, ceiling))(random_));
  }

  void reset() { attempt_ = 0; }
  int attempts() const { return attempt_; }

 private:
  Options options_;
  std::mt19937_64 random_;
  int attempt_ = 0;
};

}  // namespace edged
