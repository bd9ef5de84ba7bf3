// SPDX-License-Identifier: Apache-2.0
// See command_parser.h. The texts of errors are those of Redis, which clients may know.
#include "kvstore/redis/command_parser.h"

#include <algorithm>
#include <cstring>

#include "kvstore/redis/text_numbers.h"

namespace edged::redis {
namespace {

constexpr std::size_t kGrowthBytesMax = 1024 * 1024;

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\v' || c == '\f' || c == '\0';
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

char escaped(char c) {
  switch (c) {
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'b':
      return '\b';
    case 'a':
      return '\a';
    default:
      return c;
  }
}

// Takes the text in quotes at `at`, which is behind the first quote. False: there is no end, or
// something follows it at once.
bool take_quoted(std::string_view line, char quote, std::size_t& at, std::string& out) {
  while (at < line.size()) {
    const char c = line[at];
    if (c == quote) {
      ++at;
      return at == line.size() || is_blank(line[at]);
    }
    if (c != '\\' || at + 1 >= line.size()) {
      out += c;
      ++at;
      continue;
    }
    const char next = line[at + 1];
    if (quote == '\'') {
      out += next == '\'' ? '\'' : '\\';
      at += next == '\'' ? 2 : 1;
    } else if (next == 'x' && at + 3 < line.size() && hex_digit(line[at + 2]) >= 0 &&
               hex_digit(line[at + 3]) >= 0) {
      out += static_cast<char>(hex_digit(line[at + 2]) * 16 + hex_digit(line[at + 3]));
      at += 4;
    } else {
      out += escaped(next);
      at += 2;
    }
  }
  return false;
}

}  // namespace

std::span<char> CommandParser::prepare() {
  const std::size_t held = end_ - begin_;
  if (held == 0 && capacity_ > kBufferBytesKept) {
    data_.reset();
    capacity_ = 0;
  }
  if (begin_ > 0 && (held == 0 || capacity_ - end_ < capacity_ / 2)) {
    if (held > 0) std::memmove(data_.get(), data_.get() + begin_, held);
    scan_ -= begin_;
    begin_ = 0;
    end_ = held;
  }
  // The buffer grows with the bytes that were received. The length that the client announces is not
  // used: a client could make the node allocate 32 MiB by sending ten bytes.
  if (capacity_ - end_ < std::max(kBufferBytesMin / 2, std::min(held / 2, kGrowthBytesMax))) {
    capacity_ = std::max(kBufferBytesMin, capacity_ * 2);
    auto grown = std::make_unique_for_overwrite<char[]>(capacity_);
    if (end_ > 0) std::memcpy(grown.get(), data_.get(), end_);
    data_ = std::move(grown);
  }
  return {data_.get() + end_, capacity_ - end_};
}

CommandParser::Event CommandParser::fail(const char* why) {
  error_ = std::string("Protocol error: ") + why;
  return Event::kBroken;
}

std::optional<std::string_view> CommandParser::take_line() {
  const std::string_view text = unread();
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  scan_ += end + 1;
  const bool has_return = end > 0 && text[end - 1] == '\r';
  return text.substr(0, has_return ? end - 1 : end);
}

CommandParser::Event CommandParser::next() {
  if (!error_.empty()) return Event::kBroken;
  for (;;) {
    if (!in_array_) {
      scan_ = begin_;
      if (begin_ == end_) return Event::kNeedMore;
      if (data_[begin_] != '*') {
        const Event event = next_inline();
        if (event != Event::kCommand || !arguments_.empty()) return event;
        continue;  // an empty line
      }
    }
    const Event event = next_array();
    if (event != Event::kCommand || !arguments_.empty()) return event;
  }
}

void CommandParser::put_back() {
  begin_ = scan_ = command_begin_;
  in_array_ = false;
}

void CommandParser::finish_command() {
  in_array_ = false;
  command_begin_ = begin_;
  begin_ = scan_;
}

CommandParser::Event CommandParser::next_inline() {
  arguments_.clear();
  const auto line = take_line();
  if (!line) {
    return end_ - begin_ > kLineBytesMax ? fail("too big inline request") : Event::kNeedMore;
  }
  if (line->size() > kLineBytesMax) return fail("too big inline request");
  if (!split_line(*line)) return fail("unbalanced quotes in request");
  for (const std::string& one : unescaped_) arguments_.push_back(one);
  finish_command();
  return Event::kCommand;
}

bool CommandParser::split_line(std::string_view line) {
  unescaped_.clear();
  std::size_t at = 0;
  for (;;) {
    while (at < line.size() && is_blank(line[at])) ++at;
    if (at == line.size()) return true;
    std::string& word = unescaped_.emplace_back();
    while (at < line.size() && !is_blank(line[at])) {
      const char c = line[at++];
      if (c != '"' && c != '\'') {
        word += c;
      } else if (!take_quoted(line, c, at, word)) {
        return false;
      }
    }
  }
}

CommandParser::Event CommandParser::next_array() {
  if (!in_array_) {
    const auto line = take_line();
    if (!line) {
      return end_ - begin_ > kLineBytesMax ? fail("too big mbulk count string") : Event::kNeedMore;
    }
    if (!begin_array(line->substr(1))) return Event::kBroken;
  }
  while (cut_.size() < wanted_) {
    const Event event = next_bulk();
    if (event != Event::kCommand) return event;
  }
  arguments_.clear();
  for (const auto& [offset, size] : cut_) {
    arguments_.emplace_back(data_.get() + begin_ + offset, size);
  }
  finish_command();
  return Event::kCommand;
}

bool CommandParser::begin_array(std::string_view count_text) {
  const bool stranger = limits_.arguments_max <= stranger_limits().arguments_max;
  const auto count = to_integer(count_text);
  if (!count || *count > static_cast<std::int64_t>(stranger ? ParserLimits().arguments_max
                                                            : limits_.arguments_max)) {
    fail("invalid multibulk length");
    return false;
  }
  if (*count > static_cast<std::int64_t>(limits_.arguments_max)) {
    fail("unauthenticated multibulk length");
    return false;
  }
  in_array_ = true;
  wanted_ = static_cast<std::size_t>(std::max<std::int64_t>(0, *count));
  cut_.clear();
  bulk_bytes_.reset();
  return true;
}

CommandParser::Event CommandParser::next_bulk() {
  if (!bulk_bytes_) {
    if (scan_ < end_ && data_[scan_] != '$') {
      const std::string why = std::string("expected '$', got '") + data_[scan_] + "'";
      return fail(why.c_str());
    }
    const std::size_t waiting = end_ - scan_;
    const auto line = take_line();
    if (!line) {
      return waiting > kLineBytesMax ? fail("too big bulk count string") : Event::kNeedMore;
    }
    const auto bytes = to_integer(line->substr(1));
    const bool stranger = limits_.bulk_bytes_max <= stranger_limits().bulk_bytes_max;
    if (!bytes || *bytes < 0 || *bytes > static_cast<std::int64_t>(ParserLimits().bulk_bytes_max)) {
      return fail("invalid bulk length");
    }
    if (*bytes > static_cast<std::int64_t>(limits_.bulk_bytes_max)) {
      return fail(stranger ? "unauthenticated bulk length" : "invalid bulk length");
    }
    bulk_bytes_ = static_cast<std::size_t>(*bytes);
    if (scan_ - begin_ + *bulk_bytes_ > limits_.command_bytes_max) {
      return fail("too big command");
    }
  }
  if (end_ - scan_ < *bulk_bytes_ + 2) return Event::kNeedMore;
  cut_.emplace_back(scan_ - begin_, *bulk_bytes_);
  scan_ += *bulk_bytes_ + 2;
  bulk_bytes_.reset();
  return Event::kCommand;
}

}  // namespace edged::redis
