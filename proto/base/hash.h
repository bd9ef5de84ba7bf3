// SPDX-License-Identifier: Apache-2.0
// Hashes that are the same on every machine and in every version, unlike std::hash. Pure.
#pragma once

#include <cstdint>
#include <string_view>

namespace edged {

// FNV-1a with 64 bits. Texts that differ in their last character only have similar hashes.
constexpr std::uint64_t fnv1a_64(std::string_view text) {
  std::uint64_t hash = 0xCBF29CE484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3;
  return hash;
}

}  // namespace edged
