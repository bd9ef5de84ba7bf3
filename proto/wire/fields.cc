// SPDX-License-Identifier: Apache-2.0
// Encoding and decoding of TLV fields. See fields.h.
#include "proto/wire/fields.h"

#include <type_traits>
#include <utility>

#include "proto/base/check.h"
#include "proto/wire/codec.h"
#include "proto/wire/limits.h"
#include "proto/wire/operation_table.h"

namespace edged::wire {
namespace {

constexpr std::uint8_t kCritical = 0x01;
constexpr std::size_t kTlvHeaderBytes = 4;

std::size_t padding(std::size_t length) {
  return (4 - length % 4) % 4;
}

// Calls `visit(type, field)` for each field, in the order they are sent. The one list of them.
template <typename AnyFields, typename Visit>
void visit_fields(AnyFields& fields, Visit visit) {
  visit(Tlv::kExpiresAt, fields.expires_at_ms);
  visit(Tlv::kTtl, fields.ttl_ms);
  visit(Tlv::kVersion, fields.version);
  visit(Tlv::kIfVersion, fields.if_version);
  visit(Tlv::kMetadata, fields.metadata);
  visit(Tlv::kLimit, fields.limit);
  visit(Tlv::kCursor, fields.cursor);
  visit(Tlv::kLease, fields.lease);
  visit(Tlv::kRetryAfter, fields.retry_after_ms);
  visit(Tlv::kMessage, fields.message);
  visit(Tlv::kNamespace, fields.ns);
  visit(Tlv::kSourcePosition, fields.source_position);
  visit(Tlv::kFreshAsOf, fields.fresh_as_of_ms);
  visit(Tlv::kMaxStaleness, fields.max_staleness_ms);
  visit(Tlv::kMinPosition, fields.min_position);
  visit(Tlv::kValueBytes, fields.value_bytes);
  visit(Tlv::kNamespaceId, fields.namespace_id);
  visit(Tlv::kTitle, fields.title);
  visit(Tlv::kCreatedAt, fields.created_at_ms);
  visit(Tlv::kServerTime, fields.server_time_ms);
  visit(Tlv::kCredential, fields.credential);
  visit(Tlv::kScope, fields.scope);
  visit(Tlv::kDelta, fields.delta);
  visit(Tlv::kInitial, fields.initial);
  visit(Tlv::kCached, fields.cached);
}

std::size_t data_bytes(std::string_view data) {
  return data.size();
}
template <typename Integer>
std::size_t data_bytes(Integer) {
  return sizeof(Integer);
}

void append_data(std::string& out, std::string_view data) {
  out.append(data);
  out.append(padding(data.size()), '\0');
}
void append_data(std::string& out, std::uint32_t data) {
  append_u32(out, data);
}
void append_data(std::string& out, std::uint64_t data) {
  append_u64(out, data);
}
void append_data(std::string& out, std::int64_t data) {
  append_u64(out, static_cast<std::uint64_t>(data));
}

Status bad(std::uint8_t type, std::string_view why) {
  return {Code::kBadFrame, "could not read TLV " + std::to_string(type) + ": " + std::string(why)};
}

void read_data(std::string_view data, std::string_view& field) {
  field = data;
}
template <typename Integer>
void read_data(std::string_view data, Integer& field) {
  ByteReader reader(data);
  field = static_cast<Integer>(sizeof(Integer) == 4 ? reader.u32() : reader.u64());
}

template <typename Value>
Status store(std::uint8_t type, std::string_view data, std::optional<Value>& field) {
  if (field) {
    return bad(type, "it is repeated");
  }
  if (!std::is_same_v<Value, std::string_view> && data.size() != sizeof(Value)) {
    return bad(type, "it is not " + std::to_string(sizeof(Value)) + " bytes long");
  }
  read_data(data, field.emplace());
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
  Status stored;
  bool known = false;
  visit_fields(fields, [&](Tlv visited, auto& field) {
    if (visited == static_cast<Tlv>(type)) {
      known = true;
      stored = store(type, data, field);
    }
  });
  return known ? stored : store_unknown(type, critical);
}

// As docs/protocol.md names them.
constexpr std::pair<Tlv, std::string_view> kTlvNames[] = {
    {Tlv::kExpiresAt, "expires_at"},
    {Tlv::kTtl, "ttl"},
    {Tlv::kVersion, "version"},
    {Tlv::kIfVersion, "if_version"},
    {Tlv::kMetadata, "metadata"},
    {Tlv::kLimit, "limit"},
    {Tlv::kCursor, "cursor"},
    {Tlv::kLease, "lease"},
    {Tlv::kRetryAfter, "retry_after"},
    {Tlv::kMessage, "message"},
    {Tlv::kNamespace, "namespace"},
    {Tlv::kSourcePosition, "source_position"},
    {Tlv::kFreshAsOf, "fresh_as_of"},
    {Tlv::kMaxStaleness, "max_staleness"},
    {Tlv::kMinPosition, "min_position"},
    {Tlv::kValueBytes, "value_bytes"},
    {Tlv::kNamespaceId, "namespace_id"},
    {Tlv::kTitle, "title"},
    {Tlv::kCreatedAt, "created_at"},
    {Tlv::kServerTime, "server_time"},
    {Tlv::kCredential, "credential"},
    {Tlv::kScope, "scope"},
    {Tlv::kDelta, "delta"},
    {Tlv::kInitial, "initial"},
    {Tlv::kCached, "cached"},
};

}  // namespace

std::string_view tlv_name(Tlv tlv) {
  for (const auto& [known, name] : kTlvNames) {
    if (known == tlv) return name;
  }
  return "unknown";
}

TlvSet TlvSet::of(const Fields& fields) {
  TlvSet present;
  visit_fields(fields, [&present](Tlv type, const auto& field) {
    if (field) present = present | TlvSet{type};
  });
  return present;
}

std::uint16_t append_fields(const Fields& fields, std::string& out) {
  const std::size_t start = out.size();
  visit_fields(fields, [&out](Tlv type, const auto& field) {
    if (field) {
      append_u8(out, static_cast<std::uint8_t>(type));
      append_u8(out, 0);
      append_u16(out, static_cast<std::uint16_t>(data_bytes(*field)));
      append_data(out, *field);
    }
  });
  KV_CHECK(out.size() - start <= kExtBytesMax);
  return static_cast<std::uint16_t>(out.size() - start);
}

std::size_t fields_bytes(const Fields& fields) {
  std::size_t bytes = 0;
  visit_fields(fields, [&bytes](Tlv, const auto& field) {
    if (field) {
      const std::size_t data = data_bytes(*field);
      bytes += kTlvHeaderBytes + data + padding(data);
    }
  });
  return bytes;
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
      return bad(type, "it extends beyond the TLV area");
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
