// SPDX-License-Identifier: Apache-2.0
// Shards, each with a table of buckets. A bucket is one cache line: for each of its slots a byte of
// the hash and a pointer. A slot is one block of memory with key and record behind its header. A
// key is in its bucket or nowhere: if that is full, one of those in it goes.
// docs/adr/0005-hot-cache.md.
#include "kvstore/storage/read/hot_cache.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstring>
#include <functional>
#include <mutex>
#include <new>
#include <utility>

#include "kvstore/storage/format/bytes.h"
#include "kvstore/storage/format/record.h"

namespace edged::storage {
namespace {

constexpr std::size_t kShardsMax = 256;
constexpr std::uint64_t kShardBytesMin = 64 * 1024;
constexpr std::size_t kFirstBuckets = 4;  // doubled as needed: always a power of two
constexpr std::size_t kWays = 7;
// On average, before the table grows: a bucket is then full once in a hundred.
constexpr std::size_t kSlotsPerBucket = 4;
// Keys that share an epoch hinder each other's fills while one is written, no more.
constexpr std::size_t kEpochs = 64;
// Of malloc for each block, and of a slot's place in the buckets.
constexpr std::size_t kOverheadBytes = 16 + 16;
constexpr std::uint64_t kPrefixFactor = 0x9E3779B97F4A7C15;  // 2^64 divided by the golden ratio

// The parts of a hash that say where a key is. The lowest bits choose the shard.
std::uint8_t tag_of(std::uint64_t hash) {
  return static_cast<std::uint8_t>(hash >> 56);
}
std::size_t epoch_of(std::uint64_t hash) {
  return (hash >> 8) % kEpochs;
}
std::size_t place_of(std::uint64_t hash) {
  return hash >> 16;
}

bool is_cacheable(std::string_view record) {
  return record.size() >= kHeaderBytes && record.size() <= HotCache::kRecordBytesMax;
}

std::size_t shard_count(std::uint64_t bytes_max) {
  return std::bit_floor(std::clamp<std::uint64_t>(bytes_max / kShardBytesMin, 1, kShardsMax));
}

}  // namespace

// Followed by key_bytes of key and record_bytes of metadata and value.
struct HotCache::Slot {
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
  std::size_t record_bytes() const { return std::size_t{metadata_bytes} + value_bytes; }
  std::size_t size() const { return sizeof(Slot) + key_bytes + record_bytes(); }
  std::size_t bytes() const { return size() + kOverheadBytes; }

  bool is(const Key& asked) { return prefix == asked.prefix && key() == asked.bytes; }
  void read(Entry& entry) {
    entry.value.assign(value());
    entry.metadata.assign(metadata());
    entry.expires_at.reset();
    if (expiry_ms != 0) entry.expires_at = from_unix_ms(static_cast<std::int64_t>(expiry_ms));
    entry.version = version;
  }
  // `record` without its header; the key is there.
  void set(const RecordHeader& header, std::string_view record) {
    absent = false;
    expiry_ms = header.expiry_ms;
    version = header.version;
    metadata_bytes = header.metadata_bytes;
    value_bytes = static_cast<std::uint16_t>(record.size() - header.metadata_bytes);
    std::memcpy(data() + key_bytes, record.data(), record.size());
  }
};

struct alignas(64) HotCache::Bucket {
  std::array<std::uint8_t, 8> tags{};  // the last is not used
  std::array<Slot*, kWays> slots{};    // null: free
};

struct alignas(64) HotCache::Shard {
  struct Epoch {
    std::uint32_t number = 1;   // grows when a write begins and when it ends
    std::uint32_t pending = 0;  // writes between the two
  };

  // Where the buckets are, for prefetch() without the lock: it may be late.
  std::atomic<const Bucket*> first_bucket{nullptr};
  std::atomic<std::size_t> bucket_mask{0};

  mutable std::mutex mutex;  // guards all below
  std::vector<Bucket> buckets;
  std::size_t hand = 0;  // the bucket that is looked at next when room is needed
  Counts counts;
  std::array<Epoch, kEpochs> epochs;

  Bucket& bucket_of(std::uint64_t hash) { return buckets[place_of(hash) & (buckets.size() - 1)]; }

