// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/jsonc_text.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdio>

#include "proto/base/utf8.h"

namespace edged::config {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

bool is_line_end(char byte) {
  return byte == '\n' || byte == '\r';
}

// A byte order mark of UTF-16 or UTF-32, or a NUL beside the first character.
bool looks_like_utf16(std::string_view text) {
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF")) return true;
  return text.size() >= 2 && (text[0] == '\0' || text[1] == '\0');
}

void blank(std::string& text, std::size_t from, std::size_t to) {
  for (std::size_t i = from; i < to; ++i) {
    if (!is_line_end(text[i])) text[i] = ' ';
  }
}

// The offset behind the string whose opening quote is at `quote`, or of its line's end if it is not
// closed there: the parser then complains.
std::size_t end_of_string(std::string_view text, std::size_t quote) {
  for (std::size_t i = quote + 1; i < text.size(); ++i) {
    if (text[i] == '"') return i + 1;
    if (is_line_end(text[i])) return i;
    if (text[i] == '\\' && i + 1 < text.size() && !is_line_end(text[i + 1])) ++i;
  }
  return text.size();
}

// The number in "\\uXXXX" at `at`; -1: no such escape is there.
int escaped_unit(std::string_view text, std::size_t at) {
  const std::string_view escape = text.substr(std::min(at, text.size()), 6);
  if (escape.size() < 6 || !escape.starts_with("\\u")) return -1;
  int unit = 0;
  const char* const end = escape.data() + escape.size();
  const auto read = std::from_chars(escape.data() + 2, end, unit, 16);
  return read.ec == std::errc() && read.ptr == end && escape[2] != '-' ? unit : -1;
}

// The offset of the first escape in `text`, a string with its quotes, that is half of a surrogate
// pair; npos: there is none.
std::size_t find_half_surrogate(std::string_view text) {
  constexpr int kLeading = 0xD800, kTrailing = 0xDC00, kEnd = 0xE000;
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    if (text[i] != '\\') continue;
    const int unit = escaped_unit(text, i);
    if (unit >= kTrailing && unit < kEnd) return i;
    if (unit >= kLeading && unit < kTrailing) {
      const int next = escaped_unit(text, i + 6);
      if (next < kTrailing || next >= kEnd) return i;
      i += 6;
    }
    ++i;
  }
  return std::string_view::npos;
}

// The offset behind the comment that begins at `start`; npos: it is not closed; `start`: it is
// none.
std::size_t end_of_comment(std::string_view text, std::size_t start) {
  const std::string_view rest = text.substr(start);
  if (rest.starts_with("//")) {
    const std::size_t end = text.find_first_of("\r\n", start);
    return end == std::string_view::npos ? text.size() : end;
  }
  if (!rest.starts_with("/*")) return start;
  const std::size_t end = text.find("*/", start + 2);
  return end == std::string_view::npos ? end : end + 2;
}

// The offset of the first byte that is not UTF-8; the text's size: none.
std::size_t first_not_utf8(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    std::size_t length = 1;
    while (length <= 4 && at + length <= text.size() && !is_utf8(text.substr(at, length))) ++length;
    if (length > 4 || at + length > text.size()) break;
    at += length;
  }
  return at;
}

}  // namespace

std::string_view without_byte_order_mark(std::string_view text) {
  return text.starts_with(kByteOrderMark) ? text.substr(kByteOrderMark.size()) : text;
}

Position position_of(std::string_view text, std::size_t offset) {
  Position position{1, 1};
  for (std::size_t i = 0; i < offset && i < text.size(); ++i) {
    const bool crlf = text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n';
    if (is_line_end(text[i]) && !crlf) {
      ++position.line;
      position.column = 1;
    } else {
      ++position.column;
    }
  }
  return position;
}

bool blank_comments(std::string_view text, std::string& plain, JsonError& error) {
  if (looks_like_utf16(text)) {
    error = {{1, 1}, "the file is encoded in UTF-16 or UTF-32. Save it as UTF-8"};
    return false;
  }
  plain = text;
  for (std::size_t i = 0; i < plain.size();) {
    if (plain[i] == '"') {
      const std::size_t end = end_of_string(plain, i);
      const std::size_t half = find_half_surrogate(text.substr(i, end - i));
      if (half != std::string_view::npos) {
        error = {position_of(text, i + half),
                 "this \\u escape is half of a surrogate pair. Write both halves, or the character "
                 "itself"};
        return false;
      }
      i = end;
      continue;
    }
    const std::size_t end = end_of_comment(plain, i);
    if (end == std::string::npos) {
      error = {position_of(text, i), "the comment that begins here with /* is not closed with */"};
      return false;
    }
    blank(plain, i, end);
    i = end > i ? end : i + 1;
  }
  const std::size_t invalid = first_not_utf8(plain);
  if (invalid < plain.size()) {
    char byte[8];
    std::snprintf(byte, sizeof byte, "0x%02X", static_cast<std::uint8_t>(plain[invalid]));
    error = {position_of(text, invalid),
             std::string("the byte ") + byte + " is not UTF-8. Save the file as UTF-8"};
    return false;
  }
  if (plain.find_first_not_of(" \t\r\n") == std::string::npos) {
    error = {{1, 1},
             text.empty() ? "the file is empty. The smallest one is {}"
                          : "the file has only comments and blanks. The smallest one is {}"};
    return false;
  }
  return true;
}

}  // namespace edged::config
