// SPDX-License-Identifier: Apache-2.0
// TLV fields: the optional parts of frames and items (docs/protocol.md, "TLVs"). Numbers are fixed
// for ever; those marked reserved are not implemented by this version, so that it refuses them when
// they are marked critical and ignores them otherwise. Pure functions; safe on any bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proto/base/status.h"

namespace edged::wire {

enum class Tlv : std::uint8_t {
  kExpiresAt = 0x01,       // u64, ms since 1970
  kTtl = 0x02,             // u64, ms
  kVersion = 0x03,         // u64
  kIfVersion = 0x04,       // u64
  kMetadata = 0x05,        // JSON text
  kLimit = 0x06,           // u32
  kCursor = 0x07,          // bytes
  kRange = 0x08,           // reserved: u64 offset, u64 total
  kLease = 0x09,           // u64
  kRetryAfter = 0x0A,      // u32, ms
  kMessage = 0x0B,         // UTF-8 text
  kTrace = 0x0C,           // reserved: 16 bytes
  kNamespace = 0x0D,       // u32, a handle; in a request's item: the item's own namespace
  kSourcePosition = 0x0E,  // bytes, 0..64; in a request: it is the mirror's
  kFreshAsOf = 0x0F,       // u64, ms since 1970
  kMaxStaleness = 0x10,    // u64, ms
  kMinPosition = 0x11,     // bytes, 1..64
  kWrittenAt = 0x12,       // reserved: u64, ms since 1970
  kValueBytes = 0x13,      // u64
  kNamespaceId = 0x14,     // 32 hexadecimal digits
  kTitle = 0x15,           // UTF-8 text
  kCreatedAt = 0x16,       // u64, ms since 1970
  kServerTime = 0x17,      // u64, ms since 1970
  kIdempotencyKey = 0x18,  // reserved: 16 bytes
  kCredential = 0x19,      // bytes: a token
  kScope = 0x1A,           // text: "read,write"
  kDelta = 0x1B,           // i64
  kInitial = 0x1C,         // i64
  kCached = 0x1D,          // u32: 1 or 0
};

// What this version understands. Views point into the frame they were decoded from.
struct Fields {
  std::optional<std::uint64_t> expires_at_ms;
  std::optional<std::uint64_t> ttl_ms;
  std::optional<std::uint64_t> version;
  std::optional<std::uint64_t> if_version;
  std::optional<std::uint64_t> value_bytes;
  std::optional<std::uint64_t> created_at_ms;
  std::optional<std::uint64_t> server_time_ms;
  std::optional<std::uint64_t> lease;
  std::optional<std::uint64_t> fresh_as_of_ms;
  std::optional<std::uint64_t> max_staleness_ms;
  std::optional<std::int64_t> delta;
  std::optional<std::int64_t> initial;
  std::optional<std::uint32_t> limit;
  std::optional<std::uint32_t> retry_after_ms;
  std::optional<std::uint32_t> ns;
  std::optional<std::uint32_t> cached;
  std::optional<std::string_view> metadata;
  std::optional<std::string_view> cursor;
  std::optional<std::string_view> message;
  std::optional<std::string_view> namespace_id;
  std::optional<std::string_view> title;
  std::optional<std::string_view> credential;
  std::optional<std::string_view> scope;
  std::optional<std::string_view> source_position;
  std::optional<std::string_view> min_position;
};

// Appends the fields that are present, each padded to 4 bytes; returns their size together. None is
// marked critical: every server of version 1 knows them. Requires together at most kExtBytesMax
// bytes.
std::uint16_t append_fields(const Fields& fields, std::string& out);

// The bytes append_fields would append.
std::size_t fields_bytes(const Fields& fields);

// Errors: kBadFrame (cut short, wrong length, repeated, padding or flag bits set); kUnsupported (a
// critical TLV that this version does not implement).
Result<Fields> decode_fields(std::string_view bytes);

}  // namespace edged::wire