  // The place of the key's slot; null if it has none.
  Slot** find(const Key& key) {
    if (buckets.empty()) return nullptr;
    Bucket& bucket = bucket_of(key.hash);
    const std::uint8_t tag = tag_of(key.hash);
    for (std::size_t i = 0; i < kWays; ++i) {
      if (bucket.tags[i] == tag && bucket.slots[i] != nullptr && bucket.slots[i]->is(key)) {
        return &bucket.slots[i];
      }
    }
    return nullptr;
  }

  // A free place, if need be that of another slot: one not used lately, if there is one.
  static std::size_t way_in(const Bucket& bucket) {
    std::size_t unused = 0;
    for (std::size_t i = 0; i < kWays; ++i) {
      if (bucket.slots[i] == nullptr) return i;
      if (!bucket.slots[i]->used) unused = i;
    }
    return unused;
  }

  void put(Bucket& bucket, std::uint64_t hash, Slot* slot) {
    const std::size_t way = way_in(bucket);
    if (bucket.slots[way] != nullptr) remove(&bucket.slots[way]);
    bucket.tags[way] = tag_of(hash);
    bucket.slots[way] = slot;
    ++counts.entries;
    counts.bytes += slot->bytes();
  }

  // Requires that the key has no slot, and a record that is_cacheable unless it is absent.
  void insert(const Key& key, std::string_view record, bool absent) {
    std::optional<RecordHeader> header;
    if (!absent) {
      header = decode_header(record);
      if (!header || (header->flags & kChunked) != 0) return;
      record.remove_prefix(kHeaderBytes);
    }
    if (counts.entries >= buckets.size() * kSlotsPerBucket) grow();
    void* block = ::operator new(sizeof(Slot) + key.bytes.size() + record.size());
    Slot* slot = new (block) Slot();
    slot->prefix = key.prefix;
    slot->key_bytes = static_cast<std::uint16_t>(key.bytes.size());
    slot->absent = absent;
    std::memcpy(slot->data(), key.bytes.data(), key.bytes.size());
    if (header) slot->set(*header, record);
    put(bucket_of(key.hash), key.hash, slot);
  }

  // Puts a record of the same size into the slot that is there. False: it has another one, or none.
  static bool overwrite(Slot& slot, std::string_view record) {
    const std::optional<RecordHeader> header = decode_header(record);
    record.remove_prefix(kHeaderBytes);
    if (!header || (header->flags & kChunked) != 0 || record.size() != slot.record_bytes() ||
        slot.absent) {
      return false;
    }
    slot.set(*header, record);
    return true;
  }

  void remove(Slot** place) {
    Slot* slot = std::exchange(*place, nullptr);
    --counts.entries;
    counts.bytes -= slot->bytes();
    ::operator delete(slot);
  }

  void grow() {
    std::vector<Bucket> before(std::max(kFirstBuckets, buckets.size() * 2));
    before.swap(buckets);
    bucket_mask.store(0, std::memory_order_relaxed);
    first_bucket.store(buckets.data(), std::memory_order_relaxed);
    bucket_mask.store(buckets.size() - 1, std::memory_order_relaxed);
    counts.entries = 0;
    counts.bytes = 0;
    for (Bucket& bucket : before) {
      for (Slot* slot : bucket.slots) {
        if (slot == nullptr) continue;
        const std::uint64_t hash = key_of(slot->prefix, slot->key()).hash;
        put(bucket_of(hash), hash, slot);
      }
    }
  }

  void make_room(std::uint64_t bytes_max) {
    while (counts.bytes > bytes_max) {
      hand = (hand + 1) % buckets.size();
      for (Slot*& slot : buckets[hand].slots) {
        if (slot == nullptr) continue;
        if (slot->used) {
          slot->used = false;
        } else {
          remove(&slot);
        }
      }
    }
  }

