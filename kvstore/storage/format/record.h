// SPDX-License-Identifier: Apache-2.0
// The on-disk layout of an entry: its key and its value with a fixed 24-byte header. Decoding is
// safe on any bytes. Layout and rationale: docs/storage-format.md, sections 2 and 3. Pure
// functions; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "kvstore/storage/operation.h"
#include "proto/base/status.h"

namespace edged::storage {

inline constexpr std::size_t kPrefixBytes = 4;
inline constexpr std::size_t kHeaderBytes = 24;
inline constexpr std::uint8_t kRecordFormat = 1;
// A value above this is stored apart from its record, so that conditions, lists, counts and
// compactions of records do not carry it along.
inline constexpr std::size_t kInlineBytesMax = 64 * 1024;

enum RecordFlag : std::uint8_t {
  kHasExpiry = 1,
  kHasMetadata = 2,
  kChunked = 4,     // the value is stored apart, in pieces
  kCompressed = 8,  // reserved
};

struct RecordHeader {
  std::uint8_t flags = 0;
  std::uint16_t metadata_bytes = 0;
  std::uint32_t checksum = 0;   // CRC-32C of stored key, header with zeros here, metadata, value
  std::uint64_t expiry_ms = 0;  // Unix milliseconds; 0: never
  std::uint64_t version = 0;
};

// Where a value above kInlineBytesMax is: its pieces have keys of their own (value_chunks.h).
struct BodyRef {
  std::uint64_t id = 0;
  std::uint64_t bytes = 0;
};

// A decoded record; the views point into the bytes that were decoded.
struct RecordView {
  RecordHeader header;
  std::string_view metadata;
  std::string_view value;  // empty if there is a body
  std::optional<BodyRef> body;

  std::uint64_t value_bytes() const { return body ? body->bytes : value.size(); }
};

// What a record is made of. expiry_ms 0 means never.
struct RecordParts {
  std::uint64_t expiry_ms = 0;
  std::uint64_t version = 0;
  std::string_view metadata;
  std::string_view value;
  std::optional<BodyRef> body;  // instead of value
};

// `prefix` big-endian, then `key`.
std::string encode_key(std::uint32_t prefix, std::string_view key);

// The smallest byte string above every string that starts with `start`; empty if there is none.
std::string successor_of_prefix(std::string_view start);

// `stored_key` is encode_key's result; it is part of the checksum, so that a value found under a
// wrong key is noticed. The caller has checked the sizes.
std::string encode_record(std::string_view stored_key, const RecordParts& parts);
// The same, into `record`, whose memory is used again.
void encode_record_into(std::string_view stored_key, const RecordParts& parts, std::string& record);

// The header alone, without the checksum's verdict. Nothing if the bytes cannot be a record: too
// short, another format, unknown flags, or lengths and flags that contradict each other.
std::optional<RecordHeader> decode_header(std::string_view bytes);

// Errors: kCorruption (not a record, or the checksum is wrong); kUnsupported (a format or a flag of
// a later release).
Result<RecordView> decode_record(std::string_view stored_key, std::string_view bytes);

// True from the millisecond of expiry on.
inline bool is_expired(std::uint64_t expiry_ms, std::int64_t now_ms) {
  return expiry_ms != 0 && now_ms >= 0 && static_cast<std::uint64_t>(now_ms) >= expiry_ms;
}

}  // namespace edged::storage
