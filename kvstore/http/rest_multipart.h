// SPDX-License-Identifier: Apache-2.0
// Reads a multipart/form-data body (RFC 7578) piece by piece, so that a large part need not be in
// memory: feed() a piece, then take events with next() until it wants more.
//   MultipartReader reader(boundary);
//   reader.feed(piece);  … reader.feed_end();
//   for (;;) { auto event = reader.next(); if (event.kind == kMore) break; … }
// The bytes of a part are exact: only CRLF, two hyphens and the boundary, followed by CRLF or two
// hyphens, end it. Memory: the piece fed and about 8 KiB. No I/O; one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proto/base/status.h"

namespace edged::kv_http {

// The boundary that a Content-Type names, perhaps in quotes; nothing if the type is not
// multipart/form-data. Errors: kInvalidArgument (no boundary, or not one of RFC 2046: 1 to 70
// characters).
std::optional<Result<std::string>> multipart_boundary(std::string_view content_type);

struct MultipartEvent {
  enum class Kind : std::uint8_t {
    kMore,     // feed() or feed_end(), then ask again
    kPart,     // a part begins; `text` is its name, empty if it has none
    kData,     // the next bytes of the part are `text`, at least one
    kPartEnd,  // the part is complete
    kEnd,      // the form is complete; what follows is ignored
    kBroken,   // the form is malformed; `text` says how. Each further event is the same
  };
  Kind kind = Kind::kMore;
  std::string text;
};

class MultipartReader {
 public:
  static constexpr std::size_t kPartHeaderBytesMax = 8 * 1024;
  static constexpr std::size_t kPartsMax = 1000;

  // `boundary` as multipart_boundary() gives it.
  explicit MultipartReader(std::string_view boundary);

  // Only after next() said kMore, or at first.
  void feed(std::string_view piece);
  // The body is complete.
  void feed_end() { ended_ = true; }

  MultipartEvent next();

 private:
  enum class State : std::uint8_t { kPreamble, kHeader, kData, kDone, kBroken };
  // Whether a delimiter begins at a position of the buffer, and of which kind it is.
  enum class Delimiter : std::uint8_t { kNo, kNeedsMore, kPart, kClose };

  MultipartEvent broken(std::string_view why);
  MultipartEvent preamble();
  MultipartEvent header();
  MultipartEvent data();
  // At `at`, which is where its CRLF is, or would be before the first line. Sets `end` to behind
  // it.
  Delimiter delimiter_at(std::size_t at, std::size_t& end) const;
  // Where the next delimiter is or may begin, from `from` on; `found` tells what it is.
  std::size_t find_delimiter(std::size_t from, Delimiter& found, std::size_t& end) const;
  void drop(std::size_t bytes);

  std::string delimiter_;  // "\r\n--boundary"
  std::string buffer_;     // what was fed and not yet given
  State state_ = State::kPreamble;
  // The buffer begins with the line end of the part's header: a delimiter may begin with it, but
  // it is no data.
  bool skip_line_end_ = false;
  std::size_t parts_ = 0;
  bool ended_ = false;
  std::string why_;
};

}  // namespace edged::kv_http
