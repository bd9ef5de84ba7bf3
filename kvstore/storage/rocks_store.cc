// SPDX-License-Identifier: Apache-2.0
// The Store on RocksDB: reads here, writes through the Writer.
#include "kvstore/storage/rocks_store.h"

#include <rocksdb/file_system.h>
#include <rocksdb/version.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "kvstore/storage/bytes.h"
#include "kvstore/storage/database.h"
#include "kvstore/storage/database_options.h"
#include "kvstore/storage/directory_lock.h"
#include "kvstore/storage/entry_lister.h"
#include "kvstore/storage/mark_file.h"
#include "kvstore/storage/namespace_table.h"
#include "kvstore/storage/reclaimer.h"
#include "kvstore/storage/record.h"
#include "kvstore/storage/rocks_status.h"
#include "kvstore/storage/write_group.h"
#include "kvstore/storage/writer.h"

namespace edged::storage {
namespace {

constexpr char kStoreFormatKey[] = "format";  // u32le, in "meta"
constexpr std::uint32_t kStoreFormat = 1;

RocksStoreOptions with_defaults(RocksStoreOptions options) {
  if (options.boot_id.empty()) options.boot_id = read_boot_id();
  if (!options.file_system) options.file_system = rocksdb::FileSystem::Default();
  return options;
}

// The parts in the order in which they are made; they end in the opposite order.
struct Parts {
  SystemClock system_clock;
  std::unique_ptr<DirectoryLock> lock;
  std::optional<StoreClock> clock;
  std::shared_ptr<TtlFilterFactory> filter;
  std::unique_ptr<Database> database;
  std::optional<NamespaceTable> namespaces;
  std::unique_ptr<MarkFile> mark_file;
  std::optional<Writer> writer;
  std::optional<Reclaimer> reclaimer;
};

class RocksStore final : public Store {
 public:
  explicit RocksStore(RocksStoreOptions options) : options_(with_defaults(std::move(options))) {}

  Status open();

  Result<Entry> get(NamespaceNumber ns, std::string_view key, ReadTier tier) const override;
  Result<ListPage> list(const ListRequest& request) const override;
  void submit(Write write, WriteCallback done) override;
  Result<Namespace> create_namespace(std::string title, std::string id) override;
  std::vector<Namespace> list_namespaces() const override { return parts_.namespaces->list(); }
  Result<Namespace> find_namespace(std::string_view id_or_title) const override {
    return parts_.namespaces->find(id_or_title);
  }
  StoreStats stats() const override;

 private:
  Status check_format();
  Result<Version> stored_version() const;

