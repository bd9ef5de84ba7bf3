// SPDX-License-Identifier: Apache-2.0
// See load_keys.h.
#include "tools/bench/load_keys.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

namespace edged::bench {
namespace {

constexpr std::size_t kDraws = 1'000'000;

// P(rank <= i) for i = 0, 1, ...
std::vector<double> zipf_sums(std::uint64_t keys, double exponent) {
  std::vector<double> sums(keys);
  double sum = 0;
  for (std::uint64_t i = 0; i < keys; ++i) {
    sum += std::pow(static_cast<double>(i + 1), -exponent);
    sums[i] = sum;
  }
  for (double& one : sums) one /= sum;
  return sums;
}

}  // namespace

Keys::Keys(const KeysOptions& options) : fill_(options.fill ? options.keys : 0) {
  if (options.fill) return;
  std::mt19937_64 random(options.seed);
  std::uniform_real_distribution<double> part(0, 1);
  // The key of a rank: neighbours in popularity are no neighbours in the store. The same for every
  // seed.
  std::vector<std::uint64_t> key_of_rank(options.keys);
  std::iota(key_of_rank.begin(), key_of_rank.end(), 0);
  std::shuffle(key_of_rank.begin(), key_of_rank.end(), std::mt19937_64(99));
  const std::vector<double> sums =
      options.zipf > 0 ? zipf_sums(options.keys, options.zipf) : std::vector<double>();
  drawn_.reserve(kDraws);
  for (std::size_t i = 0; i < kDraws; ++i) {
    std::uint64_t rank = random() % options.keys;
    if (!sums.empty()) {
      const auto found = std::upper_bound(sums.begin(), sums.end(), part(random));
      rank = std::min<std::uint64_t>(static_cast<std::uint64_t>(found - sums.begin()),
                                     options.keys - 1);
    }
    const bool put = part(random) * 100 < options.put_percent;
    drawn_.push_back({put, key_of_rank[rank] + (put ? options.put_offset : 0)});
  }
}

std::optional<Operation> Keys::next() {
  if (fill_ > 0) {
    if (at_ == fill_) return std::nullopt;
    return Operation{true, at_++};
  }
  const Operation operation = drawn_[at_];
  at_ = at_ + 1 < drawn_.size() ? at_ + 1 : 0;
  return operation;
}

}  // namespace edged::bench
