// SPDX-License-Identifier: Apache-2.0
// Takes bulk JSON apart while it comes, so that a file of any size needs the memory of one entry:
// an array of objects, or objects one after the other (as in JSON lines). Not thread-safe.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <functional>
#include <string_view>

#include "proto/base/status.h"

namespace edged::kvctl {

// Metadata may be nested as deep as its 1,024 bytes allow.
inline constexpr std::size_t kBulkDepthMax = 1100;
// The text of one entry: a value of 25 MiB may be written with six characters a byte.
inline constexpr std::size_t kBulkEntryBytesMax = std::size_t{192} * 1024 * 1024;

class BulkReader {
 public:
  // Called with each object. A status that is not ok ends the reading.
  using OnEntry = std::function<Status(boost::json::value entry)>;

  explicit BulkReader(OnEntry on_entry, std::size_t entry_bytes_max = kBulkEntryBytesMax);

  // The next bytes, cut anywhere. Errors: kInvalidArgument: not such JSON, and where; kTooLarge: an
  // entry above entry_bytes_max; what OnEntry answered. No call may follow an error.
  Status feed(std::string_view bytes);
  // After the last bytes. Errors: kInvalidArgument: nothing was there, or it ends too early.
  Status finish();

  // Entries given to OnEntry, the one that failed not counted.
  std::uint64_t entries() const { return entries_; }
  // "entry 17 (line 18)": the one that is read now.
  std::string position() const;

 private:
  enum class State { kStart, kFirst, kNext, kInside, kSeparator, kLines, kEnd };

  Status take_mark(char mark);
  Status begin_entry(char mark);
  Result<std::size_t> take_entry(std::string_view bytes);
  Status unexpected(char mark, std::string_view wanted) const;

  const OnEntry on_entry_;
  const std::size_t entry_bytes_max_;
  boost::json::stream_parser parser_;
  State state_ = State::kStart;
  bool is_array_ = false;
  std::size_t entry_bytes_ = 0;
  std::uint64_t entries_ = 0;
  std::uint64_t lines_ = 1;
};

}  // namespace edged::kvctl
