// SPDX-License-Identifier: Apache-2.0
// Encoding and decoding of TLV fields. See fields.h.
#include "proto/wire/fields.h"

#include <utility>

#include "proto/base/check.h"
#include "proto/wire/codec.h"
#include "proto/wire/limits.h"

namespace edged::wire {
namespace {

constexpr std::uint8_t kCritical = 0x01;

std::size_t padding(std::size_t length) {
  return (4 - length % 4) % 4;
}

void append_tlv_header(std::string& out, Tlv type, std::size_t length) {
  append_u8(out, static_cast<std::uint8_t>(type));
  append_u8(out, 0);
  append_u16(out, static_cast<std::uint16_t>(length));
}

void append_tlv(std::string& out, Tlv type, const std::optional<std::uint64_t>& value) {
  if (value) {
    append_tlv_header(out, type, 8);
    append_u64(out, *value);
  }
}

void append_tlv(std::string& out, Tlv type, const std::optional<std::uint32_t>& value) {
  if (value) {
    append_tlv_header(out, type, 4);
    append_u32(out, *value);
  }
}

void append_tlv(std::string& out, Tlv type, const std::optional<std::string_view>& value) {
  if (value) {
    append_tlv_header(out, type, value->size());
    out.append(*value);
    out.append(padding(value->size()), '\0');
  }
}

Status bad(std::uint8_t type, std::string_view why) {
  return {Code::kBadFrame, "could not read TLV " + std::to_string(type) + ": " + std::string(why)};
}

Status store(std::uint8_t type, std::string_view data, std::optional<std::uint64_t>& field) {
  if (data.size() != 8 || field) {
    return bad(type, field ? "it is repeated" : "it is not 8 bytes long");
  }
  field = ByteReader(data).u64();
  return {};
}

Status store(std::uint8_t type, std::string_view data, std::optional<std::uint32_t>& field) {
  if (data.size() != 4 || field) {
    return bad(type, field ? "it is repeated" : "it is not 4 bytes long");
  }
  field = ByteReader(data).u32();
  return {};
}

Status store(std::uint8_t type, std::string_view data, std::optional<std::string_view>& field) {
  if (field) {
    return bad(type, "it is repeated");
  }
  field = data;
  return {};
}

Status store_unknown(std::uint8_t type, bool critical) {
  if (critical) {
    return {Code::kUnsupported,
            "could not honour TLV " + std::to_string(type) +
                ": it is marked critical and this node does not implement it"};
  }
  return {};
}

Status store_field(std::uint8_t type, bool critical, std::string_view data, Fields& fields) {
  switch (static_cast<Tlv>(type)) {
    case Tlv::kExpiresAt:
      return store(type, data, fields.expires_at_ms);
    case Tlv::kTtl:
      return store(type, data, fields.ttl_ms);
    case Tlv::kVersion:
      return store(type, data, fields.version);
    case Tlv::kIfVersion:
      return store(type, data, fields.if_version);
    case Tlv::kMetadata:
      return store(type, data, fields.metadata);
    case Tlv::kLimit:
      return store(type, data, fields.limit);
    case Tlv::kCursor:
      return store(type, data, fields.cursor);
    case Tlv::kRetryAfter:
      return store(type, data, fields.retry_after_ms);
    case Tlv::kMessage:
      return store(type, data, fields.message);
    case Tlv::kNamespace:
      return store(type, data, fields.ns);
    case Tlv::kValueBytes:
      return store(type, data, fields.value_bytes);
    case Tlv::kNamespaceId:
      return store(type, data, fields.namespace_id);
    case Tlv::kTitle:
      return store(type, data, fields.title);
    case Tlv::kCreatedAt:
      return store(type, data, fields.created_at_ms);
    case Tlv::kServerTime:
      return store(type, data, fields.server_time_ms);
    case Tlv::kRange:
    case Tlv::kLease:
    case Tlv::kTrace:
    case Tlv::kSourcePosition:
    case Tlv::kFreshAsOf:
    case Tlv::kMaxStaleness:
    case Tlv::kMinPosition:
    case Tlv::kWrittenAt:
    case Tlv::kIdempotencyKey:
    case Tlv::kCredential:
    case Tlv::kScope:
      break;
  }
  return store_unknown(type, critical);
}

}  // namespace

std::uint16_t append_fields(const Fields& fields, std::string& out) {
  const std::size_t start = out.size();
  append_tlv(out, Tlv::kExpiresAt, fields.expires_at_ms);
  append_tlv(out, Tlv::kTtl, fields.ttl_ms);
  append_tlv(out, Tlv::kVersion, fields.version);
  append_tlv(out, Tlv::kIfVersion, fields.if_version);
  append_tlv(out, Tlv::kMetadata, fields.metadata);
  append_tlv(out, Tlv::kLimit, fields.limit);
  append_tlv(out, Tlv::kCursor, fields.cursor);
  append_tlv(out, Tlv::kRetryAfter, fields.retry_after_ms);
  append_tlv(out, Tlv::kMessage, fields.message);
  append_tlv(out, Tlv::kNamespace, fields.ns);
  append_tlv(out, Tlv::kValueBytes, fields.value_bytes);
  append_tlv(out, Tlv::kNamespaceId, fields.namespace_id);
  append_tlv(out, Tlv::kTitle, fields.title);
  append_tlv(out, Tlv::kCreatedAt, fields.created_at_ms);
  append_tlv(out, Tlv::kServerTime, fields.server_time_ms);
  KV_CHECK(out.size() - start <= kExtBytesMax);
  return static_cast<std::uint16_t>(out.size() - start);
}

Result<Fields> decode_fields(std::string_view bytes) {
  Fields fields;
  if (bytes.empty()) {
    return fields;
  }
  if (bytes.size() > kExtBytesMax || bytes.size() % 4 != 0) {
    return Status(Code::kBadFrame,
                  "could not read TLVs: their size is above 4096 or not a multiple of 4");
  }
  ByteReader reader(bytes);
  while (reader.remaining() > 0) {
    const std::uint8_t type = reader.u8();
    const std::uint8_t tlv_flags = reader.u8();
    const std::uint16_t length = reader.u16();
    const std::string_view data = reader.bytes(length);
    const std::string_view zeros = reader.bytes(padding(length));
    if (reader.failed()) {
      return bad(type, "it ends behind the TLV area");
    }
    if ((tlv_flags & ~kCritical) != 0 || zeros.find_first_not_of('\0') != std::string_view::npos) {
      return bad(type, "reserved bits or padding are not zero");
    }
    Status stored = store_field(type, (tlv_flags & kCritical) != 0, data, fields);
    if (!stored.ok()) {
      return stored;
    }
  }
  return fields;
}

}  // namespace edged::wire