  void clear() {
    for (Bucket& bucket : buckets) {
      for (Slot*& slot : bucket.slots) {
        if (slot != nullptr) remove(&slot);
      }
    }
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

HotCache::HotCache(std::uint64_t bytes_max)
    : shard_mask_(shard_count(bytes_max) - 1),
      shard_bytes_max_(bytes_max / (shard_mask_ + 1)),
      shards_(std::make_unique<Shard[]>(shard_mask_ + 1)) {}

HotCache::~HotCache() {
  clear();
}

HotCache::Shard& HotCache::shard_of(const Key& key) const {
  return shards_[key.hash & shard_mask_];
}

HotCache::Found HotCache::find(const Key& key, Entry& entry, Ticket& ticket) {
  ticket = 0;
  if (shard_bytes_max_ == 0) return Found::kUnknown;
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  const Shard::Epoch& epoch = shard.epochs[epoch_of(key.hash)];
  if (epoch.pending == 0) {
    if (Slot** place = shard.find(key); place != nullptr) {
      Slot& slot = **place;
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

void HotCache::prefetch(std::span<const Key> keys) const {
  if (shard_bytes_max_ == 0) return;
  for (const Key& key : keys) {
    const Shard& shard = shard_of(key);
    __builtin_prefetch(shard.first_bucket.load(std::memory_order_relaxed) +
                       (place_of(key.hash) & shard.bucket_mask.load(std::memory_order_relaxed)));
  }
  for (const Key& key : keys) {
    Shard& shard = shard_of(key);
    const std::lock_guard lock(shard.mutex);
    if (shard.buckets.empty()) continue;
    const Bucket& bucket = shard.bucket_of(key.hash);
    const std::uint8_t tag = tag_of(key.hash);
    for (std::size_t i = 0; i < kWays; ++i) {
      if (bucket.tags[i] != tag || bucket.slots[i] == nullptr) continue;
      const char* const slot = reinterpret_cast<const char*>(bucket.slots[i]);
      __builtin_prefetch(slot);
      __builtin_prefetch(slot + 64);
      __builtin_prefetch(slot + 128);
    }
  }
}

void HotCache::fill(const Key& key, Ticket ticket, std::string_view record, bool absent) {
  if (ticket == 0) return;
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  const Shard::Epoch& epoch = shard.epochs[epoch_of(key.hash)];
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
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  return shard.find(key) != nullptr;
}

std::optional<HotCache::Facts> HotCache::facts(const Key& key) const {
  if (shard_bytes_max_ == 0) return std::nullopt;
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  Slot** const place = shard.find(key);
  if (place == nullptr) return std::nullopt;
  const Slot& slot = **place;
  return Facts{slot.absent, slot.expiry_ms, slot.version, slot.record_bytes()};
}

void HotCache::begin_write(const Key& key) {
  if (shard_bytes_max_ == 0) return;
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  Shard::Epoch& epoch = shard.epochs[epoch_of(key.hash)];
  ++epoch.pending;
  // 0 is no ticket. A fill would have to wait for 2^32 writes to be taken for a later one.
  if (++epoch.number == 0) epoch.number = 1;
}

// `record` null: what is known is forgotten.
void HotCache::end(const Key& key, const std::string_view* record, bool absent) {
  if (shard_bytes_max_ == 0) return;
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  Shard::Epoch& epoch = shard.epochs[epoch_of(key.hash)];
  --epoch.pending;
  if (++epoch.number == 0) epoch.number = 1;
  Slot** const place = shard.find(key);
  const bool keep = record != nullptr && (absent || is_cacheable(*record));
  if (place == nullptr) {
    if (!keep || absent) return;  // only reads ask for what is not there
  } else {
    if (keep && !absent && Shard::overwrite(**place, *record)) return;
    shard.remove(place);
    if (!keep) return;
  }
  shard.insert(key, *record, absent);
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
  for (std::size_t i = 0; i <= shard_mask_; ++i) {
    const std::lock_guard lock(shards_[i].mutex);
    shards_[i].clear();
  }
}

HotCache::Counts HotCache::counts() const {
  Counts total;
  for (std::size_t i = 0; i <= shard_mask_; ++i) {
    const Shard& shard = shards_[i];
    const std::lock_guard lock(shard.mutex);
    total.hits += shard.counts.hits;
    total.misses += shard.counts.misses;
    total.entries += shard.counts.entries;
    total.bytes += shard.counts.bytes;
  }
  return total;
}

}  // namespace edged::storage
