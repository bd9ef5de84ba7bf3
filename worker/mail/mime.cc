// SPDX-License-Identifier: Apache-2.0
// Mail text encodings; see mime.h.
#include "worker/mail/mime.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>

#include "proto/base/base64.h"
#include "proto/base/hash.h"
#include "proto/base/utf8.h"

namespace edged::mail {
namespace {

constexpr std::size_t kFoldColumn = 78;  // RFC 5322, 2.1.1
// RFC 2047, section 2: an encoded-word has at most 75 characters, a line that holds one at most 76.
constexpr std::size_t kEncodedLineColumn = 76;
constexpr std::size_t kEncodedWordColumn = 75;
constexpr std::string_view kEncodedWordStart = "=?UTF-8?B?";
constexpr std::string_view kEncodedWordEnd = "?=";
constexpr std::size_t kQuotedPrintableColumn = 76;  // RFC 2045, 6.7

unsigned char byte_at(std::string_view text, std::size_t at) {
  return static_cast<unsigned char>(text[at]);
}

bool is_continuation(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0) == 0x80;
}

// How many bytes of text fit into an encoded-word that begins at `column`.
std::size_t encoded_word_room(std::size_t column) {
  const std::size_t characters = std::min(kEncodedWordColumn, kEncodedLineColumn - column);
  return (characters - kEncodedWordStart.size() - kEncodedWordEnd.size()) / 4 * 3;
}

// `text` (valid UTF-8) as encoded-words, one per line, the first of them at `column`. Each
// encoded-word holds whole characters.
std::string encoded_words(std::string_view text, std::size_t column) {
  std::string out;
  while (!text.empty()) {
    std::size_t take = std::min(text.size(), encoded_word_room(column));
    while (take < text.size() && is_continuation(text[take])) --take;
    if (!out.empty()) out += "\r\n ";
    out += kEncodedWordStart;
    out += to_base64(text.substr(0, take));
    out += kEncodedWordEnd;
    text.remove_prefix(take);
    column = 1;  // after the blank that continues the field
  }
  return out;
}

bool needs_encoding(std::string_view text) {
  std::size_t word = 0;
  for (const char c : text) {
    if (c < 0x20 || c > 0x7E) return true;
    word = c == ' ' ? 0 : word + 1;
    if (word > kFoldColumn - 24) return true;  // would not fold after the longest field name
  }
  return text.find("=?") != std::string_view::npos;
}

// Plain words from `column` on, folded at spaces.
std::string folded_words(std::string_view text, std::size_t column) {
  std::string out;
  while (!text.empty()) {
    const std::size_t space = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, space);
    if (!out.empty()) {
      const bool fits = column + 1 + word.size() <= kFoldColumn;
      out += fits ? " " : "\r\n ";
      column = fits ? column + 1 : 1;
    }
    out += word;
    column += word.size();
    text.remove_prefix(std::min(space + 1, text.size()));
  }
  return out;
}

// The byte at `at` as it stands at `column` of an encoded line: itself, or "=XX".
std::string quoted_printable_piece(std::string_view text, std::size_t at, std::size_t column) {
  const unsigned char byte = byte_at(text, at);
  const bool line_ends = at + 1 == text.size() || text[at + 1] == '\n';
  const bool blank_at_end = (byte == ' ' || byte == '\t') && line_ends;
  // SMTP doubles a dot at the start of a line; an mbox file takes "From " there for a new mail.
  const bool fragile_start = column == 0 && (byte == '.' || byte == 'F');
  const bool literal = (byte >= 0x20 && byte < 0x7F && byte != '=') || byte == '\t';
  if (literal && !blank_at_end && !fragile_start) return std::string(1, text[at]);
  std::array<char, 4> hex{};
  std::snprintf(hex.data(), hex.size(), "=%02X", byte);
  return hex.data();
}

}  // namespace

std::string one_line(std::string_view text, std::size_t bytes_max) {
  std::string out;
  bool space = false;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_character_bytes(text.substr(at));
    const unsigned char first = byte_at(text, at);
    const bool control = length == 1 && (first <= 0x20 || first == 0x7F);
    // U+0080..U+009F, and U+2028 and U+2029, break lines in some readers.
    const bool wide_control = (length == 2 && first == 0xC2 && byte_at(text, at + 1) < 0xA0) ||
                              text.substr(at, 3) == "\xE2\x80\xA8" ||
                              text.substr(at, 3) == "\xE2\x80\xA9";
    const std::string_view piece = length == 0 ? kReplacementCharacter : text.substr(at, length);
    at += length == 0 ? 1 : length;
    if (control || wide_control) {
      space = !out.empty();
      continue;
    }
    if (out.size() + piece.size() + (space ? 1 : 0) > bytes_max) return out + "…";
    if (space) out += ' ';
    space = false;
    out += piece;
  }
  return out;
}

std::string header_field(std::string_view name, std::string_view text) {
  const std::string line = one_line(text, text.size() * kReplacementCharacter.size());
  std::string out(name);
  out += ": ";
  out += needs_encoding(line) ? encoded_words(line, out.size()) : folded_words(line, out.size());
  return out + "\r\n";
}

std::string quoted_printable(std::string_view text) {
  std::string out;
  std::size_t column = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '\n') {
      out += "\r\n";
      column = 0;
      continue;
    }
    std::string piece = quoted_printable_piece(text, at, column);
    if (column + piece.size() > kQuotedPrintableColumn - 1) {
      out += "=\r\n";
      column = 0;
      // Encoded anew: some characters may not start a line.
      piece = quoted_printable_piece(text, at, column);
    }
    out += piece;
    column += piece.size();
  }
  if (column > 0) out += "\r\n";
  return out;
}

std::string mail_date(WallTime time) {
  static constexpr std::array<const char*, 7> kDays{
      "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array<const char*, 12> kMonths{
      "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::seconds>(time - day));
  std::array<char, 64> out{};
  std::snprintf(out.data(),
                out.size(),
                "%s, %02u %s %04d %02d:%02d:%02d +0000",
                kDays[std::chrono::weekday(day).c_encoding()],
                static_cast<unsigned>(date.day()),
                kMonths[static_cast<unsigned>(date.month()) - 1],
                static_cast<int>(date.year()),
                static_cast<int>(clock.hours().count()),
                static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()));
  return out.data();
}

std::string html_escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string address_field(std::string_view name, const Address& address) {
  std::string out(name);
  out += ": ";
  if (address.display_name.empty()) return out + address.bare + "\r\n";
  if (needs_encoding(address.display_name)) {
    out += encoded_words(address.display_name, out.size());
  } else {
    std::string quoted = "\"";
    for (const char c : address.display_name) {
      if (c == '"' || c == '\\') quoted += '\\';
      quoted += c;
    }
    out += folded_words(quoted + "\"", out.size());
  }
  return out + "\r\n <" + address.bare + ">\r\n";
}

std::string stable_hash(std::string_view text) {
  const std::uint64_t hash = fnv1a_64(text);
  std::array<char, 17> out{};
  std::snprintf(out.data(), out.size(), "%016llx", static_cast<unsigned long long>(hash));
  return out.data();
}

}  // namespace edged::mail
