// SPDX-License-Identifier: Apache-2.0
// The abstract store: namespaces of keys with values, metadata, expiry and version. Everything
// above storage (server, HTTP faces, tools, programs that embed it) uses this header and
// operation.h; rocks_store.h is the implementation on RocksDB. Promises: an expired entry is absent
// on every read from the millisecond it expires; versions never go backwards and are never reused,
// restarts included; a write is answered only after the durability it asked for. Any thread may
// call every method unless stated. How to use it: docs/embedding.md.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kvstore/storage/operation.h"
#include "proto/base/clock.h"
#include "proto/base/status.h"

namespace edged::storage {

struct Namespace {
  NamespaceNumber number = 0;
  std::string id;     // 32 lower-case hexadecimal digits
  std::string title;  // unique, 1..512 bytes of UTF-8
  WallTime created_at{};
};

// An error Status (busy, disk_full, io_error, …) means that nothing of the Write was acknowledged.
using WriteCallback = std::function<void(Result<std::vector<WriteOutcome>>)>;

// Writes that belong together, such as all those that a server read at once: they are written in
// their order, in one batch with what else is written then, and answered together.
class WriteSet {
 public:
  struct Item {
    Write write;
    Status status;                       // an error: nothing of the Write was acknowledged
    std::vector<WriteOutcome> outcomes;  // one for each operation, if the status is ok
  };
  virtual ~WriteSet() = default;
  std::vector<Item> items;

  // The items with this durability have their status and outcomes. Called once for each durability
  // that occurs among the items, on whichever thread wrote, also before Store::commit returns. Must
  // not block.
  virtual void done(Durability durability) = 0;
};

// kMemory answers kBusy if the answer would need the disk: ask again with kDisk from a thread that
// may wait.
enum class ReadTier { kMemory, kDisk };

// Who reads. The mirror reads the keys it owns whatever their freshness, and reserved keys, which
// are hidden from everybody else.
enum class Reader { kAnyone, kMirror };

// A view: the key's bytes must outlive it.
struct KeyName {
  NamespaceNumber ns = 0;
  std::string_view key;
};

struct ListRequest {
  NamespaceNumber ns = 0;
  std::string prefix;          // 0..512 bytes
  std::string start_after;     // exclusive; empty: from the first
  std::uint32_t limit = 1000;  // 1..1000
  bool with_values = false;
  Reader reader = Reader::kAnyone;
  // The page ends before its keys, metadata and values, and `item_bytes` for each item, are more
  // than this. The value of the first item is left out if it alone is more.
  std::size_t bytes_max = 8 * 1024 * 1024;
  std::size_t item_bytes = 0;
};

struct ListItem {
  std::string key;
  Entry entry;  // value empty unless with_values
  std::uint64_t value_bytes = 0;
};

struct ListPage {
  std::vector<ListItem>
      items;               // ordered by the bytes of the key; may be empty although not complete
  std::string next_after;  // pass as start_after; meaningful if !complete
  bool complete = true;
};

// What get_or_lease found: an entry; or the right to fill it, which one caller gets; or a time
// after which to ask again, because another has that right.
struct LeasedEntry {
  std::optional<Entry> entry;
  std::uint64_t lease = 0;
  std::chrono::milliseconds retry_after{};
};

enum class ChangeKind {
  kPut,
  kDelete,
  kClear,  // the whole namespace was cleared or deleted; the key is empty
};

struct Change {
  ChangeKind kind = ChangeKind::kPut;
  NamespaceNumber ns = 0;
  std::string key;
  Version version = 0;
  std::optional<WallTime> expires_at;  // an expiry itself is no change: reckon with it from here
};

// The changes of a namespace whose keys begin with a prefix, in the order of their versions.
// One thread at a time. The destructor waits for a wake-up that is being delivered.
class Watch {
 public:
  virtual ~Watch() = default;
  // The next changes, none if there are no more yet; work per call is bounded, so none does not
  // prove that there are none: `more` says whether to call again at once.
  // Errors: kStale: changes were missed, because they came faster than they were read, or lie
  // before the start of the store. Read the data again and watch anew.
  struct Changes {
    std::vector<Change> changes;
    bool more = false;
    Version seen = 0;  // everything up to this version was answered: where to go on from
  };
  virtual Result<Changes> next(std::size_t limit) = 0;
};

struct WatchRequest {
  NamespaceNumber ns = 0;
  std::string prefix;
  std::optional<Version> after;  // absent: from now on
};

// Takes a large value in pieces, with bounded memory, before a Put names it. One thread at a time.
// What was not put is removed by the destructor, or when the store is opened again.
class ValueUpload {
 public:
  virtual ~ValueUpload() = default;
  // Blocks. Errors: kTooLarge (above 25 MiB); kDiskFull; kBusy; kIoError.
  virtual Status append(std::string_view piece) = 0;
  // Blocks. What to set as Put::staged; the upload must live until that Put is answered.
  virtual Result<StagedValue> finish() = 0;
};

// Reads a large value in pieces, as it was when the reader was made. One thread at a time.
class ValueReader {
 public:
  virtual ~ValueReader() = default;
  virtual const Entry& entry() const = 0;  // value empty
  virtual std::uint64_t value_bytes() const = 0;
  // The next piece, at most 256 KiB; empty at the end. Blocks on disk. Errors: kDeadlineExceeded
  // (60 s after the reader was made: it keeps old data on disk); kCorruption; kIoError.
  virtual Result<std::string> read() = 0;
};

// Live entries that expire before `until` and not before the bucket before.
struct ExpiryBucket {
  std::optional<WallTime> until;  // absent: never
  std::uint64_t keys = 0;
  std::uint64_t bytes = 0;
};

// Known without a scan. An expired entry is counted for at most a 120th of its time-to-live longer
// (at least 1 s, at most a day).
struct NamespaceUsage {
  std::uint64_t keys = 0;
  std::uint64_t bytes = 0;  // of keys, values and metadata
  std::vector<ExpiryBucket> by_expiry;
};

struct StoreStats {
  std::uint64_t disk_bytes = 0;
  std::uint64_t disk_free_bytes = 0;    // of the file system, for this process
  std::uint64_t memory_bytes = 0;       // hot and block cache, memtables, table readers
  std::uint64_t keys = 0;               // live, as NamespaceUsage counts
  std::uint64_t keys_estimate = 0;      // on disk: expired but unreclaimed ones included
  std::uint64_t expired_reclaimed = 0;  // entries dropped by compaction since start
  // Acknowledged operations that opening found gone: not synced before a power cut, or accepted as
  // lost by --recovery=cache. RocksDB's count, which adds one to each write.
  std::uint64_t recovered_lost_writes = 0;
  std::uint64_t writes = 0, syncs = 0, write_groups = 0;  // since start
  std::uint64_t leases = 0, watches = 0, uploads = 0;     // now
  // The cache of entries read or written lately: single reads that it answered, or left to the
  // engine, since start; what it holds now, absent keys among the entries.
  std::uint64_t hot_hits = 0, hot_misses = 0, hot_entries = 0, hot_bytes = 0;
  bool refuses_writes = false;             // disk full or quota reached
  std::chrono::milliseconds clock_step{};  // wall clock minus node time, while not followed
  std::string engine;                      // "rocksdb 7.8.3"
};

// The keys with this prefix are owned by the namespace's mirror: nobody else may write them, and
// they are read only while they are fresh.
struct MirrorRule {
  std::string prefix;
  std::chrono::milliseconds ttl{};  // how far the mirror may be behind; 0: no bound
  bool loaded = false;              // false: there may be keys in the source that are not here yet

