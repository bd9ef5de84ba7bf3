// SPDX-License-Identifier: Apache-2.0
// Encoding and decoding of requests, responses and items. See message.h.
#include "proto/wire/message.h"

#include <array>
#include <optional>
#include <utility>

#include "proto/base/check.h"
#include "proto/wire/codec.h"

namespace edged::wire {
namespace {

constexpr std::size_t kItemExtBytesAt = 6;

constexpr std::pair<Opcode, std::string_view> kOpcodeNames[] = {
    {Opcode::kGet, "get"},
    {Opcode::kPut, "put"},
    {Opcode::kPutIfAbsent, "put_if_absent"},
    {Opcode::kPutIfPresent, "put_if_present"},
    {Opcode::kPutIfVersion, "put_if_version"},
    {Opcode::kDelete, "delete"},
    {Opcode::kDeleteIfVersion, "delete_if_version"},
    {Opcode::kTouch, "touch"},
    {Opcode::kGetAndTouch, "get_and_touch"},
    {Opcode::kAdd, "add"},
    {Opcode::kMultiGet, "multi_get"},
    {Opcode::kMultiPut, "multi_put"},
    {Opcode::kMultiDelete, "multi_delete"},
    {Opcode::kList, "list"},
    {Opcode::kLeasePut, "lease_put"},
    {Opcode::kInvalidate, "invalidate"},
    {Opcode::kBatch, "batch"},
    {Opcode::kCheckPresent, "check_present"},
    {Opcode::kCheckAbsent, "check_absent"},
    {Opcode::kCheckVersion, "check_version"},
    {Opcode::kOpen, "open"},
    {Opcode::kAuth, "auth"},
    {Opcode::kPing, "ping"},
    {Opcode::kStats, "stats"},
    {Opcode::kWatch, "watch"},
    {Opcode::kCancel, "cancel"},
    {Opcode::kGoAway, "go_away"},
    {Opcode::kNamespaceCreate, "namespace_create"},
    {Opcode::kNamespaceList, "namespace_list"},
    {Opcode::kNamespaceRename, "namespace_rename"},
    {Opcode::kNamespaceDelete, "namespace_delete"},
    {Opcode::kNamespaceClear, "namespace_clear"},
    {Opcode::kNamespaceUsage, "namespace_usage"},
    {Opcode::kClockConfirm, "clock_confirm"},
    {Opcode::kTokenCreate, "token_create"},
    {Opcode::kTokenList, "token_list"},
    {Opcode::kTokenRevoke, "token_revoke"},
};

std::size_t begin_answer(Kind kind,
                         Opcode opcode,
                         std::uint16_t flags,
                         std::uint32_t id,
                         Code status,
                         std::string& out) {
  Header header;
  header.kind = kind;
  header.opcode = static_cast<std::uint8_t>(opcode);
  header.flags = flags;
  header.id = id;
  header.key_bytes = static_cast<std::uint16_t>(status);
  return begin_frame(header, out);
}

void append_answer(Kind kind, const Response& response, std::string& out) {
  const std::size_t start =
      begin_answer(kind, response.opcode, response.flags, response.id, response.status, out);
  const std::uint16_t ext_bytes = append_fields(response.fields, out);
  out.append(response.value);
  finish_frame(start, ext_bytes, out);
}

// An item up to its value; `rest` is what follows.
struct ItemParts {
  PlainItem item;
  std::string_view ext, rest;
};
// Nothing if it is cut short or reserved bits are set.
std::optional<ItemParts> cut_item(std::string_view bytes) {
  ByteReader reader(bytes);
  ItemParts parts;
  parts.item.opcode = static_cast<Opcode>(reader.u8());
  const std::uint8_t reserved = reader.u8();
  parts.item.status = static_cast<Code>(reader.u16());
  const std::uint16_t key_bytes = reader.u16();
  const std::uint16_t ext_bytes = reader.u16();
  const std::uint32_t value_bytes = reader.u32();
  parts.ext = reader.bytes(ext_bytes);
  parts.item.key = reader.bytes(key_bytes);
  parts.item.value = reader.bytes(value_bytes);
  if (reader.failed() || reserved != 0) return std::nullopt;
  parts.rest = bytes.substr(bytes.size() - reader.remaining());
  return parts;
}

void append_item_header(const PlainItem& item, std::string& out) {
  KV_CHECK(item.key.size() <= kKeyBytesMax && item.value.size() <= kFragmentedItemsBytesMax);
  append_u16(out, static_cast<std::uint8_t>(item.opcode));  // and a reserved byte
  append_u16(out, static_cast<std::uint16_t>(item.status));
  append_u32(out, static_cast<std::uint32_t>(item.key.size()));  // and no fields
  append_u32(out, static_cast<std::uint32_t>(item.value.size()));
}

}  // namespace

std::string_view opcode_name(Opcode opcode) {
  static const std::array<std::string_view, 256> names = [] {
    std::array<std::string_view, 256> table;
    table.fill("unknown");
    for (const auto& [named, name] : kOpcodeNames) {
      table[static_cast<std::uint8_t>(named)] = name;
    }
    return table;
  }();
  return names[static_cast<std::uint8_t>(opcode)];
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
  append_answer(Kind::kResponse, response, out);
}

void append_plain_response(const Header& request,
                           Code status,
                           std::string_view value,
                           std::string& out) {
  const std::size_t start = begin_response(
      static_cast<Opcode>(request.opcode), request.flags & kFlagCrc, request.id, status, out);
  out.append(value);
  finish_frame(start, 0, out);
}

void append_push(const Response& push, std::string& out) {
  append_answer(Kind::kPush, push, out);
}

void append_item(const Item& item, std::string& out) {
  const std::size_t start = out.size();
  append_item_header({item.opcode, item.status, item.key, item.value}, out);
  patch_u16(out, start + kItemExtBytesAt, append_fields(item.fields, out));
  out.append(item.key);
  out.append(item.value);
}

void append_plain_item(const PlainItem& item, std::string& out) {
  append_item_header(item, out);
  out.append(item.key);
  out.append(item.value);
}

std::size_t begin_response(
    Opcode opcode, std::uint16_t flags, std::uint32_t id, Code status, std::string& out) {
  return begin_answer(Kind::kResponse, opcode, flags, id, status, out);
}

std::size_t item_bytes(const Item& item) {
  return kItemHeaderBytes + fields_bytes(item.fields) + item.key.size() + item.value.size();
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
  const std::optional<ItemParts> parts = cut_item(rest_);
  if (!parts) {
    status_ =
        Status(Code::kBadFrame, "could not read item: it is cut short or reserved bits are set");
    return false;
  }
  Result<Fields> fields = decode_fields(parts->ext);
  if (!fields) {
    status_ = fields.error().with_context("could not read item");
    return false;
  }
  item = {parts->item.opcode, parts->item.status, *fields, parts->item.key, parts->item.value};
  rest_ = parts->rest;
  return true;
}

bool PlainItemReader::next(PlainItem& item) {
  const std::optional<ItemParts> parts = cut_item(rest_);
  if (!parts || !parts->ext.empty()) return false;
  item = parts->item;
  rest_ = parts->rest;
  return true;
}

}  // namespace edged::wire
