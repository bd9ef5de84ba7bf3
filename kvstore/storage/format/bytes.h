// SPDX-License-Identifier: Apache-2.0
// Fixed-width integers as bytes. Values inside records are
// little-endian; prefixes inside keys are big-endian, so that keys sort by namespace. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace edged::storage {

template <typename Integer>
void append_le(std::string& out, Integer value) {
  for (std::size_t i = 0; i < sizeof(Integer); ++i) {
    out.push_back(static_cast<char>((static_cast<std::uint64_t>(value) >> (8 * i)) & 0xff));
  }
}

// The caller has checked that `bytes` holds sizeof(Integer) bytes at `offset`.
template <typename Integer>
Integer load_le(std::string_view bytes, std::size_t offset) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof(Integer); ++i) {
    value |= std::uint64_t{static_cast<unsigned char>(bytes[offset + i])} << (8 * i);
  }
  return static_cast<Integer>(value);
}

inline void append_be32(std::string& out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>((value >> shift) & 0xff));
  }
}

inline void append_be64(std::string& out, std::uint64_t value) {
  append_be32(out, static_cast<std::uint32_t>(value >> 32));
  append_be32(out, static_cast<std::uint32_t>(value));
}

// The caller has checked that `bytes` holds 4 or 8 bytes at `offset`.
inline std::uint32_t load_be32(std::string_view bytes, std::size_t offset) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    value = value << 8 | static_cast<unsigned char>(bytes[offset + i]);
  }
  return value;
}
inline std::uint64_t load_be64(std::string_view bytes, std::size_t offset) {
  return std::uint64_t{load_be32(bytes, offset)} << 32 | load_be32(bytes, offset + 4);
}

}  // namespace edged::storage
