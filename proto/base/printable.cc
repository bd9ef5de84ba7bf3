// SPDX-License-Identifier: Apache-2.0
// See printable.h.
#include "proto/base/printable.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>

#include "proto/base/utf8.h"

namespace edged {
namespace {

// The code point of one well-formed sequence.
std::uint32_t code_point(std::string_view sequence) {
  const auto lead = static_cast<std::uint8_t>(sequence[0]);
  if (sequence.size() == 1) return lead;
  std::uint32_t code = lead & (0x7FU >> sequence.size());
  for (const char c : sequence.substr(1)) {
    code = code << 6 | (static_cast<std::uint8_t>(c) & 0x3FU);
  }
  return code;
}

bool is_unsafe(std::uint32_t code) {
  constexpr struct {
    std::uint32_t first, last;
  } kRanges[] = {
      {0x00, 0x1F},      // C0
      {0x7F, 0x9F},      // DEL, C1
      {0x061C, 0x061C},  // Arabic letter mark
      {0x200E, 0x200F},  // left-to-right and right-to-left mark
      {0x2028, 0x202E},  // separators; embeddings and overrides
      {0x2066, 0x2069},  // isolates
      {0xFEFF, 0xFEFF},  // byte order mark
  };
  return std::any_of(std::begin(kRanges), std::end(kRanges), [code](const auto& range) {
    return code >= range.first && code <= range.last;
  });
}

std::string escape(std::uint32_t code) {
  switch (code) {
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      break;
  }
  char text[8];
  std::snprintf(text, sizeof text, "\\u%04x", static_cast<unsigned>(code));  // all are below 10000
  return text;
}

std::string escaped(std::string_view text, bool keep_lines) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = utf8_character_bytes(text);
    if (length == 0) {
      char byte[8];
      std::snprintf(
          byte, sizeof byte, "\\x%02x", static_cast<unsigned>(static_cast<std::uint8_t>(text[0])));
      result += byte;
      text.remove_prefix(1);
      continue;
    }
    const std::string_view sequence = text.substr(0, length);
    const std::uint32_t code = code_point(sequence);
    const bool kept = !is_unsafe(code) || (keep_lines && (code == '\n' || code == '\t'));
    result += kept ? std::string(sequence) : escape(code);
    text.remove_prefix(length);
  }
  return result;
}

}  // namespace

bool is_printable(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_character_bytes(text);
    if (length == 0 || is_unsafe(code_point(text.substr(0, length)))) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string printable(std::string_view text) {
  return escaped(text, false);
}

std::string printable_lines(std::string_view text) {
  return escaped(text, true);
}

std::size_t unfinished_bytes(std::string_view bytes) {
  // A lead byte within the last three, with fewer bytes behind it than it announces.
  for (std::size_t back = 1; back <= 3 && back <= bytes.size(); ++back) {
    const auto byte = static_cast<std::uint8_t>(bytes[bytes.size() - back]);
    if ((byte & 0xC0U) == 0x80U) continue;
    const std::size_t announced = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
    return announced > back ? back : 0;
  }
  return 0;
}

}  // namespace edged
