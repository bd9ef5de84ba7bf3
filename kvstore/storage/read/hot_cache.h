// SPDX-License-Identifier: Apache-2.0
// Records read or written lately, in memory, in front of the engine: small entries, and keys that
// were found absent. Bounded in bytes; what was not asked for twice goes first (second chance).
// Promise: no reader gets what an acknowledged write replaced, nor the old after another reader got
// the new. The order that keeps it: a reader asks find() before it reads the engine, and its fill()
// is dropped if a write to the key began or ended since; who writes calls begin_write() before it
// commits and end_write() between commit and answer, and from one to the other find() knows
// nothing. Any thread, except for the methods of whoever may write (writer.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "kvstore/storage/operation.h"

namespace edged::storage {

class HotCache {
 public:
  // Larger records, header and metadata included, are left to the engine.
  static constexpr std::size_t kRecordBytesMax = 4 * 1024 + 24;

  // A key under its namespace's prefix (record.h). A view: the bytes must outlive it.
  struct Key {
    std::uint32_t prefix = 0;
    std::string_view bytes;
    std::uint64_t hash = 0;
  };
  static Key key_of(std::uint32_t prefix, std::string_view bytes);
  static Key key_of(std::string_view stored_key);

  enum class Found : std::uint8_t { kEntry, kAbsent, kUnknown };

  // The right to fill a key that was not known. One of 0 gives none.
  using Ticket = std::uint64_t;

  struct Counts {
    std::uint64_t hits = 0, misses = 0;    // since start
    std::uint64_t entries = 0, bytes = 0;  // now; bytes as allocated
  };

  // `bytes_max` 0: keeps nothing. Memory is taken as it is needed.
  explicit HotCache(std::uint64_t bytes_max);
  ~HotCache();
  HotCache(const HotCache&) = delete;
  HotCache& operator=(const HotCache&) = delete;

  // kEntry: `entry` is what is stored; whether it has expired is the caller's to judge. kAbsent:
  // nothing is. kUnknown: ask the engine, then fill with `ticket`.
  Found find(const Key& key, Entry& entry, Ticket& ticket);

  // Brings what find() will look at into the processor's cache. For keys that are looked up
  // together soon: their waits for memory overlap.
  void prefetch(std::span<const Key> keys) const;

  // What the engine said after `ticket` was given: a record that was checked, or that there is
  // none. Dropped if it is too large, or its value is apart (kChunked).
  void fill_record(const Key& key, Ticket ticket, std::string_view record);
  void fill_absent(const Key& key, Ticket ticket);

  // Whether find() would know the key. Counts nothing.
  bool contains(const Key& key) const;

  // Whoever may write, before begin_write(): what is stored under the key, without the bytes.
  // Nobody else changes what is stored, so what is here is what the engine has, except that
  // the engine may have dropped what has expired. Nothing if it is not known. Counts nothing.
  struct Facts {
    bool absent = false;
    std::uint64_t expiry_ms = 0;  // 0: never
    Version version = 0;
    std::uint64_t bytes = 0;  // of metadata and value
  };
  std::optional<Facts> facts(const Key& key) const;

  // Whoever may write. Each begin_write() is followed by one of the three others.
  void begin_write(const Key& key);
  void end_write(const Key& key, std::string_view record);
  void end_delete(const Key& key);
  // Nobody can tell what is stored now.
  void fail_write(const Key& key);

  // Forgets everything; fills under way are not dropped.
  void clear();

  Counts counts() const;

 private:
  struct Slot;
  struct Bucket;
  struct Shard;

  Shard& shard_of(const Key& key) const;
  void fill(const Key& key, Ticket ticket, std::string_view record, bool absent);
  void end(const Key& key, const std::string_view* record, bool absent);

  const std::size_t shard_mask_;
  const std::uint64_t shard_bytes_max_;
  const std::unique_ptr<Shard[]> shards_;
};

}  // namespace edged::storage
