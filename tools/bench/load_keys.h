// SPDX-License-Identifier: Apache-2.0
// Which operation comes next: every key once, or keys at random, uniform or by Zipf's law, of which
// a share is written. What is drawn is drawn beforehand, so that a draw costs nothing in the loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace edged::bench {

struct Operation {
  bool put = false;
  std::uint64_t key = 0;
};

struct KeysOptions {
  std::uint64_t keys = 10'000;
  double zipf = 0;               // exponent; 0: uniform
  double put_percent = 0;        // 0..100
  std::uint64_t put_offset = 0;  // added to the number of a key that is put
  std::uint64_t seed = 1;
  bool fill = false;  // put every key once, and then nothing
};

class Keys {
 public:
  explicit Keys(const KeysOptions& options);
  std::optional<Operation> next();

 private:
  const std::uint64_t fill_;  // so many keys to fill; 0: draws
  std::uint64_t at_ = 0;
  std::vector<Operation> drawn_;
};

}  // namespace edged::bench
