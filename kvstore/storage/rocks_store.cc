// SPDX-License-Identifier: Apache-2.0
// The Store on RocksDB: reads here, writes through the Writer.
#include "kvstore/storage/rocks_store.h"

#include <rocksdb/file_system.h>

#include <algorithm>
#include <utility>

#include "kvstore/storage/engine/database_options.h"
#include "kvstore/storage/engine/engine_name.h"
#include "kvstore/storage/format/record.h"
#include "kvstore/storage/read/entry_lister.h"
#include "kvstore/storage/recovery/store_format.h"
#include "kvstore/storage/store_parts.h"
#include "kvstore/storage/write/value_upload.h"

namespace edged::storage {
namespace {

constexpr std::chrono::milliseconds kLeaseMax{60'000};

RocksStoreOptions completed(RocksStoreOptions options) {
  if (options.boot_id.empty()) options.boot_id = read_boot_id();
  if (!options.file_system) options.file_system = rocksdb::FileSystem::Default();
  return options;
}

class RocksStore final : public Store {
 public:
  explicit RocksStore(RocksStoreOptions options)
      : options_(completed(std::move(options))),
        clock_(options_.clock != nullptr ? *options_.clock : parts_.system_clock) {}

  Status open();

  Result<Entry> get(NamespaceNumber ns,
                    std::string_view key,
                    ReadTier tier,
                    Reader reader) const override {
    Entry entry;
    Status status = get_into(ns, key, tier, entry, reader);
    if (!status.ok()) return status;
    return entry;
  }
  Status get_into(NamespaceNumber ns,
                  std::string_view key,
                  ReadTier tier,
                  Entry& entry,
                  Reader reader) const override {
    return parts_.reader->get_into(ns, key, tier, entry, reader);
  }
  void prefetch(std::span<const KeyName> keys) const override { parts_.reader->prefetch(keys); }
  bool is_cached(NamespaceNumber ns, std::string_view key) const override {
    const auto prefix = parts_.namespaces->prefix_of(ns);
    return prefix && !is_reserved(key) && parts_.hot->contains(HotCache::key_of(*prefix, key));
  }
  std::vector<Result<Entry>> get_many(NamespaceNumber ns,
                                      const std::vector<std::string_view>& keys,
                                      ReadTier tier,
                                      Reader reader) const override {
    return parts_.reader->get_many(ns, keys, tier, reader);
  }
  Result<LeasedEntry> get_or_lease(NamespaceNumber ns,
                                   std::string_view key,
                                   std::chrono::milliseconds duration,
                                   ReadTier tier) override;
  Result<std::unique_ptr<ValueReader>> open_value(NamespaceNumber ns,
                                                  std::string_view key,
                                                  Reader reader) const override {
    return parts_.reader->open_value(ns, key, reader);
  }
  Result<ListPage> list(const ListRequest& request) const override;
  void submit(Write write, WriteCallback done) override;
  void commit(std::shared_ptr<WriteSet> writes) override;
  Result<std::unique_ptr<ValueUpload>> begin_upload(NamespaceNumber ns) override;
  Result<std::unique_ptr<Watch>> watch(WatchRequest request, std::function<void()> wake) override;
  Result<Namespace> create_namespace(std::string title, std::string id) override;
  Status rename_namespace(NamespaceNumber ns, std::string title) override;
  Status clear_namespace(NamespaceNumber ns) override;
  Status delete_namespace(NamespaceNumber ns) override;
  std::vector<Namespace> list_namespaces() const override { return parts_.namespaces->list(); }
  std::uint64_t namespaces_version() const override { return parts_.namespaces->version(); }
  Result<Namespace> find_namespace(std::string_view id_or_title) const override {
    return parts_.namespaces->find(id_or_title);
  }
  Result<NamespaceUsage> usage(NamespaceNumber ns) const override;
  std::optional<MirrorFreshness> mirror_of(NamespaceNumber ns,
                                           std::string_view key) const override {
    if (parts_.mirrors.state_of(ns) == nullptr) return std::nullopt;
    return parts_.mirrors.freshness_of(ns, key, parts_.clock->now());
  }
  std::vector<MirrorStatus> mirrors() const override {
    return parts_.mirrors.all(parts_.clock->now());
  }
  Status confirm_clock() override;
  StoreStats stats() const override;

 private:
  using Drop = Result<std::uint32_t> (NamespaceTable::*)(NamespaceNumber);

  Status open_database(const Result<Mark>& mark);
  Status load(Version& last_version);
  Status start_writing(Version last_version);
  Result<std::uint32_t> prefix_of(NamespaceNumber ns) const;
  Status drop(NamespaceNumber ns, Drop how);
  std::int64_t now_ms() const { return to_unix_ms(parts_.clock->now()); }

  const RocksStoreOptions options_;
  StoreParts parts_;
  const Clock& clock_;
};

Status read_only_refusal() {
  return Status(Code::kDenied, "store is open for reading only");
}

Status closing_refusal() {
  return Status(Code::kUnavailable, "store is closing");
}

Status RocksStore::open() {
  auto lock =
      DirectoryLock::acquire(options_.data_dir, options_.create_if_missing && !options_.read_only);
  if (!lock) return lock.error();
  parts_.lock = std::move(*lock);
  if (!options_.read_only) {
    Status closed = close_to_others(options_.data_dir);
    if (!closed.ok()) return closed;
  }
  const auto mark = MarkFile::read(*options_.file_system, mark_path(options_.data_dir));
  Version last_version = mark ? mark->version : 0;
  if (Status status = open_database(mark); !status.ok()) return status;
  if (Status status = load(last_version); !status.ok()) return status;
  return options_.read_only ? Status() : start_writing(last_version);
}

Status RocksStore::open_database(const Result<Mark>& mark) {
  // First of all, so that the ballast's space is there if the disk is full.
  if (!options_.read_only) {
    parts_.guard.emplace(DiskGuard::Options{options_.data_dir,
                                            options_.disk_quota_bytes,
                                            options_.disk_reserve_bytes,
                                            options_.ballast_bytes,
                                            options_.free_space});
  }
  const auto clock_mark = mark ? std::optional(mark->clock) : std::nullopt;
  parts_.clock.emplace(clock_, options_.synchronised, options_.boot_id, clock_mark);
  parts_.filter =
      std::make_shared<TtlFilterFactory>(*parts_.clock, parts_.dropped, options_.expiry_grace);
  auto database =
      Database::open(options_,
                     mark,
                     parts_.clock->mark(),
                     {parts_.filter, std::make_shared<BodyFilterFactory>(parts_.dropped)});
  if (!database) return database.error();
  parts_.database = std::move(*database);
  return Status();
}

// What the rest works with, from "meta". `last_version` becomes the last one ever given out.
Status RocksStore::load(Version& last_version) {
  Database& database = *parts_.database;
  if (Status status = check_format(database, options_); !status.ok()) return status;
  if (Status status = parts_.dropped.load(database); !status.ok()) return status;
  if (Status status = parts_.usage.load(database); !status.ok()) return status;
  parts_.namespaces.emplace(database, parts_.usage, parts_.dropped);
  if (Status status = parts_.namespaces->load(); !status.ok()) return status;
  const auto version = stored_version(database);
  if (!version) return version.error();
  last_version = std::max(last_version, *version);
  // Versions carry the time of their write: a floor for node time even if the mark was lost.
  parts_.clock->raise(from_unix_ms(static_cast<std::int64_t>(*version / 1000)));
  parts_.hot.emplace(options_.hot_cache_bytes);
  if (Status status = parts_.mirrors.load(database, *parts_.namespaces); !status.ok()) {
    return status;
  }
  parts_.reader.emplace(
      database, *parts_.namespaces, *parts_.clock, clock_, parts_.mirrors, *parts_.hot);
  return Status();
}

Status RocksStore::start_writing(Version last_version) {
  Database& database = *parts_.database;
  if (Status status = UploadTable::remove_abandoned(database); !status.ok()) return status;
  auto mark_file = MarkFile::open(*options_.file_system, mark_path(options_.data_dir));
  if (!mark_file) return mark_file.error();
  parts_.mark_file = std::move(*mark_file);
  parts_.leases.emplace(clock_);
  parts_.feed.emplace(last_version);
  parts_.context.emplace(WriteContext{database,
                                      *parts_.namespaces,
                                      parts_.usage,
                                      *parts_.leases,
                                      parts_.uploads,
                                      *parts_.hot,
                                      parts_.mirrors});
  parts_.writer.emplace(
      Writer::Parts{
          database, *parts_.context, *parts_.clock, *parts_.mark_file, *parts_.guard, *parts_.feed},
      last_version,
      Writer::Limits{options_.queue_operations_max, options_.queue_bytes_max});
  parts_.checkpoints.emplace(database, options_);
  parts_.reclaimer.emplace(Reclaimer::Parts{database,
                                            *parts_.writer,
                                            *parts_.clock,
                                            parts_.usage,
                                            parts_.dropped,
                                            *parts_.guard,
                                            *parts_.checkpoints,
                                            parts_.filter},
                           Reclaimer::Options{options_.expiry_grace, options_.reclaim_interval});
  return Status();
}

Result<std::uint32_t> RocksStore::prefix_of(NamespaceNumber ns) const {
  const auto prefix = parts_.namespaces->prefix_of(ns);
  if (!prefix) return Status(Code::kNamespaceNotFound, "no such namespace");
  return *prefix;
}

Result<LeasedEntry> RocksStore::get_or_lease(NamespaceNumber ns,
                                             std::string_view key,
                                             std::chrono::milliseconds duration,
                                             ReadTier tier) {
  if (!parts_.leases) return read_only_refusal();
  if (duration.count() <= 0 || duration > kLeaseMax) {
    return Status(Code::kInvalidArgument, "a lease must last 1 ms to 60 s");
  }
  auto entry = get(ns, key, tier, Reader::kAnyone);
  if (entry) return LeasedEntry{*std::move(entry), 0, {}};
  // What is mirrored is filled by the mirror alone.
  if (entry.code() != Code::kNotFound || is_reserved(key) || mirror_of(ns, key)) {
    return entry.error();
  }
  const auto prefix = prefix_of(ns);
  if (!prefix) return prefix.error();
  const std::string stored_key = encode_key(*prefix, key);
  const auto grant = parts_.leases->acquire(stored_key, duration);
  if (!grant) return grant.error();
  if (grant->lease == 0) return LeasedEntry{{}, 0, grant->retry_after};
  // Again, for a write that came between: those that come from here on void the lease.
  entry = get(ns, key, tier, Reader::kAnyone);
  if (!entry && entry.code() == Code::kNotFound) return LeasedEntry{{}, grant->lease, {}};
  parts_.leases->release(stored_key, grant->lease);
  if (!entry) return entry.error();
  return LeasedEntry{*std::move(entry), 0, {}};
}

Result<ListPage> RocksStore::list(const ListRequest& request) const {
  const bool by_mirror = request.reader == Reader::kMirror;
  const MirrorState* state = by_mirror ? nullptr : parts_.mirrors.state_of(request.ns);
  const auto prefix = prefix_of(request.ns);
  if (!prefix) return prefix.error();
  if (state != nullptr) {
    const Status fresh = state->judge_prefix(request.prefix, parts_.clock->now());
    if (!fresh.ok()) return fresh;
  }
  auto page = list_entries(*parts_.database, *prefix, request, parts_.clock->now(), clock_);
  if (state != nullptr && parts_.mirrors.state_of(request.ns) != state) {
    return Status(Code::kStale, "stale: the mirror's rules changed while the keys were listed");
  }
  return page;
}

void RocksStore::submit(Write write, WriteCallback done) {
  if (parts_.writer) {
    parts_.writer->submit(std::move(write), std::move(done));
  } else {
    done(read_only_refusal());
  }
}

void RocksStore::commit(std::shared_ptr<WriteSet> writes) {
  if (parts_.writer) {
    parts_.writer->commit(std::move(writes));
  } else {
    Store::commit(std::move(writes));  // which refuses each
  }
}

Result<std::unique_ptr<ValueUpload>> RocksStore::begin_upload(NamespaceNumber ns) {
  if (!parts_.writer) return read_only_refusal();
  const auto prefix = prefix_of(ns);
  if (!prefix) return prefix.error();
  return begin_value_upload(*parts_.writer, parts_.uploads, *parts_.guard, *prefix);
}

Result<std::unique_ptr<Watch>> RocksStore::watch(WatchRequest request, std::function<void()> wake) {
  if (!parts_.feed) return read_only_refusal();
  const auto prefix = prefix_of(request.ns);
  if (!prefix) return prefix.error();
  return parts_.feed->watch(std::move(request), std::move(wake));
}

Result<Namespace> RocksStore::create_namespace(std::string title, std::string id) {
  if (!parts_.writer) return read_only_refusal();
  Result<Namespace> created = closing_refusal();
  (void)parts_.writer->run([&](Version& /*last_version*/) {
    created = parts_.namespaces->create(std::move(title), std::move(id), parts_.clock->now());
  });
  return created;
}

Status RocksStore::rename_namespace(NamespaceNumber ns, std::string title) {
  if (!parts_.writer) return read_only_refusal();
  Status renamed = closing_refusal();
  (void)parts_.writer->run([&](Version& /*last_version*/) {
    renamed = parts_.namespaces->rename(ns, std::move(title));
  });
  return renamed;
}

Status RocksStore::clear_namespace(NamespaceNumber ns) {
  return drop(ns, &NamespaceTable::clear);
}

Status RocksStore::delete_namespace(NamespaceNumber ns) {
  return drop(ns, &NamespaceTable::remove);
}

Status RocksStore::drop(NamespaceNumber ns, Drop how) {
  if (!parts_.writer) return read_only_refusal();
  Status dropped = closing_refusal();
  (void)parts_.writer->run([&](Version& last_version) {
    parts_.mirrors.begin_drop(ns);
    const auto prefix = ((*parts_.namespaces).*how)(ns);
    parts_.mirrors.end_drop(ns, prefix.has_value());
    dropped = prefix ? Status() : prefix.error();
    if (!prefix) return;
    parts_.leases->void_prefix(encode_key(*prefix, {}));
    last_version = std::max(last_version + 1, static_cast<Version>(now_ms()) * 1000);
    const ChangeFeed::ChangeView cleared{ChangeKind::kClear, ns, {}, last_version, 0};
    parts_.feed->publish({&cleared, 1});
  });
  return dropped;
}

Result<NamespaceUsage> RocksStore::usage(NamespaceNumber ns) const {
  const auto prefix = prefix_of(ns);
  if (!prefix) return prefix.error();
  return parts_.usage.usage_of(*prefix, now_ms());
}

Status RocksStore::confirm_clock() {
  if (!parts_.writer) return read_only_refusal();
  parts_.clock->confirm();
  // Backwards, what expired may live again, unless it was reclaimed: only the engine knows.
  parts_.hot->clear();
  parts_.writer->refresh_mark();
  return Status();
}

StoreStats RocksStore::stats() const {
  StoreStats stats;
  stats.disk_bytes = bytes_in_directory(options_.data_dir + "/db");
  const Database& database = *parts_.database;
  const auto number = [&](const char* property) {
    std::uint64_t value = 0;
    database.db().GetIntProperty(database.entries(), property, &value);
    return value;
  };
  const HotCache::Counts hot = parts_.hot->counts();
  stats.hot_hits = hot.hits;
  stats.hot_misses = hot.misses;
  stats.hot_entries = hot.entries;
  stats.hot_bytes = hot.bytes;
  // The memtables' memory is charged to the block cache.
  stats.memory_bytes =
      number("rocksdb.block-cache-usage") + number("rocksdb.estimate-table-readers-mem");
  stats.memory_bytes += stats.hot_bytes;
  stats.keys_estimate = number("rocksdb.estimate-num-keys");
  stats.recovered_lost_writes = database.recovered_lost();
  stats.expired_reclaimed = parts_.filter->dropped();
  stats.keys = parts_.usage.keys(now_ms());
  stats.clock_step = parts_.clock->pending_step();
  if (parts_.writer) {
    const auto counts = parts_.writer->counts();
    stats.writes = counts.writes;
    stats.syncs = counts.syncs;
    stats.write_groups = counts.groups;
    stats.leases = parts_.leases->size();
    stats.watches = parts_.feed->watches();
    stats.uploads = parts_.uploads.size();
    stats.refuses_writes = parts_.guard->refuses();
    stats.disk_free_bytes = parts_.guard->free_bytes();
  }
  stats.engine = engine_name();
  return stats;
}

}  // namespace

Result<std::unique_ptr<Store>> open_rocks_store(RocksStoreOptions options) {
  auto store = std::make_unique<RocksStore>(std::move(options));
  if (Status status = store->open(); !status.ok()) return status;
  return std::unique_ptr<Store>(std::move(store));
}

}  // namespace edged::storage
