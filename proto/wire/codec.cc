// SPDX-License-Identifier: Apache-2.0
// Little-endian by shifting, so that the host's byte order does not matter. See codec.h.
#include "proto/wire/codec.h"

#include <array>

#include "proto/base/check.h"

namespace edged::wire {
namespace {

template <typename Integer>
std::array<char, sizeof(Integer)> bytes_of(Integer value) {
  std::array<char, sizeof(Integer)> bytes;
  for (std::size_t i = 0; i < sizeof(Integer); ++i) {
    bytes[i] = static_cast<char>(value >> (8 * i));
  }
  return bytes;
}

template <typename Integer>
void append_integer(std::string& out, Integer value) {
  const auto bytes = bytes_of(value);
  out.append(bytes.data(), bytes.size());
}

template <typename Integer>
void patch_integer(std::string& out, std::size_t position, Integer value) {
  KV_CHECK(position + sizeof(Integer) <= out.size());
  const auto bytes = bytes_of(value);
  out.replace(position, bytes.size(), bytes.data(), bytes.size());
}

}  // namespace

void append_u8(std::string& out, std::uint8_t value) {
  out.push_back(static_cast<char>(value));
}
void append_u16(std::string& out, std::uint16_t value) {
  append_integer(out, value);
}
void append_u32(std::string& out, std::uint32_t value) {
  append_integer(out, value);
}
void append_u64(std::string& out, std::uint64_t value) {
  append_integer(out, value);
}

void patch_u16(std::string& out, std::size_t position, std::uint16_t value) {
  patch_integer(out, position, value);
}
void patch_u32(std::string& out, std::size_t position, std::uint32_t value) {
  patch_integer(out, position, value);
}

}  // namespace edged::wire
