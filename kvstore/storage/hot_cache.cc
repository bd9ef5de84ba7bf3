// SPDX-License-Identifier: Apache-2.0
// Chained hash tables, one per shard; each slot is one block of memory with key and record behind
// it. docs/adr/0005-hot-cache.md.
#include "kvstore/storage/hot_cache.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <new>

#include "kvstore/storage/bytes.h"
#include "kvstore/storage/record.h"

namespace edged::storage {
namespace {

constexpr std::size_t kFirstBuckets = 64;  // doubled as needed: always a power of two
// Of the slots of one bucket, of which there is one on average. Keys made to collide push each
// other out instead of making everybody look through them.
constexpr std::size_t kChainMax = 16;
// Of malloc for each block, and of a slot's place in the buckets.
constexpr std::size_t kOverheadBytes = 16 + sizeof(void*);
constexpr std::uint64_t kPrefixFactor = 0x9E3779B97F4A7C15;  // 2^64 divided by the golden ratio

bool is_cacheable(std::string_view record) {
  return record.size() >= kHeaderBytes && record.size() <= HotCache::kRecordBytesMax;
}

}  // namespace

// Followed by key_bytes of key and record_bytes of metadata and value.
struct HotCache::Slot {
  Slot* next = nullptr;
  std::uint64_t hash = 0;
  std::uint64_t expiry_ms = 0;
  Version version = 0;
  std::uint32_t prefix = 0;
  std::uint16_t key_bytes = 0;
  std::uint16_t metadata_bytes = 0;
  std::uint16_t value_bytes = 0;
  bool absent = false;
  bool used = false;  // since the hand passed

  char* data() { return reinterpret_cast<char*>(this + 1); }
  std::string_view key() { return {data(), key_bytes}; }
  std::string_view metadata() { return {data() + key_bytes, metadata_bytes}; }
  std::string_view value() { return {data() + key_bytes + metadata_bytes, value_bytes}; }
  std::size_t size() const { return sizeof(Slot) + key_bytes + metadata_bytes + value_bytes; }
  std::size_t bytes() const { return size() + kOverheadBytes; }

