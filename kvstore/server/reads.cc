// SPDX-License-Identifier: Apache-2.0
// See reads.h.
#include "kvstore/server/reads.h"

#include <chrono>
#include <utility>

#include "kvstore/operations/disk_reads.h"
#include "kvstore/server/mirror_terms.h"
#include "kvstore/server/operations.h"
#include "proto/wire/limits.h"
#include "proto/wire/operation_table.h"

namespace edged::server {
namespace {

using storage::Entry;
using storage::ReadTier;
using storage::Store;

// What a page of LIST may fill: the TLVs of cursor and mirror come on top.
constexpr std::size_t kCursorBytes = 4 + wire::kKeyBytesMax + 12 + 4 + wire::kPositionBytesMax;
// What an item of LIST has beside key, metadata and value: its header, the TLVs of version, expiry,
// bytes of the value and whether it is cached, and the header and the padding of the metadata's.
constexpr std::size_t kListItemBytesMax = wire::kItemHeaderBytes + 3 * 12 + 8 + 7;
constexpr std::uint64_t kLeaseMsDefault = 10'000, kLeaseMsMax = 60'000;

// The item for one key of an MGET; `read` is what the store said. Both must outlive the item.
wire::Item result_item(const Result<Entry>& read, std::uint16_t flags, MirrorTerms& terms) {
  wire::Item item;
  item.opcode = wire::Opcode::kGet;
  item.status = read.code();
  if (read) {
    item.fields = entry_fields(*read, flags);
    terms.add_to(item.fields);
    item.value = read->value;
    return item;
  }
  item.fields = terms.failure_fields(read.code());
  if (read.code() != Code::kNotFound) {
    item.fields.message = cut_message(read.error().message());
  }
  return item;
}

void drop_value(wire::Item& item, std::uint64_t value_bytes) {
  item.status = Code::kTooLarge;
  item.fields.value_bytes = value_bytes;
  item.value = {};
}

Status check_multi_get(const wire::Request& request) {
  wire::ItemReader reader(request.value);
  wire::Item item;
  std::size_t count = 0;
  while (reader.next(item)) {
    if (item.opcode != wire::Opcode::kGet) {
      return {Code::kInvalidArgument, "could not read items: an MGET may only hold GET items"};
    }
    Status shape = wire::check_item_shape(item);
    if (!shape.ok()) {
      return shape;
    }
    if (++count > wire::kItemsMax) {
      return {Code::kTooLarge, "could not read items: more than 1000 in one request"};
    }
  }
  if (reader.status().ok() && count == 0) {
    return {Code::kInvalidArgument, "could not read items: the request has none"};
  }
  return reader.status();
}

wire::Item list_item(const storage::ListItem& listed, std::uint16_t flags) {
  wire::Item item;
  item.opcode = wire::Opcode::kGet;
  item.fields = entry_fields(listed.entry, flags);
  item.fields.value_bytes = listed.value_bytes;
  item.key = listed.key;
  item.value = listed.entry.value;
  return item;
}

Result<storage::ListRequest> list_request(const wire::Request& request) {
  storage::ListRequest list;
  list.ns = request.ns;
  list.reader = reader_of(request);
  list.prefix = request.key;
  list.limit = request.fields.limit.value_or(wire::kListLimitMax);
  list.with_values = (request.flags & wire::kFlagWithValues) != 0;
  if (request.key.size() > wire::kKeyBytesMax) {
    return Status(Code::kInvalidArgument, "could not list keys: prefix is longer than 512 bytes");
  }
  if (request.fields.cursor) {
    if (request.fields.cursor->size() > wire::kKeyBytesMax) {
      return Status(Code::kInvalidArgument,
                    "could not list keys: cursor is not one of this node's");
    }
    list.start_after = *request.fields.cursor;
  }
  return list;
}

// Nothing if the disk has to be asked.
std::optional<Code> answer_no_entry(const Status& why,
                                    const ReplyTo& to,
                                    ReadTier tier,
                                    MirrorTerms& terms,
                                    KeyCounts& counts,
                                    std::string& out) {
  if (why.code() == Code::kBusy && tier == ReadTier::kMemory) {
    return std::nullopt;
  }
  counts.misses += why.code() == Code::kNotFound ? 1 : 0;
  return append_failure(to,
                        why.code() == Code::kNotFound ? Status(Code::kNotFound, "") : why,
                        out,
                        terms.failure_fields(why.code()));
}

Code answer_entry(const Entry& entry,
                  const wire::Request& request,
                  const ReplyTo& to,
                  const MirrorTerms& terms,
                  KeyCounts& counts,
                  std::string& out) {
  ++counts.hits;
  wire::Fields fields = entry_fields(entry, request.flags);
  terms.add_to(fields);
  return append_reply(to, fields, entry.value, out);
}

std::optional<Code> answer_get_or_lease(Store& store,
                                        const wire::Request& request,
                                        const ReplyTo& to,
                                        ReadTier tier,
                                        MirrorTerms& terms,
                                        KeyCounts& counts,
                                        std::string& out) {
  const std::uint64_t duration_ms = request.fields.ttl_ms.value_or(kLeaseMsDefault);
  if (duration_ms == 0 || duration_ms > kLeaseMsMax) {
    return append_failure(
        to,
        Status(Code::kInvalidArgument, "could not lease: the time is not between 1 ms and 60 s"),
        out);
  }
  Result<storage::LeasedEntry> read =
      store.get_or_lease(request.ns, request.key, std::chrono::milliseconds(duration_ms), tier);
  const Status confirmed = terms.confirm();
  if (!read || !confirmed.ok()) {
    return answer_no_entry(read ? confirmed : read.error(), to, tier, terms, counts, out);
  }
  if (read->entry) {
    return answer_entry(*read->entry, request, to, terms, counts, out);
  }
  ++counts.misses;
  wire::Fields fields;
  if (read->lease != 0) {
    fields.lease = read->lease;
    return append_failure(to, Status(Code::kLeaseWon, ""), out, fields);
  }
  fields.retry_after_ms = static_cast<std::uint32_t>(read->retry_after.count());
  return append_failure(to, Status(Code::kLeaseWait, ""), out, fields);
}

}  // namespace

wire::Fields entry_fields(const Entry& entry, std::uint16_t flags) {
  wire::Fields fields;
  if ((flags & wire::kFlagInfo) != 0) {
    fields.version = entry.version;
    if (entry.expires_at) {
      fields.expires_at_ms = static_cast<std::uint64_t>(to_unix_ms(*entry.expires_at));
    }
  }
  if ((flags & wire::kFlagMetadata) != 0 && !entry.metadata.empty()) {
    fields.metadata = entry.metadata;
  }
  return fields;
}

std::optional<Code> answer_get(Store& store,
                               const wire::Request& request,
                               const ReplyTo& to,
                               ReadTier tier,
                               KeyCounts& counts,
                               std::string& out) {
  Status key = operations::check_key(request.key);
  if (!key.ok()) {
    return append_failure(to, key, out);
  }
  MirrorTerms terms(store, request, request.ns, request.key);
  if ((request.flags & wire::kFlagLease) != 0 && terms.status().ok()) {
    return answer_get_or_lease(store, request, to, tier, terms, counts, out);
  }
  const Result<Entry> read = terms.get(tier);
  return read ? answer_entry(*read, request, to, terms, counts, out)
              : answer_no_entry(read.error(), to, tier, terms, counts, out);
}

std::optional<Code> answer_multi_get(const Store& store,
                                     const wire::Request& request,
                                     const ReplyTo& to,
                                     ReadTier tier,
                                     KeyCounts& counts,
                                     std::string& out) {
  Status checked = check_multi_get(request);
  if (!checked.ok()) {
    return append_failure(to, checked, out);
  }
  KeyCounts counted;
  std::string items;
  wire::ItemReader reader(request.value);
  wire::Item asked;
  while (reader.next(asked)) {
    Status key = operations::check_key(asked.key);
    MirrorTerms terms(store, request, asked.fields.ns.value_or(request.ns), asked.key);
    const Result<Entry> read = key.ok() ? terms.get(tier) : Result<Entry>(std::move(key));
    if (read.code() == Code::kBusy && tier == ReadTier::kMemory) {
      return std::nullopt;
    }
    if (read.code() == Code::kNamespaceNotFound) {
      return append_failure(to, read.error(), out);
    }
    wire::Item item = result_item(read, request.flags, terms);
    if (items.size() + wire::item_bytes(item) > to.body_bytes_max) {
      if (!items.empty()) {
        break;  // the client asks again for the rest
      }
      drop_value(item, item.value.size());
    }
    counted.hits += read.has_value() ? 1 : 0;
    counted.misses += read.code() == Code::kNotFound ? 1 : 0;
    wire::append_item(item, items);
  }
  counts.hits += counted.hits;
  counts.misses += counted.misses;
  return append_reply(to, {}, items, out);
}

Code answer_list(const Store& store,
                 const wire::Request& request,
                 const ReplyTo& to,
                 std::string& out) {
  Result<storage::ListRequest> list = list_request(request);
  if (!list) {
    return append_failure(to, list.error(), out);
  }
  // Who owns the prefix owns every key with it.
  MirrorTerms terms(store, request, request.ns, request.key);
  const std::size_t room = to.body_bytes_max - kCursorBytes;
  list->bytes_max = room;
  list->item_bytes = kListItemBytesMax;
  Result<storage::ListPage> page = store.list(*list);
  const Status confirmed = terms.confirm();
  if (!page || !confirmed.ok()) {
    const Status& why = page ? confirmed : page.error();
    return append_failure(to, why, out, terms.failure_fields(why.code()));
  }
  const bool with_values = (request.flags & wire::kFlagWithValues) != 0;
  std::string items;
  std::string cursor = page->complete ? std::string() : page->next_after;
  for (const storage::ListItem& listed : page->items) {
    wire::Item item = list_item(listed, request.flags);
    if ((request.flags & wire::kFlagCached) != 0) {
      item.fields.cached = store.is_cached(request.ns, listed.key) ? 1 : 0;
    }
    if (with_values && listed.value_bytes != item.value.size()) {
      drop_value(item, listed.value_bytes);
    }
    wire::append_item(item, items);
  }
  wire::Fields fields;
  terms.add_to(fields);
  if (!cursor.empty()) {
    fields.cursor = cursor;
  }
  return append_reply(to, fields, items, out);
}

}  // namespace edged::server
