// SPDX-License-Identifier: Apache-2.0
// See client_messages.h.
#include "proto/net/client_messages.h"

#include "proto/wire/limits.h"

namespace edged::net {
namespace {

using wire::Opcode;

constexpr std::uint16_t kReadFlags = wire::kFlagInfo | wire::kFlagMetadata;

Opcode put_opcode(PutMode mode) {
  switch (mode) {
    case PutMode::kAlways:
      return Opcode::kPut;
    case PutMode::kIfAbsent:
      return Opcode::kPutIfAbsent;
    case PutMode::kIfPresent:
      return Opcode::kPutIfPresent;
    case PutMode::kIfVersion:
      return Opcode::kPutIfVersion;
  }
  return Opcode::kPut;
}

wire::Item put_wire_item(const PutItem& item) {
  wire::Item wired;
  wired.opcode = put_opcode(item.mode);
  wired.key = item.key;
  wired.value = item.value;
  if (!item.metadata.empty()) {
    wired.fields.metadata = item.metadata;
  }
  if (item.ttl) {
    wired.fields.ttl_ms = static_cast<std::uint64_t>(item.ttl->count());
  } else if (item.expires_at) {
    wired.fields.expires_at_ms = static_cast<std::uint64_t>(to_unix_ms(*item.expires_at));
  }
  if (item.mode == PutMode::kIfVersion) {
    wired.fields.if_version = item.if_version;
  }
  return wired;
}

std::string request_frame(const wire::Request& request) {
  std::string frame;
  wire::append_request(request, frame);
  return frame;
}

Status invalid(std::string message) {
  return {Code::kInvalidArgument, std::move(message)};
}

}  // namespace

Status check_name(std::string_view what, std::string_view name) {
  if (name.empty() || name.size() > wire::kKeyBytesMax) {
    return invalid("could not use " + std::string(what) + " of " + std::to_string(name.size()) +
                   " bytes: 1 to 512 are allowed");
  }
  return {};
}

Status check_put(const PutItem& item) {
  Status key = check_name("key", item.key);
  if (!key.ok()) {
    return key;
  }
  if (item.value.size() > wire::kFrameValueBytesMax) {
    return {Code::kTooLarge, "could not put \"" + item.key + "\": the value is above 1 MiB"};
  }
  if (item.metadata.size() > wire::kMetadataBytesMax) {
    return {Code::kTooLarge, "could not put \"" + item.key + "\": metadata is above 1024 bytes"};
  }
  if (item.ttl && item.ttl->count() <= 0) {
    return invalid("could not put \"" + item.key + "\": the TTL is not positive");
  }
  if (item.expires_at && to_unix_ms(*item.expires_at) < 0) {
    return invalid("could not put \"" + item.key + "\": the expiry is before 1970");
  }
  return {};
}

std::string get_frame(std::string_view key) {
  wire::Request request;
  request.opcode = Opcode::kGet;
  request.flags = kReadFlags;
  request.key = key;
  return request_frame(request);
}

std::string put_frame(const PutItem& item) {
  const wire::Item wired = put_wire_item(item);
  wire::Request request;
  request.opcode = wired.opcode;
  request.flags = item.sync ? wire::kFlagSync : std::uint16_t{0};
  request.fields = wired.fields;
  request.key = wired.key;
  request.value = wired.value;
  return request_frame(request);
}

std::string remove_frame(std::string_view key, std::optional<std::uint64_t> if_version) {
  wire::Request request;
  request.opcode = if_version ? Opcode::kDeleteIfVersion : Opcode::kDelete;
  request.fields.if_version = if_version;
  request.key = key;
  return request_frame(request);
}

Result<std::string> list_frame(const KvListRequest& list) {
  if (list.prefix.size() > wire::kKeyBytesMax || list.cursor.size() > wire::kKeyBytesMax) {
    return invalid("could not list keys: prefix or cursor is longer than 512 bytes");
  }
  wire::Request request;
  request.opcode = Opcode::kList;
  request.flags = static_cast<std::uint16_t>(
      kReadFlags | (list.with_values ? wire::kFlagWithValues : std::uint16_t{0}));
  request.fields.limit = list.limit;
  if (!list.cursor.empty()) {
    request.fields.cursor = list.cursor;
  }
  request.key = list.prefix;
  return request_frame(request);
}

std::string simple_frame(Opcode opcode, const wire::Fields& fields, std::string_view key) {
  wire::Request request;
  request.opcode = opcode;
  request.fields = fields;
  request.key = key;
  return request_frame(request);
}

std::string multi_get_frame(const std::vector<std::string>& keys,
                            std::size_t first,
                            std::size_t& next) {
  std::string items;
  for (next = first; next < keys.size() && next - first < wire::kItemsMax; ++next) {
    wire::Item item;
    item.key = keys[next];
    if (next > first && items.size() + wire::item_bytes(item) > wire::kBodyBytesFloor) {
      break;
    }
    wire::append_item(item, items);
  }
  wire::Request request;
  request.opcode = Opcode::kMultiGet;
  request.flags = kReadFlags;
  request.value = items;
  return request_frame(request);
}

std::string multi_put_frame(const std::vector<PutItem>& puts,
                            const std::vector<bool>& refused,
                            std::size_t first,
                            std::size_t& next,
                            std::vector<std::size_t>& places) {
  std::string items;
  bool sync = false;
  places.clear();
  for (next = first; next < puts.size() && places.size() < wire::kItemsMax; ++next) {
    if (refused[next]) {
      continue;
    }
    const wire::Item item = put_wire_item(puts[next]);
    if (!places.empty() && items.size() + wire::item_bytes(item) > wire::kBodyBytesFloor) {
      break;
    }
    wire::append_item(item, items);
    places.push_back(next);
    sync = sync || puts[next].sync;
  }
  wire::Request request;
  request.opcode = Opcode::kMultiPut;
  request.flags = sync ? wire::kFlagSync : std::uint16_t{0};
  request.value = items;
  return request_frame(request);
}

Status to_status(Code code, const wire::Fields& fields) {
  if (code == Code::kOk) {
    return {};
  }
  return {code, std::string(fields.message.value_or(code_name(code)))};
}

KvEntry to_entry(const wire::Fields& fields, std::string_view value) {
  KvEntry entry;
  entry.value = value;
  entry.metadata = fields.metadata.value_or("");
  entry.version = fields.version.value_or(0);
  if (fields.expires_at_ms) {
    entry.expires_at = from_unix_ms(static_cast<std::int64_t>(*fields.expires_at_ms));
  }
  return entry;
}

Result<KvListPage> to_page(const wire::Response& response) {
  KvListPage page;
  wire::ItemReader reader(response.value);
  wire::Item item;
  while (reader.next(item)) {
    page.items.push_back(KvListItem{std::string(item.key),
                                    to_entry(item.fields, item.value),
                                    item.fields.value_bytes.value_or(item.value.size())});
  }
  if (!reader.status().ok()) {
    return reader.status();
  }
  page.cursor = response.fields.cursor.value_or("");
  return page;
}

KvNamespace to_namespace(const wire::Fields& fields) {
  KvNamespace ns;
  ns.id = fields.namespace_id.value_or("");
  ns.title = fields.title.value_or("");
  ns.created_at = from_unix_ms(static_cast<std::int64_t>(fields.created_at_ms.value_or(0)));
  return ns;
}

}  // namespace edged::net
