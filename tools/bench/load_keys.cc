// SPDX-License-Identifier: Apache-2.0
// See load_keys.h.
#include "tools/bench/load_keys.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <random>

namespace edged::bench {
namespace {

// The key of a rank: neighbours in popularity are no neighbours in the store. A bijection of
// 0..keys-1: a product with an odd number and shifts scatter the next power of two, and what falls
// outside is scattered again. The same for every seed.
class Scatter {
 public:
  explicit Scatter(std::uint64_t keys)
      : keys_(keys), bits_(std::max(2, static_cast<int>(std::bit_width(keys - 1)))) {}

  std::uint64_t operator()(std::uint64_t rank) const {
    do {
      for (int round = 0; round < 2; ++round) {
        rank = (rank * 0x9e3779b97f4a7c15 + 0x632be59b) & mask_;
        rank ^= rank >> (bits_ / 2);
      }
    } while (rank >= keys_);
    return rank;
  }

 private:
  const std::uint64_t keys_;
  const int bits_;
  const std::uint64_t mask_ = (std::uint64_t{1} << bits_) - 1;
};

}  // namespace

ZipfRanks::ZipfRanks(std::uint64_t ranks, double exponent)
    : ranks_(static_cast<double>(ranks)), exponent_(exponent) {
  lower_ = integral(1.5) - 1;
  upper_ = integral(ranks_ + 0.5);
  squeeze_ = 2 - inverse(integral(2.5) - std::pow(2, -exponent_));
}

double ZipfRanks::integral(double x) const {
  return exponent_ == 1 ? std::log(x) : (std::pow(x, 1 - exponent_) - 1) / (1 - exponent_);
}

double ZipfRanks::inverse(double area) const {
  return exponent_ == 1 ? std::exp(area)
                        : std::pow(1 + area * (1 - exponent_), 1 / (1 - exponent_));
}

std::uint64_t ZipfRanks::rank_at(double area) const {
  const double x = inverse(area);
  const double k = std::clamp(std::floor(x + 0.5), 1.0, ranks_);
  const bool taken = k - x <= squeeze_ || area >= integral(k + 0.5) - std::pow(k, -exponent_);
  return taken ? static_cast<std::uint64_t>(k) - 1 : kRejected;
}

Keys::Keys(const KeysOptions& options)
    : options_(options), sweep_(options.sweep), next_(options.sweep ? options.first : 0) {
  if (sweep_) return;
  std::mt19937_64 random(options.seed);
  std::uniform_real_distribution<double> part(0, 1);
  const auto draw = [&] { return part(random); };
  const ZipfRanks zipf(options.keys, options.zipf > 0 ? options.zipf : 1);
  const Scatter scatter(options.keys);
  drawn_.reserve(options.draws);
  for (std::size_t i = 0; i < options.draws; ++i) {
    const std::uint64_t rank = options.zipf > 0 ? zipf(draw) : random() % options.keys;
    const bool put = draw() * 100 < options.put_percent;
    drawn_.push_back(scatter(rank) << 1 | (put ? 1 : 0));
  }
}

Keys::Operation Keys::take(std::size_t count) {
  const std::uint64_t at = next_;
  next_ += count;
  if (sweep_) return {at, options_.put_percent > 0};
  next_ %= drawn_.size();
  return {at, (drawn_[at] & 1) != 0};
}

}  // namespace edged::bench
