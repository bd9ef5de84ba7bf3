// SPDX-License-Identifier: Apache-2.0
// See load_values.h.
#include "tools/bench/load_values.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <random>

namespace edged::bench {
namespace {

constexpr std::string_view kKeyPrefix = "section:";
constexpr std::string_view kDigits = "0123456789abcdef";
constexpr std::size_t kHeadBytes = 16;
constexpr std::size_t kPlaces = 32 * 1024;

// The finalizer of SplitMix64: each bit of the result depends on each bit of the number.
std::uint64_t mixed(std::uint64_t number) {
  number += 0x9e3779b97f4a7c15;
  number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9;
  number = (number ^ (number >> 27)) * 0x94d049bb133111eb;
  return number ^ (number >> 31);
}

std::array<char, kHeadBytes> head_of(std::uint64_t hash) {
  std::array<char, kHeadBytes> head;
  for (char& byte : head) {
    byte = kDigits[hash & 15];
    hash >>= 4;
  }
  return head;
}

}  // namespace

void write_key(std::uint64_t number, char* out) {
  std::memcpy(out, kKeyPrefix.data(), kKeyPrefix.size());
  for (std::size_t at = kKeyBytes; at > kKeyPrefix.size(); number /= 10) {
    out[--at] = static_cast<char>('0' + number % 10);
  }
}

std::string key_text(std::uint64_t number) {
  std::string key(kKeyBytes, ' ');
  write_key(number, key.data());
  return key;
}

std::optional<std::uint64_t> key_number(std::string_view key) {
  if (key.size() != kKeyBytes || !key.starts_with(kKeyPrefix)) return std::nullopt;
  std::uint64_t number = 0;
  for (const char digit : key.substr(kKeyPrefix.size())) {
    if (digit < '0' || digit > '9') return std::nullopt;
    number = number * 10 + static_cast<std::uint64_t>(digit - '0');
  }
  return number;
}

Values::Values(std::size_t bytes) : bytes_(bytes), noise_(kPlaces + bytes, ' ') {
  std::mt19937_64 random(1);
  for (char& byte : noise_) byte = kDigits[random() % kDigits.size()];
}

void Values::append(std::uint64_t key, std::string& out) const {
  const std::uint64_t hash = mixed(key);
  const std::size_t head_bytes = std::min(bytes_, kHeadBytes);
  out.append(head_of(hash).data(), head_bytes);
  out.append(noise_, hash % kPlaces, bytes_ - head_bytes);
}

bool Values::matches(std::uint64_t key, std::string_view value) const {
  if (value.size() != bytes_) return false;
  const std::uint64_t hash = mixed(key);
  const std::size_t head_bytes = std::min(bytes_, kHeadBytes);
  return value.substr(0, head_bytes) == std::string_view(head_of(hash).data(), head_bytes) &&
         value.substr(head_bytes) ==
             std::string_view(noise_).substr(hash % kPlaces, bytes_ - head_bytes);
}

}  // namespace edged::bench
