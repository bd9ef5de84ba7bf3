// SPDX-License-Identifier: Apache-2.0
// Which keys come next: every key once, or keys at random, uniform or by Zipf's law, of which a
// share is written. What is drawn is drawn beforehand, so that a draw costs nothing in the loop.
// One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace edged::bench {

struct KeysOptions {
  std::uint64_t keys = 10'000;
  double zipf = 0;               // exponent; 0: uniform
  double put_percent = 0;        // 0..100
  std::uint64_t put_offset = 0;  // added to the number of a key that is put
  std::uint64_t seed = 1;
  std::size_t draws = 1 << 21;  // drawn once, then from the first on again
  bool sweep = false;           // every key once, in order; put if put_percent is not 0
  std::uint64_t first = 0;      // of a sweep
};

// Ranks 0, 1, ... of n, each less likely than the one before: P(rank) ~ (rank + 1) ^ -exponent.
// Exact for any exponent above 0, without tables ("Rejection-inversion to generate variates from
// monotone discrete distributions", Hörmann and Derflinger, 1996).
class ZipfRanks {
 public:
  ZipfRanks(std::uint64_t ranks, double exponent);
  // `draw` answers a number from 0 to 1, of its own each time.
  template <class Draw>
  std::uint64_t operator()(Draw&& draw) const {
    for (;;) {
      const double area = upper_ + draw() * (lower_ - upper_);
      if (const auto rank = rank_at(area); rank != kRejected) return rank;
    }
  }

 private:
  static constexpr std::uint64_t kRejected = ~std::uint64_t{0};
  double integral(double x) const;
  double inverse(double area) const;
  std::uint64_t rank_at(double area) const;

  const double ranks_, exponent_;
  double lower_, upper_, squeeze_;
};

class Keys {
 public:
  struct Operation {
    std::uint64_t at = 0;  // of its first key, for key()
    bool put = false;
  };

  explicit Keys(const KeysOptions& options);

  // All were given out; only of a sweep.
  bool exhausted() const { return sweep_ && next_ >= options_.keys; }
  // The next operation, which has `count` keys; 1 in a sweep. Requires !exhausted().
  Operation take(std::size_t count);
  // The number of the operation's key i.
  std::uint64_t key(const Operation& operation, std::size_t i) const {
    const std::uint64_t number =
        sweep_ ? operation.at + i : drawn_[(operation.at + i) % drawn_.size()] >> 1;
    return operation.put ? number + options_.put_offset : number;
  }

 private:
  const KeysOptions options_;
  const bool sweep_;
  std::uint64_t next_ = 0;
  std::vector<std::uint64_t> drawn_;  // the number, and in bit 0 whether it is put
};

}  // namespace edged::bench
