// SPDX-License-Identifier: Apache-2.0
// Encoding and decoding of requests, responses and items. See message.h.
#include "proto/wire/message.h"

#include "proto/base/check.h"
#include "proto/wire/codec.h"

namespace edged::wire {
namespace {

constexpr std::size_t kItemExtBytesAt = 6;

}  // namespace

std::string_view opcode_name(Opcode opcode) {
  switch (opcode) {
    case Opcode::kGet:
      return "get";
    case Opcode::kPut:
      return "put";
    case Opcode::kPutIfAbsent:
      return "put_if_absent";
    case Opcode::kPutIfPresent:
      return "put_if_present";
    case Opcode::kPutIfVersion:
      return "put_if_version";
    case Opcode::kDelete:
      return "delete";
    case Opcode::kDeleteIfVersion:
      return "delete_if_version";
    case Opcode::kTouch:
      return "touch";
    case Opcode::kGetAndTouch:
      return "get_and_touch";
    case Opcode::kAdd:
      return "add";
    case Opcode::kMultiGet:
      return "multi_get";
    case Opcode::kMultiPut:
      return "multi_put";
    case Opcode::kMultiDelete:
      return "multi_delete";
    case Opcode::kList:
      return "list";
    case Opcode::kLeasePut:
      return "lease_put";
    case Opcode::kInvalidate:
      return "invalidate";
    case Opcode::kBatch:
      return "batch";
    case Opcode::kOpen:
      return "open";
    case Opcode::kAuth:
      return "auth";
    case Opcode::kPing:
      return "ping";
    case Opcode::kStats:
      return "stats";
    case Opcode::kWatch:
      return "watch";
    case Opcode::kCancel:
      return "cancel";
    case Opcode::kGoAway:
      return "go_away";
    case Opcode::kNamespaceCreate:
      return "namespace_create";
    case Opcode::kNamespaceList:
      return "namespace_list";
    case Opcode::kNamespaceRename:
      return "namespace_rename";
    case Opcode::kNamespaceDelete:
      return "namespace_delete";
    case Opcode::kNamespaceClear:
      return "namespace_clear";
  }
  return "unknown";
}

void append_request(const Request& request, std::string& out) {
  KV_CHECK(request.key.size() <= kKeyBytesMax);
  Header header;
  header.kind = Kind::kRequest;
  header.opcode = static_cast<std::uint8_t>(request.opcode);
  header.flags = request.flags;
  header.id = request.id;
  header.ns = request.ns;
  header.key_bytes = static_cast<std::uint16_t>(request.key.size());
  const std::size_t start = begin_frame(header, out);
  const std::uint16_t ext_bytes = append_fields(request.fields, out);
  out.append(request.key);
  out.append(request.value);
  finish_frame(start, ext_bytes, out);
}

void append_response(const Response& response, std::string& out) {
  Header header;
  header.kind = Kind::kResponse;
  header.opcode = static_cast<std::uint8_t>(response.opcode);
  header.flags = response.flags;
  header.id = response.id;
  header.key_bytes = static_cast<std::uint16_t>(response.status);
  const std::size_t start = begin_frame(header, out);
  const std::uint16_t ext_bytes = append_fields(response.fields, out);
  out.append(response.value);
  finish_frame(start, ext_bytes, out);
}

void append_item(const Item& item, std::string& out) {
  KV_CHECK(item.key.size() <= kKeyBytesMax && item.value.size() <= kBodyBytesMax);
  const std::size_t start = out.size();
  append_u8(out, static_cast<std::uint8_t>(item.opcode));
  append_u8(out, 0);
  append_u16(out, static_cast<std::uint16_t>(item.status));
  append_u16(out, static_cast<std::uint16_t>(item.key.size()));
  append_u16(out, 0);
  append_u32(out, static_cast<std::uint32_t>(item.value.size()));
  patch_u16(out, start + kItemExtBytesAt, append_fields(item.fields, out));
  out.append(item.key);
  out.append(item.value);
}

std::size_t item_bytes(const Item& item) {
  const auto tlv = [](std::size_t length) { return 4 + (length + 3) / 4 * 4; };
  const Fields& fields = item.fields;
  std::size_t bytes = kItemHeaderBytes + item.key.size() + item.value.size();
  for (const auto* field : {&fields.expires_at_ms,
                            &fields.ttl_ms,
                            &fields.version,
                            &fields.if_version,
                            &fields.value_bytes,
                            &fields.created_at_ms,
                            &fields.server_time_ms}) {
    bytes += field->has_value() ? tlv(8) : 0;
  }
  for (const auto* field : {&fields.limit, &fields.retry_after_ms, &fields.ns}) {
    bytes += field->has_value() ? tlv(4) : 0;
  }
  for (const auto* field :
       {&fields.metadata, &fields.cursor, &fields.message, &fields.namespace_id, &fields.title}) {
    bytes += field->has_value() ? tlv((*field)->size()) : 0;
  }
  return bytes;
}

Result<Request> decode_request(const Frame& frame) {
  Result<Fields> fields = decode_fields(frame.ext());
  if (!fields) {
    return fields.error();
  }
  Request request;
  request.opcode = static_cast<Opcode>(frame.header.opcode);
  request.flags = frame.header.flags;
  request.id = frame.header.id;
  request.ns = frame.header.ns;
  request.fields = *fields;
  request.key = frame.key();
  request.value = frame.value();
  return request;
}

Result<Response> decode_response(const Frame& frame) {
  Result<Fields> fields = decode_fields(frame.ext());
  if (!fields) {
    return fields.error();
  }
  Response response;
  response.opcode = static_cast<Opcode>(frame.header.opcode);
  response.flags = frame.header.flags;
  response.id = frame.header.id;
  response.status = static_cast<Code>(frame.header.key_bytes);
  response.fields = *fields;
  response.value = frame.value();
  return response;
}

bool ItemReader::next(Item& item) {
  if (!status_.ok() || rest_.empty()) {
    return false;
  }
  ByteReader reader(rest_);
  item.opcode = static_cast<Opcode>(reader.u8());
  const std::uint8_t reserved = reader.u8();
  item.status = static_cast<Code>(reader.u16());
  const std::uint16_t key_bytes = reader.u16();
  const std::uint16_t ext_bytes = reader.u16();
  const std::uint32_t value_bytes = reader.u32();
  const std::string_view ext = reader.bytes(ext_bytes);
  item.key = reader.bytes(key_bytes);
  item.value = reader.bytes(value_bytes);
  if (reader.failed() || reserved != 0) {
    status_ =
        Status(Code::kBadFrame, "could not read item: it is cut short or reserved bits are set");
    return false;
  }
  Result<Fields> fields = decode_fields(ext);
  if (!fields) {
    status_ = fields.error().with_context("could not read item");
    return false;
  }
  item.fields = *fields;
  rest_.remove_prefix(rest_.size() - reader.remaining());
  return true;
}

}  // namespace edged::wire