  const RocksStoreOptions options_;
  Parts parts_;
};

Status RocksStore::open() {
  const Clock& clock = options_.clock != nullptr ? *options_.clock : parts_.system_clock;
  auto lock =
      DirectoryLock::acquire(options_.data_dir, options_.create_if_missing && !options_.read_only);
  if (!lock) return lock.error();
  parts_.lock = std::move(*lock);

  const auto mark = MarkFile::read(*options_.file_system, mark_path(options_.data_dir));
  const auto clock_mark = mark ? std::optional(mark->clock) : std::nullopt;
  parts_.clock.emplace(clock, options_.synchronised, options_.boot_id, clock_mark);
  parts_.filter = std::make_shared<TtlFilterFactory>(*parts_.clock, options_.expiry_grace);

  auto database = Database::open(options_, mark, parts_.clock->mark(), parts_.filter);
  if (!database) return database.error();
  parts_.database = std::move(*database);
  if (Status status = check_format(); !status.ok()) return status;
  parts_.namespaces.emplace(*parts_.database);
  if (Status status = parts_.namespaces->load(); !status.ok()) return status;
  const auto version = stored_version();
  if (!version) return version.error();
  // Versions carry the time of their write: a floor for node time even if the mark was lost.
  parts_.clock->raise(from_unix_ms(static_cast<std::int64_t>(*version / 1000)));
  if (options_.read_only) return Status();

  auto mark_file = MarkFile::open(*options_.file_system, mark_path(options_.data_dir));
  if (!mark_file) return mark_file.error();
  parts_.mark_file = std::move(*mark_file);
  parts_.writer.emplace(*parts_.database,
                        *parts_.namespaces,
                        *parts_.clock,
                        *parts_.mark_file,
                        std::max(*version, mark ? mark->version : 0),
                        Writer::Limits{options_.queue_operations_max, options_.queue_bytes_max});
  parts_.reclaimer.emplace(*parts_.database,
                           *parts_.writer,
                           *parts_.clock,
                           parts_.filter,
                           Reclaimer::Options{options_.expiry_grace, options_.reclaim_interval});
  return Status();
}

Status RocksStore::check_format() {
  std::string stored;
  Database& database = *parts_.database;
  const auto status = database.db().Get({}, database.meta(), kStoreFormatKey, &stored);
  if (status.IsNotFound() && !options_.read_only) {
    std::string format;
    append_le(format, kStoreFormat);
    rocksdb::WriteOptions synced;
    synced.sync = true;
    const auto written = database.db().Put(synced, database.meta(), kStoreFormatKey, format);
    return written.ok() ? Status() : from_rocksdb(written, "could not write the store's format");
  }
  if (!status.ok()) return from_rocksdb(status, "could not read the store's format");
  if (stored.size() != 4 || load_le<std::uint32_t>(stored, 0) != kStoreFormat) {
    return Status(
        Code::kUnsupported,
        "could not open database \"" + options_.data_dir + "\": its format is of another release");
  }
  return Status();
}

Result<Version> RocksStore::stored_version() const {
  std::string stored;
  const Database& database = *parts_.database;
  const auto status = database.db().Get({}, database.meta(), kVersionKey, &stored);
  if (status.IsNotFound()) return Version{0};
  if (!status.ok()) return from_rocksdb(status, "could not read the last version");
  if (stored.size() != 8) return Status(Code::kCorruption, "the stored last version is damaged");
  return load_le<std::uint64_t>(stored, 0);
}

Result<Entry> RocksStore::get(NamespaceNumber ns, std::string_view key, ReadTier tier) const {
  if (key.empty() || key.size() > kKeyBytesMax) {
    return Status(Code::kInvalidArgument, "key must have 1 to 512 bytes");
  }
  const auto prefix = parts_.namespaces->prefix_of(ns);
  if (!prefix) return Status(Code::kNamespaceNotFound, "no such namespace");
  rocksdb::ReadOptions options;
  if (tier == ReadTier::kMemory) options.read_tier = rocksdb::kBlockCacheTier;
  const std::string stored_key = encode_key(*prefix, key);
  const Database& database = *parts_.database;
  rocksdb::PinnableSlice stored;
  const auto status = database.db().Get(options, database.entries(), stored_key, &stored);
  if (status.IsNotFound()) return Status(Code::kNotFound, "no such key");
  if (!status.ok()) return from_rocksdb(status, "could not read");
  const auto record = decode_record(stored_key, {stored.data(), stored.size()});
  if (!record) return record.error();
  if (is_expired(record->header.expiry_ms, to_unix_ms(parts_.clock->now()))) {
    return Status(Code::kNotFound, "no such key");
  }
  return to_entry(*record, true);
}

Result<ListPage> RocksStore::list(const ListRequest& request) const {
  const auto prefix = parts_.namespaces->prefix_of(request.ns);
  if (!prefix) return Status(Code::kNamespaceNotFound, "no such namespace");
  const Clock& clock = options_.clock != nullptr ? *options_.clock : parts_.system_clock;
  return list_entries(*parts_.database, *prefix, request, parts_.clock->now(), clock);
}

void RocksStore::submit(Write write, WriteCallback done) {
  if (parts_.writer) {
    parts_.writer->submit(std::move(write), std::move(done));
  } else {
    done(Status(Code::kDenied, "store is open for reading only"));
  }
}

Result<Namespace> RocksStore::create_namespace(std::string title, std::string id) {
  if (!parts_.writer) return Status(Code::kDenied, "store is open for reading only");
  Result<Namespace> created = Status(Code::kUnavailable, "store is closing");
  (void)parts_.writer->run([&] {
    created = parts_.namespaces->create(std::move(title), std::move(id), parts_.clock->now());
  });
  return created;
}

StoreStats RocksStore::stats() const {
  StoreStats stats;
  std::error_code error;
  for (const auto& file : std::filesystem::directory_iterator(options_.data_dir + "/db", error)) {
    std::error_code gone;  // RocksDB may delete it meanwhile
    const auto bytes = file.file_size(gone);
    if (!gone) stats.disk_bytes += bytes;
  }
  const Database& database = *parts_.database;
  const auto number = [&](const char* property) {
    std::uint64_t value = 0;
    database.db().GetIntProperty(database.entries(), property, &value);
    return value;
  };
  // The memtables' memory is charged to the block cache.
  stats.memory_bytes =
      number("rocksdb.block-cache-usage") + number("rocksdb.estimate-table-readers-mem");
  stats.keys_estimate = number("rocksdb.estimate-num-keys");
  stats.recovered_lost_writes = database.recovered_lost();
  stats.expired_reclaimed = parts_.filter->dropped();
  if (parts_.writer) {
    const auto counts = parts_.writer->counts();
    stats.writes = counts.writes;
    stats.syncs = counts.syncs;
    stats.write_groups = counts.groups;
  }
  stats.engine = "rocksdb " + rocksdb::GetRocksVersionAsString();
  return stats;
}

}  // namespace

Result<std::unique_ptr<Store>> open_rocks_store(RocksStoreOptions options) {
  auto store = std::make_unique<RocksStore>(std::move(options));
  if (Status status = store->open(); !status.ok()) return status;
  return std::unique_ptr<Store>(std::move(store));
}

}  // namespace edged::storage
