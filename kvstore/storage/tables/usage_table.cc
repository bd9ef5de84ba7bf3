// SPDX-License-Identifier: Apache-2.0
// Buckets of expiry, in memory and in "meta".
#include "kvstore/storage/tables/usage_table.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "kvstore/storage/engine/rocks_status.h"
#include "kvstore/storage/format/bytes.h"
#include "kvstore/storage/format/record.h"
#include "kvstore/storage/tables/mirror_rules.h"

namespace edged::storage {
namespace {

constexpr char kCountKey = 'c';  // then u32be prefix, u8 width, u64be index
constexpr std::size_t kCountKeyBytes = 1 + 4 + 1 + 8;
constexpr std::size_t kCountValueBytes = 16;  // i64 keys, i64 bytes

constexpr std::uint64_t kWidthMs[] = {0, 1000, 60'000, 3'600'000, 86'400'000};
// The longest time-to-live counted with each width: about 120 buckets of it.
constexpr std::uint64_t kTtlMaxMs[] = {0, 120'000, 7'200'000, 345'600'000, UINT64_MAX};

std::string stored_key(const UsageBucket& bucket) {
  std::string key(1, kCountKey);
  append_be32(key, bucket.prefix);
  key.push_back(static_cast<char>(bucket.width));
  append_be64(key, bucket.index);
  return key;
}

std::string stored_value(const UsageTotals& totals) {
  std::string value;
  append_le(value, totals.keys);
  append_le(value, totals.bytes);
  return value;
}

bool is_zero(const UsageTotals& totals) {
  return totals.keys == 0 && totals.bytes == 0;
}

bool ended(const UsageBucket& bucket, std::int64_t now_ms) {
  const auto end = bucket.end_ms();
  return end && *end <= now_ms;
}

}  // namespace

std::optional<std::int64_t> UsageBucket::end_ms() const {
  if (width == 0) return std::nullopt;
  return static_cast<std::int64_t>((index + 1) * kWidthMs[width]);
}

UsageBucket bucket_of(std::uint32_t prefix, std::uint64_t expiry_ms, Version version) {
  if (expiry_ms == 0) return {prefix, 0, 0};
  const std::uint64_t written_ms = version / 1000;
  const std::uint64_t ttl_ms = expiry_ms > written_ms ? expiry_ms - written_ms : 0;
  std::uint8_t width = 1;
  while (ttl_ms > kTtlMaxMs[width]) ++width;
  return {prefix, width, (expiry_ms - 1) / kWidthMs[width]};
}

Status UsageTable::load(const Database& database) {
  const std::unique_ptr<rocksdb::Iterator> it(database.db().NewIterator({}, database.meta()));
  const std::lock_guard lock(mutex_);
  for (it->Seek(rocksdb::Slice(&kCountKey, 1)); it->Valid(); it->Next()) {
    const std::string_view key(it->key().data(), it->key().size());
    const std::string_view value(it->value().data(), it->value().size());
    if (key[0] != kCountKey) break;
    const std::uint8_t width =
        key.size() == kCountKeyBytes ? load_le<std::uint8_t>(key, 5) : std::uint8_t{UINT8_MAX};
    if (width >= std::size(kWidthMs) || value.size() != kCountValueBytes) {
      return Status(Code::kCorruption, "a stored count of entries is damaged");
    }
    buckets_[{load_be32(key, 1), width, load_be64(key, 6)}] = {load_le<std::int64_t>(value, 0),
                                                               load_le<std::int64_t>(value, 8)};
  }
  return it->status().ok() ? Status() : from_rocksdb(it->status(), "could not read the counts");
}

Status UsageTable::rebuild(const Database& database) {
  UsageTable counted;
  UsageDelta delta;
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  const std::unique_ptr<rocksdb::Iterator> it(
      database.db().NewIterator(options, database.entries()));
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    const std::string_view key(it->key().data(), it->key().size());
    const auto record = decode_record(key, {it->value().data(), it->value().size()});
    if (!record || key.size() < kPrefixBytes) continue;  // damage is reported to who reads it
    if (is_reserved(key.substr(kPrefixBytes))) continue;
    const RecordHeader& header = record->header;
    UsageTotals& totals = delta[bucket_of(load_be32(key, 0), header.expiry_ms, header.version)];
    totals.keys += 1;
    totals.bytes += static_cast<std::int64_t>(key.size() - kPrefixBytes + record->metadata.size() +
                                              record->value_bytes());
  }
  if (!it->status().ok()) return from_rocksdb(it->status(), "could not count the entries");
  rocksdb::WriteBatch batch;
  counted.stage(delta, database, batch);
  const auto status = database.db().Write({}, &batch);
  return status.ok() ? Status() : from_rocksdb(status, "could not store the counts");
}

// Never below zero: an entry whose bucket is forgotten already leaves nothing to take away.
UsageTotals UsageTable::after(const UsageBucket& bucket, const UsageTotals& change) const {
  const auto found = buckets_.find(bucket);
  const UsageTotals before = found == buckets_.end() ? UsageTotals{} : found->second;
  return {std::max<std::int64_t>(0, before.keys + change.keys),
          std::max<std::int64_t>(0, before.bytes + change.bytes)};
}

void UsageTable::stage(const UsageDelta& delta,
                       const Database& database,
                       rocksdb::WriteBatch& batch) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [bucket, change] : delta) {
    if (is_zero(change)) continue;
    const UsageTotals totals = after(bucket, change);
    if (is_zero(totals)) {
      batch.Delete(database.meta(), stored_key(bucket));
    } else {
      batch.Put(database.meta(), stored_key(bucket), stored_value(totals));
    }
  }
}

