// SPDX-License-Identifier: Apache-2.0
// Checked little-endian integers and byte strings. ByteReader never reads past its end: the first
// read that does not fit latches failed() and every later one gives zero or empty, so a chain of
// reads is checked once. No I/O, no allocation in the reader. Any thread; one object per thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace edged::wire {

class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  std::uint8_t u8() { return static_cast<std::uint8_t>(integer(1)); }
  std::uint16_t u16() { return static_cast<std::uint16_t>(integer(2)); }
  std::uint32_t u32() { return static_cast<std::uint32_t>(integer(4)); }
  std::uint64_t u64() { return integer(8); }
  std::string_view bytes(std::size_t count);

  bool failed() const { return failed_; }
  std::size_t remaining() const { return rest_.size(); }

 private:
  std::uint64_t integer(std::size_t count);

  std::string_view rest_;
  bool failed_ = false;
};

void append_u8(std::string& out, std::uint8_t value);
void append_u16(std::string& out, std::uint16_t value);
void append_u32(std::string& out, std::uint32_t value);
void append_u64(std::string& out, std::uint64_t value);

// Overwrites bytes that exist already. Requires position + the size of the integer <= out.size().
void patch_u16(std::string& out, std::size_t position, std::uint16_t value);
void patch_u32(std::string& out, std::size_t position, std::uint32_t value);

}  // namespace edged::wire
