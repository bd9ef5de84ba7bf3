// SPDX-License-Identifier: Apache-2.0
// A client of the Redis protocol that sends the bytes a test wants and reads whole replies, as they
// came. Blocking, with a time-out. One thread.
#pragma once

#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "tests/kvstore/raw_client.h"

namespace edged::test {

class RedisClient {
 public:
  explicit RedisClient(const std::string& address) : raw_(address, false) {}

  static std::string encode(const std::vector<std::string>& words) {
    std::string bytes = "*" + std::to_string(words.size()) + "\r\n";
    for (const std::string& word : words) {
      bytes += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
    }
    return bytes;
  }
  // "SET key value": words between blanks.
  static std::vector<std::string> words_of(std::string_view line) {
    std::vector<std::string> words;
    std::size_t at = 0;
    while (at < line.size()) {
      const std::size_t end = std::min(line.find(' ', at), line.size());
      if (end > at) words.emplace_back(line.substr(at, end - at));
      at = end + 1;
    }
    return words;
  }

  bool send(std::string_view bytes) { return raw_.send(bytes); }
  std::string ask_words(const std::vector<std::string>& words) {
    send(encode(words));
    return reply();
  }
  std::string ask(std::string_view line) { return ask_words(words_of(line)); }
  bool ended() { return raw_.ended(); }

  // One whole reply as it came; what has come if the stream ends before.
  std::string reply() {
    const std::string line = read_line();
    if (line.size() < 3) return line;
    const char type = line[0];
    const long count = std::strtol(line.c_str() + 1, nullptr, 10);
    if (type == '$' || type == '=') {
      return count < 0 ? line : line + raw_.receive(static_cast<std::size_t>(count) + 2);
    }
    if (type != '*' && type != '%' && type != '~' && type != '>') return line;
    std::string whole = line;
    const long items = type == '%' ? count * 2 : count;
    for (long i = 0; i < items; ++i) whole += reply();
    return whole;
  }

 private:
  std::string read_line() {
    std::string line;
    while (!line.ends_with("\r\n")) {
      const std::string byte = raw_.receive(1);
      if (byte.empty()) break;
      line += byte;
    }
    return line;
  }

  RawClient raw_;
};

inline std::string bulk(std::string_view bytes) {
  std::string text = "$" + std::to_string(bytes.size()) + "\r\n";
  return text.append(bytes).append("\r\n");
}

}  // namespace edged::test
