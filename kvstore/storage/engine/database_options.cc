// SPDX-License-Identifier: Apache-2.0
// Numbers without a comment are those of a 1 GB node on two cores.
#include "kvstore/storage/engine/database_options.h"

#include <rocksdb/cache.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/table_properties_collectors.h>
#include <rocksdb/write_buffer_manager.h>

#include <algorithm>
#include <utility>

#include "kvstore/storage/expiry/expiry_properties.h"
#include "kvstore/storage/expiry/ttl_filter.h"

namespace edged::storage {
namespace {

constexpr std::uint64_t kMiB = 1024 * 1024;
constexpr std::size_t kOpenFilesMax = 1'000'000;
constexpr char kMetaFamily[] = "meta";
constexpr char kBodiesFamily[] = "bodies";
// A file of entries with this many deletions among neighbours, or this share in all, is compacted.
constexpr std::size_t kEntryDeletionWindow = 8192;
constexpr std::size_t kEntryDeletionsInWindow = 4096;
constexpr double kEntryDeletionShare = 0.5;
// A file of bodies with this many deletions among neighbours, or this share in all, is compacted.
constexpr std::size_t kDeletionWindow = 8;
constexpr std::size_t kDeletionsInWindow = 4;
constexpr double kDeletionShare = 0.25;

rocksdb::DBOptions make_db_options(const RocksStoreOptions& options,
                                   rocksdb::Env* env,
                                   std::shared_ptr<RocksLogger> logger,
                                   const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::DBOptions db;
  db.env = env;
  db.create_if_missing = options.create_if_missing;
  db.create_missing_column_families = true;
  db.info_log = std::move(logger);
  db.write_buffer_manager = std::make_shared<rocksdb::WriteBufferManager>(
      std::min<std::uint64_t>(48 * kMiB, options.memory_budget_bytes * 3 / 8), cache, false);
  db.max_total_wal_size = 64 * kMiB;
  db.max_background_jobs = 2;
  db.max_open_files =
      options.open_files_max == 0
          ? -1
          : static_cast<int>(std::min<std::size_t>(options.open_files_max, kOpenFilesMax));
  db.max_file_opening_threads = 1;  // the default of 16 leaves 16 malloc arenas behind
  db.bytes_per_sync = kMiB;
  db.skip_stats_update_on_db_open = true;
  db.stats_dump_period_sec = 0;
  db.stats_persist_period_sec = 0;
  // Families flushed each alone would leave logs of which a part is needed, and then nothing tells
  // whether the first of them is missing (log_survey.h).
  db.atomic_flush = true;
  db.enable_pipelined_write = false;  // one writer: nothing to overlap
  return db;
}

rocksdb::ColumnFamilyOptions make_family_options(const std::shared_ptr<rocksdb::Cache>& cache,
                                                 std::uint64_t write_buffer_bytes) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.block_size = 8 * 1024;
  table.cache_index_and_filter_blocks = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.data_block_index_type = rocksdb::BlockBasedTableOptions::kDataBlockBinaryAndHash;
  table.format_version = 5;  // readable by every RocksDB since 6.6

  rocksdb::ColumnFamilyOptions family;
  family.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  family.write_buffer_size = write_buffer_bytes;
  family.max_write_buffer_number = 3;
  family.memtable_whole_key_filtering = true;
  family.memtable_prefix_bloom_size_ratio = 0.02;
  family.compression = rocksdb::kLZ4Compression;
  family.bottommost_compression = rocksdb::kZSTD;
  family.level_compaction_dynamic_level_bytes = true;
  family.target_file_size_base = 16 * kMiB;  // reclaiming works by file
  return family;
}

}  // namespace

DatabaseOptions make_database_options(const RocksStoreOptions& options,
                                      rocksdb::Env* env,
                                      std::shared_ptr<RocksLogger> logger,
                                      CompactionFilters filters) {
  const auto cache = rocksdb::NewLRUCache(std::max(options.memory_budget_bytes, 8 * kMiB), 4);
  DatabaseOptions made;
  made.db = make_db_options(options, env, std::move(logger), cache);
  const std::uint64_t buffer =
      std::clamp<std::uint64_t>(options.memory_budget_bytes / 8, kMiB, 16 * kMiB);
  auto entries = make_family_options(cache, buffer);
  entries.compaction_filter_factory = std::move(filters.entries);
  entries.table_properties_collector_factories.push_back(make_expiry_collector_factory());
  // A list passes over deletions one by one.
  entries.table_properties_collector_factories.push_back(
      rocksdb::NewCompactOnDeletionCollectorFactory(
          kEntryDeletionWindow, kEntryDeletionsInWindow, kEntryDeletionShare));
  made.families.emplace_back(rocksdb::kDefaultColumnFamilyName, entries);
  made.families.emplace_back(kMetaFamily, make_family_options(cache, kMiB));
  auto bodies = make_family_options(cache, buffer);
  bodies.compaction_filter_factory = std::move(filters.bodies);
  // A large value that was deleted is worth a compaction soon.
  bodies.table_properties_collector_factories.push_back(
      rocksdb::NewCompactOnDeletionCollectorFactory(
          kDeletionWindow, kDeletionsInWindow, kDeletionShare));
  made.families.emplace_back(kBodiesFamily, bodies);
  return made;
}

}  // namespace edged::storage