  bool operator==(const MirrorRule&) const = default;
};

// Of one mirrored key. What is read after it was asked for is at least as new, as long as `state`
// is the same when it is asked for again.
struct MirrorFreshness {
  std::string position;                 // what the mirror calls how far it has read its source
  std::optional<WallTime> fresh_as_of;  // absent: not known
  std::chrono::milliseconds age{};      // node time minus fresh_as_of; may be negative
  std::chrono::milliseconds ttl{};      // see MirrorRule
  bool loaded = false;
  std::uint64_t state = 0;
};

struct MirrorStatus {
  NamespaceNumber ns = 0;
  std::vector<MirrorRule> rules;  // ordered by prefix
  std::string position;
  std::optional<WallTime> fresh_as_of;
  std::chrono::milliseconds age{};
};

class Store {
 public:
  virtual ~Store() = default;

  // Errors: kNotFound; kStale (a mirrored key, there or not, and the mirror is behind or loading);
  // kBusy (kMemory only); kCorruption; kIoError; kNamespaceNotFound.
  virtual Result<Entry> get(NamespaceNumber ns,
                            std::string_view key,
                            ReadTier tier,
                            Reader reader = Reader::kAnyone) const = 0;

  // As get, into `entry`, whose memory is used again. If not ok, what it holds is unspecified.
  virtual Status get_into(NamespaceNumber ns,
                          std::string_view key,
                          ReadTier tier,
                          Entry& entry,
                          Reader reader = Reader::kAnyone) const;

