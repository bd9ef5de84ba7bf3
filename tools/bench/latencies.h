// SPDX-License-Identifier: Apache-2.0
// Counts of durations in buckets of at most 1/128 of their size, for quantiles. One thread.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace edged::bench {

class Latencies {
 public:
  void add(std::uint64_t nanoseconds) {
    ++counts_[bucket_of(nanoseconds)];
    ++total_;
    sum_ += static_cast<double>(nanoseconds);
    max_ = std::max(max_, nanoseconds);
  }
  std::uint64_t count() const { return total_; }
  std::uint64_t max() const { return max_; }
  double mean() const { return total_ > 0 ? sum_ / static_cast<double>(total_) : 0; }

  // The upper end of the bucket that holds the quantile, 0 < q <= 1, at most max(); 0 if nothing
  // was counted.
  std::uint64_t quantile(double q) const {
    const auto wanted = static_cast<double>(total_) * q;
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (counts_[i] > 0 && static_cast<double>(seen) >= wanted) return std::min(end_of(i), max_);
    }
    return 0;
  }

 private:
  static constexpr unsigned kBits = 7;
  static constexpr std::uint64_t kFine = 1U << kBits;

  // Exact below kFine, then kFine buckets for each power of two.
  static std::size_t bucket_of(std::uint64_t value) {
    if (value < kFine) return value;
    const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - 1 - kBits;
    return (shift + 1) * kFine + ((value >> shift) - kFine);
  }
  static std::uint64_t end_of(std::size_t bucket) {
    if (bucket < kFine) return bucket;
    const std::size_t shift = bucket / kFine - 1;
    return ((bucket % kFine + kFine + 1) << shift) - 1;
  }

  std::array<std::uint64_t, (64 - kBits + 1) * kFine> counts_{};
  std::uint64_t total_ = 0, max_ = 0;
  double sum_ = 0;
};

}  // namespace edged::bench
