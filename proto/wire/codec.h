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

  std::uint8_t u8() { return integer<std::uint8_t>(); }
  std::uint16_t u16() { return integer<std::uint16_t>(); }
  std::uint32_t u32() { return integer<std::uint32_t>(); }
  std::uint64_t u64() { return integer<std::uint64_t>(); }
  std::string_view bytes(std::size_t count) {
    if (failed_ || count > rest_.size()) {
      failed_ = true;
      rest_ = {};
      return {};
    }
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }

  bool failed() const { return failed_; }
  std::size_t remaining() const { return rest_.size(); }

 private:
  // By shifting, so that the host's byte order does not matter; compilers make one load of it.
  template <typename Integer>
  Integer integer() {
    const std::string_view taken = bytes(sizeof(Integer));
    if (taken.empty()) return 0;
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < sizeof(Integer); ++i) {
      value |= static_cast<std::uint64_t>(static_cast<unsigned char>(taken[i])) << (8 * i);
    }
    return static_cast<Integer>(value);
  }

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