  bool is(const Key& asked) {
    return hash == asked.hash && prefix == asked.prefix && key() == asked.bytes;
  }
  void read(Entry& entry) {
    entry.value.assign(value());
    entry.metadata.assign(metadata());
    entry.expires_at.reset();
    if (expiry_ms != 0) entry.expires_at = from_unix_ms(static_cast<std::int64_t>(expiry_ms));
    entry.version = version;
  }
};

HotCache::Key HotCache::key_of(std::uint32_t prefix, std::string_view bytes) {
  std::uint64_t hash = std::hash<std::string_view>()(bytes) + prefix * kPrefixFactor;
  hash ^= hash >> 32;
  return {prefix, bytes, hash};
}

HotCache::Key HotCache::key_of(std::string_view stored_key) {
  return key_of(load_be32(stored_key, 0), stored_key.substr(kPrefixBytes));
}

HotCache::HotCache(std::uint64_t bytes_max) : shard_bytes_max_(bytes_max / kShards) {}

HotCache::~HotCache() {
  clear();
}

HotCache::Epoch& HotCache::Shard::epoch_of(const Key& key) {
  return epochs[(key.hash >> 8) % kEpochs];
}

// The link to the key's slot; null if it has none.
HotCache::Slot** HotCache::Shard::find(const Key& key) {
  if (buckets.empty()) return nullptr;
  Slot** link = &buckets[(key.hash >> 16) & (buckets.size() - 1)];
  while (*link != nullptr && !(*link)->is(key)) link = &(*link)->next;
  return *link != nullptr ? link : nullptr;
}

// Requires that the key has no slot, and a record that is_cacheable unless it is absent.
void HotCache::Shard::insert(const Key& key, std::string_view record, bool absent) {
  std::optional<RecordHeader> header;
  if (!absent) {
    header = decode_header(record);
    if (!header || (header->flags & kChunked) != 0) return;
    record.remove_prefix(kHeaderBytes);
  }
  if (counts.entries >= buckets.size()) grow();
  void* block = ::operator new(sizeof(Slot) + key.bytes.size() + record.size());
  Slot* slot = new (block) Slot();
  slot->hash = key.hash;
  slot->prefix = key.prefix;
  slot->key_bytes = static_cast<std::uint16_t>(key.bytes.size());
  slot->absent = absent;
  std::memcpy(slot->data(), key.bytes.data(), key.bytes.size());
  if (header) {
    slot->expiry_ms = header->expiry_ms;
    slot->version = header->version;
    slot->metadata_bytes = header->metadata_bytes;
    slot->value_bytes = static_cast<std::uint16_t>(record.size() - header->metadata_bytes);
    std::memcpy(slot->data() + slot->key_bytes, record.data(), record.size());
  }
  Slot*& bucket = buckets[(key.hash >> 16) & (buckets.size() - 1)];
  slot->next = bucket;
  bucket = slot;
  ++counts.entries;
  counts.bytes += slot->bytes();
  trim(&bucket);
}

void HotCache::Shard::trim(Slot** bucket) {
  Slot** link = bucket;
  for (std::size_t length = 0; *link != nullptr && length < kChainMax; ++length) {
    link = &(*link)->next;
  }
  if (*link != nullptr) remove(link);
}

void HotCache::Shard::remove(Slot** link) {
  Slot* slot = *link;
  *link = slot->next;
  --counts.entries;
  counts.bytes -= slot->bytes();
  ::operator delete(slot);
}

void HotCache::Shard::grow() {
  std::vector<Slot*> larger(std::max(kFirstBuckets, buckets.size() * 2));
  for (Slot* slot : buckets) {
    while (slot != nullptr) {
      Slot* next = slot->next;
      Slot*& bucket = larger[(slot->hash >> 16) & (larger.size() - 1)];
      slot->next = bucket;
      bucket = slot;
      slot = next;
    }
  }
  buckets.swap(larger);
}

void HotCache::Shard::make_room(std::uint64_t bytes_max) {
  while (counts.bytes > bytes_max) {
    hand = (hand + 1) % buckets.size();
    Slot** link = &buckets[hand];
    while (*link != nullptr) {
      if ((*link)->used) {
        (*link)->used = false;
        link = &(*link)->next;
      } else {
        remove(link);
      }
    }
  }
}

void HotCache::Shard::clear() {
  for (Slot*& bucket : buckets) {
    while (bucket != nullptr) remove(&bucket);
  }
}

HotCache::Found HotCache::find(const Key& key, Entry& entry, Ticket& ticket) {
  ticket = 0;
  if (shard_bytes_max_ == 0) return Found::kUnknown;
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  const Epoch& epoch = shard.epoch_of(key);
  if (epoch.pending == 0) {
    if (Slot** link = shard.find(key); link != nullptr) {
      Slot& slot = **link;
      ++shard.counts.hits;
      slot.used = true;
      if (slot.absent) return Found::kAbsent;
      slot.read(entry);
      return Found::kEntry;
    }
    ticket = epoch.number;
  }
  ++shard.counts.misses;
  return Found::kUnknown;
}

void HotCache::fill(const Key& key, Ticket ticket, std::string_view record, bool absent) {
  if (ticket == 0) return;
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  const Epoch& epoch = shard.epoch_of(key);
  if (epoch.pending != 0 || epoch.number != ticket || shard.find(key) != nullptr) return;
  shard.insert(key, record, absent);
  shard.make_room(shard_bytes_max_);
}

void HotCache::fill_record(const Key& key, Ticket ticket, std::string_view record) {
  if (is_cacheable(record)) fill(key, ticket, record, false);
}

void HotCache::fill_absent(const Key& key, Ticket ticket) {
  fill(key, ticket, {}, true);
}

bool HotCache::contains(const Key& key) const {
  const Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  return shard_of(key).find(key) != nullptr;
}

std::optional<HotCache::Facts> HotCache::facts(const Key& key) const {
  if (shard_bytes_max_ == 0) return std::nullopt;
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  Slot** link = shard.find(key);
  if (link == nullptr) return std::nullopt;
  const Slot& slot = **link;
  const std::uint64_t bytes = std::uint64_t{slot.metadata_bytes} + slot.value_bytes;
  return Facts{slot.absent, slot.expiry_ms, slot.version, bytes};
}

void HotCache::begin_write(const Key& key) {
  if (shard_bytes_max_ == 0) return;
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  Epoch& epoch = shard.epoch_of(key);
  ++epoch.pending;
  // 0 is no ticket. A fill would have to wait for 2^32 writes to be taken for a later one.
  if (++epoch.number == 0) epoch.number = 1;
}

// `record` null: what is known is forgotten.
void HotCache::end(const Key& key, const std::string_view* record, bool absent) {
  if (shard_bytes_max_ == 0) return;
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  Epoch& epoch = shard.epoch_of(key);
  --epoch.pending;
  if (++epoch.number == 0) epoch.number = 1;
  Slot** link = shard.find(key);
  if (link == nullptr) return;
  const bool used = (*link)->used;
  shard.remove(link);
  if (record == nullptr || (!absent && !is_cacheable(*record))) return;
  shard.insert(key, *record, absent);
  if (link = shard.find(key); link != nullptr) (*link)->used = used;
  shard.make_room(shard_bytes_max_);
}

void HotCache::end_write(const Key& key, std::string_view record) {
  end(key, &record, false);
}

void HotCache::end_delete(const Key& key) {
  const std::string_view none;
  end(key, &none, true);
}

void HotCache::fail_write(const Key& key) {
  end(key, nullptr, false);
}

void HotCache::clear() {
  for (Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    shard.clear();
  }
}

HotCache::Counts HotCache::counts() const {
  Counts total;
  for (const Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    total.hits += shard.counts.hits;
    total.misses += shard.counts.misses;
    total.entries += shard.counts.entries;
    total.bytes += shard.counts.bytes;
  }
  return total;
}

}  // namespace edged::storage
