// SPDX-License-Identifier: Apache-2.0
// See client_messages.h.
#include "proto/net/client_messages.h"

#include <utility>

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

wire::Item wire_item(const PutItem& item) {
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
  if (item.lease != 0) {
    wired.opcode = Opcode::kLeasePut;
    wired.fields.lease = item.lease;
  }
  return wired;
}

wire::Item wire_item(const RemoveItem& item) {
  wire::Item wired;
  wired.opcode = item.if_version ? Opcode::kDeleteIfVersion : Opcode::kDelete;
  wired.key = item.key;
  wired.fields.if_version = item.if_version;
  return wired;
}

wire::Item wire_item(const TouchItem& item) {
  wire::Item wired;
  wired.opcode = Opcode::kTouch;
  wired.key = item.key;
  wired.fields.if_version = item.if_version;
  if (item.ttl) {
    wired.fields.ttl_ms = static_cast<std::uint64_t>(item.ttl->count());
  } else if (item.expires_at) {
    wired.fields.expires_at_ms = static_cast<std::uint64_t>(to_unix_ms(*item.expires_at));
  }
  return wired;
}

wire::Item wire_item(const AddItem& item) {
  wire::Item wired;
  wired.opcode = Opcode::kAdd;
  wired.key = item.key;
  wired.fields.delta = item.delta;
  wired.fields.initial = item.initial;
  if (item.ttl) {
    wired.fields.ttl_ms = static_cast<std::uint64_t>(item.ttl->count());
  }
  return wired;
}

wire::Item wire_item(const CheckItem& item) {
  wire::Item wired;
  wired.opcode = item.wants == CheckItem::Wants::kPresent  ? Opcode::kCheckPresent
                 : item.wants == CheckItem::Wants::kAbsent ? Opcode::kCheckAbsent
                                                           : Opcode::kCheckVersion;
  wired.key = item.key;
  if (item.wants == CheckItem::Wants::kVersion) {
    wired.fields.if_version = item.version;
  }
  return wired;
}