void UsageTable::commit(const UsageDelta& delta) {
  const std::lock_guard lock(mutex_);
  for (const auto& [bucket, change] : delta) {
    const UsageTotals totals = after(bucket, change);
    if (is_zero(totals)) {
      buckets_.erase(bucket);
    } else {
      buckets_[bucket] = totals;
    }
  }
}

std::size_t UsageTable::drop_ended(std::int64_t now_ms,
                                   std::size_t limit,
                                   const Database& database,
                                   rocksdb::WriteBatch& batch) {
  const std::lock_guard lock(mutex_);
  std::size_t dropped = 0;
  for (auto it = buckets_.begin(); it != buckets_.end() && dropped < limit;) {
    if (!ended(it->first, now_ms)) {
      ++it;
      continue;
    }
    batch.Delete(database.meta(), stored_key(it->first));
    it = buckets_.erase(it);
    ++dropped;
  }
  return dropped;
}

void UsageTable::stage_drop(std::uint32_t prefix,
                            const Database& database,
                            rocksdb::WriteBatch& batch) const {
  const std::lock_guard lock(mutex_);
  for (auto it = buckets_.lower_bound({prefix, 0, 0});
       it != buckets_.end() && it->first.prefix == prefix;
       ++it) {
    batch.Delete(database.meta(), stored_key(it->first));
  }
}

void UsageTable::forget_prefix(std::uint32_t prefix) {
  const std::lock_guard lock(mutex_);
  std::erase_if(buckets_, [prefix](const auto& entry) { return entry.first.prefix == prefix; });
}

NamespaceUsage UsageTable::usage_of(std::uint32_t prefix, std::int64_t now_ms) const {
  const std::lock_guard lock(mutex_);
  NamespaceUsage usage;
  for (auto it = buckets_.lower_bound({prefix, 0, 0});
       it != buckets_.end() && it->first.prefix == prefix;
       ++it) {
    if (ended(it->first, now_ms)) continue;
    ExpiryBucket bucket;
    bucket.keys = static_cast<std::uint64_t>(it->second.keys);
    bucket.bytes = static_cast<std::uint64_t>(it->second.bytes);
    if (const auto end = it->first.end_ms()) bucket.until = from_unix_ms(*end);
    usage.keys += bucket.keys;
    usage.bytes += bucket.bytes;
    usage.by_expiry.push_back(bucket);
  }
  std::sort(usage.by_expiry.begin(), usage.by_expiry.end(), [](const auto& a, const auto& b) {
    return a.until && (!b.until || *a.until < *b.until);
  });
  return usage;
}

std::uint64_t UsageTable::keys(std::int64_t now_ms) const {
  const std::lock_guard lock(mutex_);
  std::uint64_t keys = 0;
  for (const auto& [bucket, totals] : buckets_) {
    if (!ended(bucket, now_ms)) keys += static_cast<std::uint64_t>(totals.keys);
  }
  return keys;
}

}  // namespace edged::storage
