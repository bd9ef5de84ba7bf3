// SPDX-License-Identifier: Apache-2.0
// Keys and values as the load generator writes them. Both follow from a key's number, so that any
// answer of any server can be verified, whoever wrote it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace edged::bench {

inline constexpr std::size_t kKeyBytes = 20;  // "section:000000000000"
inline constexpr std::uint64_t kKeysMax = 1'000'000'000'000;

// `out` has kKeyBytes bytes. Requires a number below kKeysMax.
void write_key(std::uint64_t number, char* out);
std::string key_text(std::uint64_t number);
// Nothing if `key` is not of write_key().
std::optional<std::uint64_t> key_number(std::string_view key);

// Values of one size. Any thread.
class Values {
 public:
  // Throws std::bad_alloc only. `bytes` may be 0.
  explicit Values(std::size_t bytes);

  std::size_t bytes() const { return bytes_; }
  // Of the sort that compresses to about a half: hexadecimal digits. The first 16 differ from key
  // to key, the others are cut from one text at a place that differs.
  void append(std::uint64_t key, std::string& out) const;
  bool matches(std::uint64_t key, std::string_view value) const;

 private:
  const std::size_t bytes_;
  std::string noise_;
};

}  // namespace edged::bench
