// SPDX-License-Identifier: Apache-2.0
// CRC-32C by the SSE 4.2 instruction, or by a table of 256 entries.
#include "proto/base/crc32c.h"

#include <array>
#include <cstddef>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace edged {
namespace {

constexpr std::array<std::uint32_t, 256> make_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) ? 0x82f63b78U : 0U);
    table[i] = crc;
  }
  return table;
}
constexpr auto kTable = make_table();

std::uint32_t extend_by_table(std::uint32_t crc, std::string_view bytes) {
  for (const char byte : bytes) {
    crc = (crc >> 8) ^ kTable[(crc ^ static_cast<unsigned char>(byte)) & 0xff];
  }
  return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t extend_by_instruction(std::uint32_t start,
                                                                      std::string_view bytes) {
  std::uint64_t crc = start;
  while (bytes.size() >= sizeof(std::uint64_t)) {
    std::uint64_t word;
    std::memcpy(&word, bytes.data(), sizeof(word));
    crc = _mm_crc32_u64(crc, word);
    bytes.remove_prefix(sizeof(word));
  }
  auto result = static_cast<std::uint32_t>(crc);
  for (const char byte : bytes) result = _mm_crc32_u8(result, static_cast<unsigned char>(byte));
  return result;
}
#endif

}  // namespace

std::uint32_t extend_crc32c(std::uint32_t crc, std::string_view bytes) {
#if defined(__x86_64__)
  static const bool has_instruction = __builtin_cpu_supports("sse4.2");
  if (has_instruction) return ~extend_by_instruction(~crc, bytes);
#endif
  return ~extend_by_table(~crc, bytes);
}

}  // namespace edged
