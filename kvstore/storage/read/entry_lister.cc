// SPDX-License-Identifier: Apache-2.0
// One page of a namespace.
#include "kvstore/storage/read/entry_lister.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "kvstore/storage/engine/rocks_status.h"
#include "kvstore/storage/format/record.h"
#include "kvstore/storage/format/value_chunks.h"
#include "kvstore/storage/read/entry_reader.h"
#include "kvstore/storage/tables/mirror_rules.h"

namespace edged::storage {
namespace {

constexpr std::uint32_t kLimitMax = 1000;
constexpr std::size_t kSkippedMax = 10'000;
constexpr std::chrono::milliseconds kTimeMax{5};
constexpr std::size_t kStepsPerTimeCheck = 64;
// Read ahead only where whole values are wanted; a page of keys is short.
constexpr std::size_t kReadaheadBytes = 256 * 1024;

Status check(const ListRequest& request) {
  if (request.limit < 1 || request.limit > kLimitMax) {
    return Status(Code::kInvalidArgument, "limit must be 1 to 1000");
  }
  if (request.prefix.size() > kKeyBytesMax || request.start_after.size() > kKeyBytesMax) {
    return Status(Code::kInvalidArgument, "prefix and cursor must have at most 512 bytes");
  }
  return Status();
}

// Fills `item` from a record. `options` are those of the iterator that found it.
Status fill_item(const Database& database,
                 const rocksdb::ReadOptions& options,
                 std::uint32_t prefix,
                 const RecordView& record,
                 bool with_value,
                 ListItem& item) {
  item.entry = to_entry(record, with_value);
  item.value_bytes = record.value_bytes();
  if (!with_value || !record.body) return Status();
  auto body = read_body(database, options, prefix, *record.body);
  if (!body) return body.error();
  item.entry.value = *std::move(body);
  return Status();
}

std::string behind_reserved(std::uint32_t prefix) {
  return successor_of_prefix(encode_key(prefix, kReservedPrefix));
}

}  // namespace

Result<ListPage> list_entries(const Database& database,
                              std::uint32_t prefix,
                              const ListRequest& request,
                              WallTime now,
                              const Clock& clock) {
  if (Status status = check(request); !status.ok()) return status;
  const std::string first = encode_key(prefix, request.prefix);
  const std::string bound = successor_of_prefix(first);
  const rocksdb::Slice bound_slice(bound);
  rocksdb::ReadOptions options;
  if (!bound.empty()) options.iterate_upper_bound = &bound_slice;
  options.fill_cache = false;
  std::optional<Snapshot> snapshot;  // pieces of large values must be those of the records
  if (request.with_values) {
    options.readahead_size = kReadaheadBytes;
    snapshot.emplace(database.db());
    options.snapshot = snapshot->get();
  }
  const std::unique_ptr<rocksdb::Iterator> it(
      database.db().NewIterator(options, database.entries()));

  std::string start = first;
  if (!request.start_after.empty()) {
    start = std::max(start, encode_key(prefix, request.start_after) + '\0');
  }
  const std::int64_t now_ms = to_unix_ms(now);
  const auto deadline = clock.boot_now() + kTimeMax;
  ListPage page;
  std::size_t skipped = 0;
  std::size_t bytes = 0;
  const auto end_page = [&page] {
    page.complete = false;
    return std::move(page);
  };
  for (it->Seek(start); it->Valid(); it->Next()) {
    if (request.reader == Reader::kAnyone &&
        is_reserved({it->key().data() + kPrefixBytes, it->key().size() - kPrefixBytes})) {
      it->Seek(behind_reserved(prefix));
      if (!it->Valid()) break;
    }
    const bool full =
        page.items.size() >= request.limit || skipped >= kSkippedMax || bytes >= request.bytes_max;
    const std::size_t steps = skipped + page.items.size();
    const bool late = steps != 0 && steps % kStepsPerTimeCheck == 0 && clock.boot_now() > deadline;
    if (full || late) return end_page();
    const std::string_view stored_key(it->key().data(), it->key().size());
    const auto record = decode_record(stored_key, {it->value().data(), it->value().size()});
    if (!record) return record.error();
    const std::string_view key = stored_key.substr(kPrefixBytes);
    if (is_expired(record->header.expiry_ms, now_ms)) {
      page.next_after = key;
      ++skipped;
      continue;
    }
    const std::size_t without_value = key.size() + record->metadata.size() + request.item_bytes;
    const std::uint64_t value_bytes = request.with_values ? record->value_bytes() : 0;
    const bool fits = bytes + without_value + value_bytes <= request.bytes_max;
    if (!fits && !page.items.empty()) return end_page();
    page.next_after = key;
    ListItem& item = page.items.emplace_back();
    item.key = key;
    const bool with_value = request.with_values && fits;
    Status status = fill_item(database, options, prefix, *record, with_value, item);
    if (!status.ok()) return status;
    bytes = fits ? bytes + without_value + value_bytes : request.bytes_max;
  }
  if (!it->status().ok()) return from_rocksdb(it->status(), "could not list");
  return page;
}

}  // namespace edged::storage
