// SPDX-License-Identifier: Apache-2.0
// Little-endian by shifting, so that the host's byte order does not matter. See codec.h.
#include "proto/wire/codec.h"

#include "proto/base/check.h"

namespace edged::wire {
namespace {

void append_integer(std::string& out, std::uint64_t value, std::size_t count) {
  char bytes[8];
  for (std::size_t i = 0; i < count; ++i) {
    bytes[i] = static_cast<char>(value >> (8 * i));
  }
  out.append(bytes, count);
}

void patch_integer(std::string& out, std::size_t position, std::uint64_t value, std::size_t count) {
  KV_CHECK(position + count <= out.size());
  for (std::size_t i = 0; i < count; ++i) {
    out[position + i] = static_cast<char>(value >> (8 * i));
  }
}

}  // namespace

std::uint64_t ByteReader::integer(std::size_t count) {
  const std::string_view taken = bytes(count);
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < taken.size(); ++i) {
    value |= static_cast<std::uint64_t>(static_cast<unsigned char>(taken[i])) << (8 * i);
  }
  return value;
}

std::string_view ByteReader::bytes(std::size_t count) {
  if (failed_ || count > rest_.size()) {
    failed_ = true;
    rest_ = {};
    return {};
  }
  const std::string_view taken = rest_.substr(0, count);
  rest_.remove_prefix(count);
  return taken;
}

void append_u8(std::string& out, std::uint8_t value) {
  append_integer(out, value, 1);
}
void append_u16(std::string& out, std::uint16_t value) {
  append_integer(out, value, 2);
}
void append_u32(std::string& out, std::uint32_t value) {
  append_integer(out, value, 4);
}
void append_u64(std::string& out, std::uint64_t value) {
  append_integer(out, value, 8);
}

void patch_u16(std::string& out, std::size_t position, std::uint16_t value) {
  patch_integer(out, position, value, 2);
}
void patch_u32(std::string& out, std::size_t position, std::uint32_t value) {
  patch_integer(out, position, value, 4);
}

}  // namespace edged::wire