wire::Request wire_request(const wire::Item& item) {
  wire::Request request;
  request.opcode = item.opcode;
  request.fields = item.fields;
  request.key = item.key;
  request.value = item.value;
  return request;
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
  if (item.value.size() > wire::kValueBytesMax) {
    return {Code::kTooLarge, "could not put \"" + item.key + "\": the value is above 25 MiB"};
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

Status check_touch(const TouchItem& item) {
  Status key = check_name("key", item.key);
  if (!key.ok()) {
    return key;
  }
  if (item.ttl && item.ttl->count() <= 0) {
    return invalid("could not touch \"" + item.key + "\": the TTL is not positive");
  }
  if (item.expires_at && to_unix_ms(*item.expires_at) < 0) {
    return invalid("could not touch \"" + item.key + "\": the expiry is before 1970");
  }
  return {};
}

Status check_add(const AddItem& item) {
  Status key = check_name("key", item.key);
  if (key.ok() && item.ttl && item.ttl->count() <= 0) {
    return invalid("could not add to \"" + item.key + "\": the TTL is not positive");
  }
  return key;
}

Status check_bounds(const ReadBounds& bounds) {
  if (bounds.min_position.size() > wire::kPositionBytesMax) {
    return invalid("could not read: the position is longer than 64 bytes");
  }
  if (bounds.max_staleness && bounds.max_staleness->count() < 0) {
    return invalid("could not read: the staleness allowed is negative");
  }
  return {};
}

Status check_mark(const MirrorMark& mark) {
  if (mark.position.size() > wire::kPositionBytesMax) {
    return invalid("could not do batch: the position is longer than 64 bytes");
  }
  if (mark.fresh_as_of && to_unix_ms(*mark.fresh_as_of) < 0) {
    return invalid("could not do batch: the mirror's time is before 1970");
  }
  return {};
}

wire::Fields bounds_fields(const ReadBounds& bounds) {
  wire::Fields fields;
  if (bounds.max_staleness) {
    fields.max_staleness_ms = static_cast<std::uint64_t>(bounds.max_staleness->count());
  }
  if (!bounds.min_position.empty()) {
    fields.min_position = bounds.min_position;
  }
  return fields;
}

wire::Fields mark_fields(const MirrorMark& mark) {
  wire::Fields fields;
  fields.source_position = mark.position;
  if (mark.fresh_as_of) {
    fields.fresh_as_of_ms = static_cast<std::uint64_t>(to_unix_ms(*mark.fresh_as_of));
  }
  return fields;
}

Status check_batch(const std::vector<BatchItem>& items, std::size_t items_max) {
  if (items.empty() || items.size() > items_max) {
    return invalid("could not do batch: its number of items is not 1 to " +
                   std::to_string(items_max) + " items");
  }
  struct Check {
    Status operator()(const PutItem& item) const { return check_put(item); }
    Status operator()(const TouchItem& item) const { return check_touch(item); }
    Status operator()(const AddItem& item) const { return check_add(item); }
    Status operator()(const RemoveItem& item) const { return check_name("key", item.key); }
    Status operator()(const CheckItem& item) const { return check_name("key", item.key); }
  };
  std::size_t bytes = 0;
  for (const BatchItem& item : items) {
    Status checked = std::visit(Check(), item);
    if (!checked.ok()) {
      return checked;
    }
    bytes += std::visit([](const auto& one) { return wire::item_bytes(wire_item(one)); }, item);
  }
  if (bytes > wire::kFragmentedItemsBytesMax) {
    return {Code::kTooLarge, "could not do batch: its items are above 8 MiB"};
  }
  return {};
}

RequestFrames get_frames(std::string_view key, const wire::Fields& fields) {
  wire::Request request;
  request.fields = fields;
  request.opcode = Opcode::kGet;
  request.flags = kReadFlags;
  request.key = key;
  return RequestFrames(request);
}

RequestFrames lease_frames(std::string_view key, std::chrono::milliseconds duration) {
  wire::Request request;
  request.opcode = Opcode::kGet;
  request.flags = kReadFlags | wire::kFlagLease;
  request.fields.ttl_ms = static_cast<std::uint64_t>(duration.count());
  request.key = key;
  return RequestFrames(request);
}

RequestFrames put_frames(const PutItem& item) {
  wire::Request request = wire_request(wire_item(item));
  request.flags = item.sync ? wire::kFlagSync : std::uint16_t{0};
  return RequestFrames(request);
}

RequestFrames remove_frames(std::string_view key, std::optional<std::uint64_t> if_version) {
  wire::Request request;
  request.opcode = if_version ? Opcode::kDeleteIfVersion : Opcode::kDelete;
  request.fields.if_version = if_version;
  request.key = key;
  return RequestFrames(request);
}

RequestFrames touch_frames(const TouchItem& item, bool want_entry) {
  wire::Request request = wire_request(wire_item(item));
  if (want_entry) {
    request.opcode = Opcode::kGetAndTouch;
    request.flags = kReadFlags;
  }
  return RequestFrames(request);
}

RequestFrames add_frames(const AddItem& item) {
  return RequestFrames(wire_request(wire_item(item)));
}

RequestFrames batch_frames(const std::vector<BatchItem>& items, const wire::Fields& fields) {
  std::string value;
  bool sync = false;
  for (const BatchItem& item : items) {
    std::visit([&value](const auto& one) { wire::append_item(wire_item(one), value); }, item);
    const auto* put = std::get_if<PutItem>(&item);
    sync = sync || (put != nullptr && put->sync);
  }
  wire::Request request;
  request.opcode = Opcode::kBatch;
  request.fields = fields;
  request.flags = sync ? wire::kFlagSync : std::uint16_t{0};
  request.value = value;
  return RequestFrames(request);
}

Result<RequestFrames> list_frames(const KvListRequest& list, const wire::Fields& fields) {
  if (list.prefix.size() > wire::kKeyBytesMax || list.cursor.size() > wire::kKeyBytesMax) {
    return invalid("could not list keys: prefix or cursor is longer than 512 bytes");
  }
  wire::Request request;
  request.opcode = Opcode::kList;
  request.fields = fields;
  request.flags = static_cast<std::uint16_t>(
      kReadFlags | (list.with_values ? wire::kFlagWithValues : std::uint16_t{0}) |
      (list.ask_cached ? wire::kFlagCached : std::uint16_t{0}));
  request.fields.limit = list.limit;
  if (!list.cursor.empty()) {
    request.fields.cursor = list.cursor;
  }
  request.key = list.prefix;
  return RequestFrames(request);
}

RequestFrames simple_frames(Opcode opcode,
                            const wire::Fields& fields,
                            std::string_view key,
                            std::string_view value) {
  wire::Request request;
  request.opcode = opcode;
  request.fields = fields;
  request.key = key;
  request.value = value;
  return RequestFrames(request);
}

RequestFrames multi_get_frames(const std::vector<std::string>& keys,
                               std::size_t first,
                               std::size_t& next,
                               const wire::Fields& fields) {
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
  request.fields = fields;
  request.flags = kReadFlags;
  request.value = items;
  return RequestFrames(request);
}

RequestFrames multi_put_frames(const std::vector<PutItem>& puts,
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
    const wire::Item item = wire_item(puts[next]);
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
  return RequestFrames(request);
}

}  // namespace edged::net
