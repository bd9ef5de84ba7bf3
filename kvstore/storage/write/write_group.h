// SPDX-License-Identifier: Apache-2.0
// Judges the operations that are written together, in order, each seeing the effects of those
// before it, and collects what they write: records, chunks of large values, counts, and the changes
// to tell watchers. Used and dropped within one turn of the writer thread; since only that thread
// writes, what a condition reads cannot change before the batch is written.
#pragma once

#include <rocksdb/write_batch.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "kvstore/storage/engine/database.h"
#include "kvstore/storage/format/record.h"
#include "kvstore/storage/read/hot_cache.h"
#include "kvstore/storage/store.h"
#include "kvstore/storage/tables/lease_table.h"
#include "kvstore/storage/tables/mirror_table.h"
#include "kvstore/storage/tables/namespace_table.h"
#include "kvstore/storage/tables/upload_table.h"
#include "kvstore/storage/tables/usage_table.h"
#include "kvstore/storage/write/change_feed.h"
#include "kvstore/storage/write/operation_rules.h"

namespace edged::storage {

// What a group works on. All outlive the writer.
struct WriteContext {
  const Database& database;
  const NamespaceTable& namespaces;
  UsageTable& usage;
  LeaseTable& leases;
  UploadTable& uploads;
  HotCache& hot;
  MirrorTable& mirrors;
};

// Memory that one group after the other uses. It is kept as large as most groups need.
struct WriteScratch {
  std::array<std::byte, 64 * 1024> arena;
  rocksdb::WriteBatch batch;
  std::string key, record;
};

class WriteGroup {
 public:
  // `now` judges expiry for the whole group; `last_version` is the last one given out. The scratch
  // is this group's alone; all of it outlives the group.
  WriteGroup(const WriteContext& context,
             WriteScratch& scratch,
             WallTime now,
             Version last_version,
             ReadTier tier);

  // The tier is kMemory and what was added needs a record that is on disk: the group is of no use.
  bool needs_disk() const { return needs_disk_; }

  // One outcome per operation. What is refused writes nothing.
  std::vector<WriteOutcome> add(const Write& write);

  // For the parts of the store that write besides clients. A new version, also the id of an upload.
  Version next_version();
  rocksdb::WriteBatch& batch() { return batch_; }
  const Database& database() const { return context_.database; }
  std::int64_t now_ms() const { return now_ms_; }

  // Removes an entry with a large value that expired at `expiry_ms` and its note in the index of
  // expiries. Nothing if it has been replaced: then the note alone.
  Result<std::optional<BodyRef>> remove_expired_body(std::uint64_t expiry_ms,
                                                     std::string_view stored_key);

  // What was collected, with the counts and the version mark that go with it. From here to commit()
  // or fail() the hot cache knows none of its keys, and mirrors claim no more than holds before and
  // after.
  rocksdb::WriteBatch& finish();

  // Once the batch is written: makes counts, leases, uploads, the hot cache and mirrors follow.
  // Returns the changes, which live as long as the group.
  std::span<const ChangeFeed::ChangeView> commit();
  // If it could not be written.
  void fail();

  // A version that was given out is kept even if nothing else is written.
  bool empty() const { return batch_.Count() == 0 && last_version_ == first_version_; }
  Version last_version() const { return last_version_; }
  // The earliest expiry written, in Unix milliseconds; UINT64_MAX if nothing that expires was.
  std::uint64_t min_expiry_ms() const { return min_expiry_ms_; }

 private:
  // What the store holds under a key, as the next operation sees it.
  struct Existing {
    bool stored = false;  // on disk or in the batch, live or not
    bool live = false;
    std::uint64_t expiry_ms = 0;
    Version version = 0;
    std::uint64_t counted_bytes = 0;
    std::optional<BodyRef> body;
    std::string_view record;  // if it was asked for, or written by this group; in the arena
  };
  // An operation's key, resolved.
  struct Target {
    NamespaceNumber ns = 0;
    std::uint32_t prefix = 0;
    std::string_view key;         // the operation's
    std::string_view stored_key;  // in the arena
  };
  // To undo an atomic Write.
  struct Checkpoint {
    UsageDelta delta;
    std::size_t changes = 0;
    std::size_t consumed = 0;
    std::uint64_t min_expiry_ms = 0;
    MirrorChanges mirrors;
  };

  std::vector<WriteOutcome> add_atomic(const Write& write);
  void roll_back(const Checkpoint& checkpoint);
  WriteOutcome apply(const Operation& operation);
  WriteOutcome apply(const Put& put, const Target& target);
  WriteOutcome apply(const Delete& del, const Target& target);
  WriteOutcome apply(const Touch& touch, const Target& target);
  WriteOutcome apply(const Add& add, const Target& target);
  WriteOutcome apply(const Check& check, const Target& target);

  // Mirrors: write_group_mirror.cc. Whether the operation may name its key, and what follows from
  // one on a reserved key that was done.
  WriteOutcome check_owner(const Operation& operation, const Target& target) const;
  void note_reserved(const Operation& operation, const Target& target);
  WriteOutcome check_namespace(const std::optional<MirrorMark>& mirror) const;
  WriteOutcome store_position(const std::optional<MirrorMark>& mirror);

  Result<Existing> find(std::string_view stored_key, bool want_record) const;
  Result<Existing> read(std::string_view stored_key, bool want_record) const;
  std::optional<Existing> read_hot(std::string_view stored_key) const;
  Existing existing_of(std::string_view stored_key, const RecordView& record) const;
  Result<Existing> conditioned(const Target& target, Condition condition, bool want_record) const;
  WriteOutcome check_lease(const Put& put, const Target& target) const;
  Result<std::optional<BodyRef>> body_for(const Put& put, const Target& target);
  Result<Entry> entry_of(const Target& target, const RecordView& record) const;

  Version store(const Target& target, const Existing& old, RecordParts parts);
  Version erase(const Target& target, const Existing& old);
  void take_away(const Target& target, const Existing& old, bool keep_chunks);
  void remember(std::string_view stored_key, Existing existing);
  // Copies it into the arena.
  std::string_view keep(std::string_view bytes) const;
  std::string_view keep_key(std::uint32_t prefix, std::string_view key);

  const WriteContext& context_;
  WriteScratch& scratch_;
  mutable std::pmr::monotonic_buffer_resource arena_;  // of all that lives as long as the group
  const std::int64_t now_ms_;
  const ReadTier tier_;
  mutable bool needs_disk_ = false;
  const Version first_version_;
  Version last_version_;
  std::uint64_t min_expiry_ms_ = UINT64_MAX;
  rocksdb::WriteBatch& batch_;
  std::pmr::unordered_map<std::string_view, Existing> written_{&arena_};
  // What written_ held before, newest last; kept only within an atomic Write.
  std::vector<std::pair<std::string_view, std::optional<Existing>>> undo_;
  bool undoable_ = false;
  UsageDelta delta_;
  std::pmr::vector<ChangeFeed::ChangeView> changes_{&arena_};
  std::vector<std::uint64_t> consumed_uploads_;
  const MirrorMark* mirror_ = nullptr;  // of the Write that is being added
  MirrorChanges mirror_changes_;
};

// The key in "meta" of the last version given out, u64le; written with every batch.
inline constexpr char kVersionKey[] = "version";

}  // namespace edged::storage
