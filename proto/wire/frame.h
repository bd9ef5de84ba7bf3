// SPDX-License-Identifier: Apache-2.0
// Frames of KVB/1 (docs/protocol.md, "Hello" and "Frames"): the 16-byte hello, the 24-byte header,
// CRC-32C, and FrameReader, which cuts a byte stream into frames however it was split. No I/O; safe
// on any bytes; one object per connection and thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/status.h"
#include "proto/wire/limits.h"

namespace edged::wire {

enum class Kind : std::uint8_t { kRequest = 0xB7, kResponse = 0xB8, kPush = 0xB9 };

// Bits of the header's flags. A server answers kUnsupported to a set bit it does not implement,
// except for the two hints kFlagNoCache and kFlagStaleOk, which it may ignore.
inline constexpr std::uint16_t kFlagCrc = 0x0001;
inline constexpr std::uint16_t kFlagMore = 0x0002;   // another fragment with this id follows
inline constexpr std::uint16_t kFlagQuiet = 0x0004;  // no response if it would say nothing new
inline constexpr std::uint16_t kFlagFence = 0x0008;  // begin when all earlier requests are answered
inline constexpr std::uint16_t kFlagMetadata = 0x0010;  // GET, MGET, LIST: answer with metadata
inline constexpr std::uint16_t kFlagInfo = 0x0020;      // GET, MGET, LIST: with version and expiry
inline constexpr std::uint16_t kFlagNoCache = 0x0040;   // hint
inline constexpr std::uint16_t kFlagSync = 0x0080;      // writes: on disk before the answer
inline constexpr std::uint16_t kFlagStaleOk = 0x0100;   // hint
inline constexpr std::uint16_t kFlagLease =
    0x0200;  // GET: on a miss, take the lease to fill the key
inline constexpr std::uint16_t kFlagWithValues = 0x0400;  // LIST: answer with values
inline constexpr std::uint16_t kFlagCached = 0x0800;      // LIST: tell which entries are cached

struct Hello {
  std::uint8_t version_min = kProtocolVersion;  // server: the version chosen, 0 if none is common
  std::uint8_t version_max = kProtocolVersion;
  std::uint32_t features = 0;  // none exist yet; a server answers those it shares
  std::uint32_t body_bytes_max = kBodyBytesMax;
};

void append_hello(const Hello& hello, std::string& out);
// `bytes` is kHelloBytes long. Errors: kBadFrame.
Result<Hello> decode_hello(std::string_view bytes);
// The version both speak, or 0.
std::uint8_t common_version(const Hello& client);

struct Header {
  Kind kind = Kind::kRequest;
  std::uint8_t opcode = 0;
  std::uint16_t flags = 0;
  std::uint32_t id = 0;
  std::uint32_t body_bytes = 0;
  std::uint32_t ns = 0;         // requests; 0 in responses
  std::uint16_t key_bytes = 0;  // requests; the status in responses
  std::uint16_t ext_bytes = 0;
  std::uint32_t crc = 0;
};

// `bytes` is kHeaderBytes long. Only the kind is judged; FrameReader judges the rest. Errors:
// kBadFrame.
Result<Header> decode_header(std::string_view bytes);

struct Frame {
  Header header;
  std::string_view body;

  std::string_view ext() const { return body.substr(0, header.ext_bytes); }
  // Requests only.
  std::string_view key() const { return body.substr(header.ext_bytes, header.key_bytes); }
  std::string_view value() const {
    const std::size_t key_bytes = header.kind == Kind::kRequest ? header.key_bytes : 0;
    return body.substr(header.ext_bytes + key_bytes);
  }
};

// Appends a header whose body length and checksum finish_frame fills in; returns its position.
std::size_t begin_frame(const Header& header, std::string& out);
// Call when the body stands behind the header at `start`. Requires a body of at most 4 GiB.
void finish_frame(std::size_t start, std::uint16_t ext_bytes, std::string& out);

// Cuts frames out of a stream. Give it bytes (prepare and commit, or feed), then call next() until
// it answers kNeedMore. Memory follows the bytes that really arrived, never a length that was
// announced.
class FrameReader {
 public:
  enum class Event {
    kNeedMore,
    kFrame,      // frame() is valid until the next call of prepare or feed
    kOversized,  // frame().header is valid, its body is being read over; the stream goes on
    kBroken,     // status() says why; the stream cannot be continued
  };
  enum class Peer { kClient, kServer };  // who sends: requests, or responses and pushes

  FrameReader(Peer peer, std::uint32_t body_bytes_max)
      : peer_(peer), body_bytes_max_(body_bytes_max) {}

  // Free space for the next read, at least 1 KiB.
  std::span<char> prepare();
  void commit(std::size_t count);
  void feed(std::string_view bytes);

  Event next();
  // The whole frames that are there behind the current one, for who wants to prepare for them.
  // Valid as long as frame(). At most `frames.size()`; how many.
  std::size_t peek(std::span<Frame> frames) const;
  // As next(), for the first of those that peek() found and that were not taken yet.
  Event take(const Frame& peeked);
  const Frame& frame() const { return frame_; }
  // Of the broken frame, as far as it was understood: its id and opcode are worth echoing. All 0 if
  // its kind was wrong already.
  const Header& broken_header() const { return frame_.header; }
  const Status& status() const { return status_; }

  // True if a frame has begun and is not complete; then frame_bytes_missing() says its announced
  // size.
  bool in_frame() const { return skip_ > 0 || begin_ < end_; }
  std::uint64_t frame_bytes_announced() const;
  std::size_t buffer_bytes() const { return buffer_.size(); }

 private:
  // Reads the frame that `unread`, which is not empty, begins with; all of it but the checksum is
  // judged. `why` is set if the answer is kBroken.
  Event cut(std::string_view unread, Frame& frame, Status& why) const;

  Peer peer_;
  std::uint32_t body_bytes_max_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0, end_ = 0;  // unread bytes of buffer_
  std::uint64_t skip_ = 0;           // bytes of an oversized body still to come
  Frame frame_;
  Status status_;
};

}  // namespace edged::wire
