// SPDX-License-Identifier: Apache-2.0
// Reading entries by key: whole, many at once, and large ones in pieces. Every record is checked
// before it is believed, and one that has expired is absent. Single whole entries come from the hot
// cache if it knows them; what is read under a snapshot passes it by. What a mirror owns is
// answered to others only while it is fresh: its state is asked before the entry is read, and again
// after. Any thread.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "kvstore/storage/engine/database.h"
#include "kvstore/storage/engine/store_clock.h"
#include "kvstore/storage/format/record.h"
#include "kvstore/storage/read/hot_cache.h"
#include "kvstore/storage/store.h"
#include "kvstore/storage/tables/mirror_table.h"
#include "kvstore/storage/tables/namespace_table.h"

namespace edged::storage {

class EntryReader {
 public:
  // All must outlive this object and the readers it made. `monotonic` measures how long a reader
  // may keep its snapshot.
  EntryReader(const Database& database,
              const NamespaceTable& namespaces,
              const StoreClock& clock,
              const Clock& monotonic,
              const MirrorTable& mirrors,
              HotCache& hot)
      : database_(database),
        namespaces_(namespaces),
        clock_(clock),
        monotonic_(monotonic),
        mirrors_(mirrors),
        hot_(hot) {}

  // See Store.
  void prefetch(std::span<const KeyName> keys) const;
  Status get_into(
      NamespaceNumber ns, std::string_view key, ReadTier tier, Entry& entry, Reader reader) const;
  std::vector<Result<Entry>> get_many(NamespaceNumber ns,
                                      const std::vector<std::string_view>& keys,
                                      ReadTier tier,
                                      Reader reader) const;
  Result<std::unique_ptr<ValueReader>> open_value(NamespaceNumber ns,
                                                  std::string_view key,
                                                  Reader reader) const;

 private:
  // What a read of one key by anyone stands on.
  struct Pass {
    Status status;                       // why the key is not to be read
    const MirrorState* state = nullptr;  // of the mirror that owns it; null: none does
  };
  Pass pass_of(const MirrorState* state, std::string_view key) const;
  // After the read. Errors: kStale.
  Status confirm(NamespaceNumber ns, const Pass& pass) const;
  Status read_one(NamespaceNumber ns, std::string_view key, ReadTier tier, Entry& entry) const;
  Result<Entry> to_result(const rocksdb::ReadOptions& options,
                          std::uint32_t prefix,
                          std::string_view stored_key,
                          const rocksdb::Status& status,
                          const rocksdb::PinnableSlice& stored) const;
  // Fills the hot cache if `ticket` allows.
  Result<Entry> read(rocksdb::ReadOptions options,
                     std::uint32_t prefix,
                     const std::string& stored_key,
                     HotCache::Ticket ticket) const;

  const Database& database_;
  const NamespaceTable& namespaces_;
  const StoreClock& clock_;
  const Clock& monotonic_;
  const MirrorTable& mirrors_;
  HotCache& hot_;
};

// The entry of a record; its value only if `with_value`, and not if it is in chunks.
Entry to_entry(const RecordView& record, bool with_value);

// A view of the database that does not change; ended by the destructor.
class Snapshot {
 public:
  explicit Snapshot(rocksdb::DB& db) : db_(db), snapshot_(db.GetSnapshot()) {}
  ~Snapshot() { db_.ReleaseSnapshot(snapshot_); }
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;
  const rocksdb::Snapshot* get() const { return snapshot_; }

 private:
  rocksdb::DB& db_;
  const rocksdb::Snapshot* const snapshot_;
};

}  // namespace edged::storage
