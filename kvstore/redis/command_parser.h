// SPDX-License-Identifier: Apache-2.0
// Cuts commands out of the bytes that a Redis client sends: arrays of bulk strings, or a line of
// text. Arguments are views into the read buffer, so that a value is not copied before it is used.
// Everything is bounded, and work is linear in the bytes received however they are cut.
//   const std::span<char> space = parser.prepare();
//   parser.commit(bytes_read);
//   while (parser.next() == Event::kCommand) execute(parser.arguments());
// One thread. Source: the Redis serialization protocol, versions 2 and 3 (requests are the same).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace edged::redis {

using Arguments = std::span<const std::string_view>;

struct ParserLimits {
  std::size_t arguments_max = 128 * 1024;
  std::size_t bulk_bytes_max =
      32 * 1024 * 1024;  // above the largest value, so that it has an answer
  std::size_t command_bytes_max = 64 * 1024 * 1024;
};

class CommandParser {
 public:
  enum class Event { kNeedMore, kCommand, kBroken };

  explicit CommandParser(ParserLimits limits) : limits_(limits) {}

  // The limits for peers that have not authenticated. They are Redis's.
  static constexpr ParserLimits stranger_limits() { return {10, 16 * 1024, 64 * 1024}; }
  // The limits count from the next command on.
  void set_limits(ParserLimits limits) { limits_ = limits; }

  // Returns room to read into. The views that arguments() gave before are invalid after this call.
  std::span<char> prepare();
  void commit(std::size_t count) { end_ += count; }

  // kCommand: arguments() has at least one. kBroken: error() says why, and nothing more comes.
  Event next();
  // next() will give the same command once more.
  void put_back();
  Arguments arguments() const { return arguments_; }
  // "Protocol error: invalid bulk length".
  const std::string& error() const { return error_; }

  // Part of a command has been received.
  bool in_command() const { return begin_ != end_; }
  std::size_t buffer_bytes() const { return capacity_; }

 private:
  static constexpr std::size_t kBufferBytesMin = 4 * 1024, kBufferBytesKept = 64 * 1024;
  static constexpr std::size_t kLineBytesMax = 64 * 1024;

  Event fail(const char* why);
  // The line at scan_ without its line end, or nothing if the line is not complete yet.
  std::optional<std::string_view> take_line();
  Event next_inline();
  Event next_array();
  bool begin_array(std::string_view count_text);
  Event next_bulk();
  bool split_line(std::string_view line);
  void finish_command();
  std::string_view unread() const { return {data_.get() + scan_, end_ - scan_}; }

  ParserLimits limits_;
  std::unique_ptr<char[]> data_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0, end_ = 0;  // of the bytes not consumed
  std::size_t scan_ = 0;             // the next byte to look at; begin_ <= scan_ <= end_
  std::size_t command_begin_ = 0;    // of the command given last

  // The array that is being read.
  bool in_array_ = false;
  std::size_t wanted_ = 0;
  std::optional<std::size_t> bulk_bytes_;                 // of the argument whose header was read
  std::vector<std::pair<std::size_t, std::size_t>> cut_;  // offsets from begin_, and lengths

  std::vector<std::string_view> arguments_;
  std::vector<std::string> unescaped_;  // of a line
  std::string error_;
};

}  // namespace edged::redis
