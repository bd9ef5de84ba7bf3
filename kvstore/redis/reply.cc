// SPDX-License-Identifier: Apache-2.0
// See reply.h.
#include "kvstore/redis/reply.h"

#include <array>
#include <charconv>

namespace edged::redis {

void Reply::number_line(char type, std::int64_t number) {
  std::array<char, 24> text;
  text[0] = type;
  char* const end = std::to_chars(text.data() + 1, text.data() + 22, number).ptr;
  end[0] = '\r';
  end[1] = '\n';
  out_.append(text.data(), static_cast<std::size_t>(end - text.data()) + 2);
}

void Reply::header(char type, std::size_t count) {
  number_line(type, static_cast<std::int64_t>(count));
}

void Reply::simple(std::string_view text) {
  out_ += '+';
  out_.append(text);
  out_.append("\r\n");
}

void Reply::error(std::string_view text) {
  out_ += '-';
  for (const char c : text) out_ += c == '\r' || c == '\n' ? ' ' : c;
  out_.append("\r\n");
}

void Reply::integer(std::int64_t number) {
  number_line(':', number);
}

void Reply::bulk(std::string_view bytes) {
  header('$', bytes.size());
  out_.append(bytes);
  out_.append("\r\n");
}

void Reply::bulk_number(std::int64_t number) {
  std::array<char, 24> text;
  char* const end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
  bulk({text.data(), static_cast<std::size_t>(end - text.data())});
}

void Reply::text(std::string_view text) {
  if (!resp3_) return bulk(text);
  header('=', text.size() + 4);
  out_.append("txt:");
  out_.append(text);
  out_.append("\r\n");
}

void Reply::null() {
  out_.append(resp3_ ? "_\r\n" : "$-1\r\n");
}

void Reply::null_array() {
  out_.append(resp3_ ? "_\r\n" : "*-1\r\n");
}

void Reply::boolean(bool value) {
  if (!resp3_) return integer(value ? 1 : 0);
  out_.append(value ? "#t\r\n" : "#f\r\n");
}

}  // namespace edged::redis