  // The keys are about to be read or written one by one: what is in memory of them may be fetched
  // for all at once. Changes nothing but the time it takes.
  virtual void prefetch(std::span<const KeyName> keys) const;

  // Whether the next get of the key would be answered from the cache of entries read or written
  // lately, if the store has one. Changes nothing there.
  virtual bool is_cached(NamespaceNumber ns, std::string_view key) const;

  // One result per key, each as get's, all of one moment.
  virtual std::vector<Result<Entry>> get_many(NamespaceNumber ns,
                                              const std::vector<std::string_view>& keys,
                                              ReadTier tier,
                                              Reader reader = Reader::kAnyone) const;

  // Reads, and on a miss takes the lease to fill the key for `duration` (at most 60 s). A write to
  // the key voids the lease, so a fill can never overwrite what is newer. Leases do not survive a
  // restart. Errors: as get, but a miss is one only of a mirrored key, which only its mirror may
  // fill; kBusy (too many leases).
  virtual Result<LeasedEntry> get_or_lease(NamespaceNumber ns,
                                           std::string_view key,
                                           std::chrono::milliseconds duration,
                                           ReadTier tier);

  // Blocks on disk. Errors: as get.
  virtual Result<std::unique_ptr<ValueReader>> open_value(NamespaceNumber ns,
                                                          std::string_view key,
                                                          Reader reader = Reader::kAnyone) const;

  // Blocks on disk. Errors: kInvalidArgument (limit, sizes); kStale (keys with the prefix may be
  // mirrored, and their mirror is behind or loading); kCorruption; kIoError; kNamespaceNotFound.
  virtual Result<ListPage> list(const ListRequest& request) const = 0;

  // Queues `write` for the writer thread and returns at once. Writes are done in the order in which
  // they were submitted and committed. `done` is called exactly once: on a thread that writes, or
  // on the caller's if the write is refused at once (kBusy: the queue is full; kUnavailable: the
  // store is closing; kDiskFull, kInvalidArgument, kTooLarge). It must not block.
  virtual void submit(Write write, WriteCallback done) = 0;

  // As submit, for a caller with work of its own: the calling thread writes what is queued if
  // nobody else does, but never waits for the disk or for others. Errors: as submit, of each item.
  virtual void commit(std::shared_ptr<WriteSet> writes);

  // Blocks. Errors: kNamespaceNotFound; kBusy (too many uploads); kDiskFull; kIoError.
  virtual Result<std::unique_ptr<ValueUpload>> begin_upload(NamespaceNumber ns);

  // `wake` is called on a thread that writes when there is something new after next() answered all;
  // it must not block. Errors: kNamespaceNotFound; kStale (as next); kBusy (too many watches).
  virtual Result<std::unique_ptr<Watch>> watch(WatchRequest request, std::function<void()> wake);

  // These four block on disk and are durable before they return. An empty id makes a random one.
  // Clearing and deleting take the same short time whatever the size; the space comes back in the
  // background. Errors: kExists (id or title in use); kInvalidArgument; kNamespaceNotFound.
  virtual Result<Namespace> create_namespace(std::string title, std::string id) = 0;
  virtual Status rename_namespace(NamespaceNumber ns, std::string title);
  virtual Status clear_namespace(NamespaceNumber ns);
  virtual Status delete_namespace(NamespaceNumber ns);

  virtual std::vector<Namespace> list_namespaces() const = 0;
  // Another number after namespaces were created, renamed or deleted. Never waits.
  virtual std::uint64_t namespaces_version() const = 0;
  // By id, or if none has that id by title. kNamespaceNotFound.
  virtual Result<Namespace> find_namespace(std::string_view id_or_title) const = 0;
  virtual Result<NamespaceUsage> usage(NamespaceNumber ns) const;

  // How fresh the key is; nothing if no mirror owns it.
  virtual std::optional<MirrorFreshness> mirror_of(NamespaceNumber ns, std::string_view key) const;
  // Of each namespace that has rules or a position, by number.
  virtual std::vector<MirrorStatus> mirrors() const;

  // The operator's word that the wall clock is right: node time becomes wall time, backwards too.
  virtual Status confirm_clock();

  virtual StoreStats stats() const = 0;
};

// Waits for the outcome of one operation. Not to be called in an answer to a write.
Result<WriteOutcome> write_and_wait(Store& store, Operation operation, Durability durability);

// As above, for a whole Write.
Result<std::vector<WriteOutcome>> write_and_wait(Store& store, Write write);

}  // namespace edged::storage
