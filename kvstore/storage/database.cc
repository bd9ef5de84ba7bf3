// SPDX-License-Identifier: Apache-2.0
// Lock, options, probe, open. Numbers without a comment are those of a 1 GB node on two cores.
#include "kvstore/storage/database.h"

#include <fcntl.h>
#include <malloc.h>
#include <rocksdb/cache.h>
#include <rocksdb/file_system.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/write_buffer_manager.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "kvstore/storage/expiry_properties.h"
#include "kvstore/storage/rocks_status.h"
#include "proto/base/log.h"

namespace edged::storage {
namespace {

constexpr std::uint64_t kMiB = 1024 * 1024;
constexpr char kMetaFamily[] = "meta";

std::string opening(const std::string& directory) {
  return "could not open database \"" + directory + "\"";
}

rocksdb::DBOptions make_db_options(const RocksStoreOptions& options,
                                   rocksdb::Env* env,
                                   std::shared_ptr<RocksLogger> logger,
                                   const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::DBOptions db;
  db.env = env;
  db.create_if_missing = options.create_if_missing;
  db.create_missing_column_families = options.create_if_missing;
  db.info_log = std::move(logger);
  db.write_buffer_manager = std::make_shared<rocksdb::WriteBufferManager>(
      std::min<std::uint64_t>(48 * kMiB, options.memory_budget_bytes * 3 / 8), cache, false);
  db.max_total_wal_size = 64 * kMiB;
  db.max_background_jobs = 2;
  db.max_open_files = -1;
  db.max_file_opening_threads = 1;  // the default of 16 leaves 16 malloc arenas behind
  db.bytes_per_sync = kMiB;
  db.skip_stats_update_on_db_open = true;
  db.stats_dump_period_sec = 0;
  db.stats_persist_period_sec = 0;
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

// What recovery must at least find. Of this boot everything acknowledged is in the kernel; after a
// reboot only what was synced.
std::uint64_t needed_sequence(const Mark& mark, const std::string& boot_id) {
  return mark.clock.boot_id == boot_id ? mark.acknowledged_sequence : mark.synced_sequence;
}

std::string newest_log(const std::string& db_path) {
  std::string newest;
  std::error_code error;
  for (const auto& file : std::filesystem::directory_iterator(db_path, error)) {
    const std::string path = file.path().string();
    if (file.path().extension() == ".log" && path > newest) newest = path;
  }
  return newest.empty() ? db_path + " (its log is missing)" : newest;
}

class Opener {
 public:
  Opener(const RocksStoreOptions& options,
         rocksdb::Env* env,
         std::shared_ptr<RocksLogger> logger,
         std::shared_ptr<TtlFilterFactory> filter)
      : directory_(options.data_dir),
        db_path_(options.data_dir + "/db"),
        files_(*options.file_system),
        read_only_(options.read_only),
        logger_(std::move(logger)),
        cache_(rocksdb::NewLRUCache(std::max(options.memory_budget_bytes, 8 * kMiB), 4)),
        db_options_(make_db_options(options, env, logger_, cache_)) {
    const std::uint64_t buffer =
        std::clamp<std::uint64_t>(options.memory_budget_bytes / 8, kMiB, 16 * kMiB);
    auto entries = make_family_options(cache_, buffer);
    entries.compaction_filter_factory = std::move(filter);
    entries.table_properties_collector_factories.push_back(make_expiry_collector_factory());
    families_.emplace_back(rocksdb::kDefaultColumnFamilyName, entries);
    families_.emplace_back(kMetaFamily, make_family_options(cache_, kMiB));
  }

  bool exists() const {
    return files_.FileExists(db_path_ + "/CURRENT", rocksdb::IOOptions(), nullptr).ok();
  }

  // The mark comes first: a database without one is damage. Directories that were just made are
  // synced, for RocksDB syncs only its own.
  Status prepare_new(const ClockMark& now) {
    const auto status = files_.CreateDirIfMissing(db_path_, rocksdb::IOOptions(), nullptr);
    if (!status.ok()) return from_rocksdb(status, opening(directory_));
    Mark mark;
    mark.clock = now;
    if (Status made = MarkFile::create(files_, directory_ + "/store.mark", mark); !made.ok()) {
      return made;
    }
    return sync_directory(files_, std::filesystem::absolute(directory_).parent_path().string());
  }

  // Chooses how the log is recovered, by trying without writing first.
  Status choose_recovery(const Result<Mark>& mark, const std::string& boot_id);

  rocksdb::Status open(bool read_only,
                       std::unique_ptr<rocksdb::DB>& db,
                       std::vector<rocksdb::ColumnFamilyHandle*>& handles) {
    rocksdb::DB* opened = nullptr;
    const auto status =
        read_only
            ? rocksdb::DB::OpenForReadOnly(db_options_, db_path_, families_, &handles, &opened)
            : rocksdb::DB::Open(db_options_, db_path_, families_, &handles, &opened);
    db.reset(opened);
    return status;
  }

  // The opened database must hold what the mark promises.
  Status verify(const rocksdb::DB& db, const Result<Mark>& mark, const std::string& boot_id) const {
    if (!mark) return Status();
    const std::uint64_t needed = needed_sequence(*mark, boot_id);
    const std::uint64_t found = db.GetLatestSequenceNumber();
    return found >= needed ? Status() : missing(needed, found);
  }

  Status explain(const rocksdb::Status& status) const {
    Status translated = from_rocksdb(status, opening(directory_));
    if (translated.code() != Code::kCorruption) return translated;
    const std::string log = logger_->damaged_log();
    if (log.empty()) return translated;
    return Status(Code::kCorruption,
                  opening(directory_) + ": damaged log \"" + log + "\". Nothing was changed");
  }

 private:
  rocksdb::Status probe(rocksdb::WALRecoveryMode mode, std::uint64_t& sequence) {
    db_options_.wal_recovery_mode = mode;
    std::unique_ptr<rocksdb::DB> db;
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    const auto status = open(true, db, handles);
    if (!status.ok()) return status;
    sequence = db->GetLatestSequenceNumber();
    for (auto* handle : handles) (void)db->DestroyColumnFamilyHandle(handle);
    return status;
  }

  Status missing(std::uint64_t needed, std::uint64_t found) const {
    std::string log = logger_->damaged_log();
    if (log.empty()) log = newest_log(db_path_);
    return Status(Code::kCorruption,
                  opening(directory_) + ": acknowledged writes are missing from log \"" + log +
                      "\" (it ends at " + std::to_string(found) + ", acknowledged up to " +
                      std::to_string(needed) + "). Nothing was changed");
  }

  const std::string directory_;
  const std::string db_path_;
  rocksdb::FileSystem& files_;
  const bool read_only_;
  const std::shared_ptr<RocksLogger> logger_;
  const std::shared_ptr<rocksdb::Cache> cache_;
  rocksdb::DBOptions db_options_;
  std::vector<rocksdb::ColumnFamilyDescriptor> families_;
};

Status Opener::choose_recovery(const Result<Mark>& mark, const std::string& boot_id) {
  // Tolerating a torn tail is what a kill leaves; everything else must be proven harmless.
  db_options_.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  if (!mark) {
    if (!exists() || read_only_) return Status();
    return Status(Code::kCorruption,
                  opening(directory_) + ": " + mark.error().message() +
                      ", which says what was acknowledged. Restore it. Nothing was changed");
  }
  const std::uint64_t needed = needed_sequence(*mark, boot_id);
  if (!exists()) {
    if (mark->acknowledged_sequence == 0) return Status();
    return Status(Code::kCorruption,
                  opening(directory_) + ": \"" + db_path_ + "/CURRENT\" is missing");
  }
  if (mark->clean) return Status();  // everything is in table files; open() compares once more
  std::uint64_t found = 0;
  auto status = probe(rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords, found);
  if (status.ok()) return found >= needed ? Status() : missing(needed, found);
  if (!status.IsCorruption()) return explain(status);
  // Damage. It is harmless if everything that counts lies before it: a power cut tears the log
  // anywhere behind the last sync.
  if (!probe(rocksdb::WALRecoveryMode::kPointInTimeRecovery, found).ok()) return explain(status);
  if (found < needed) return missing(needed, found);
  log::warn("storage: the log is torn at " + std::to_string(found) + ", synced up to " +
            std::to_string(needed) + "; writes after that, up to " +
            std::to_string(mark->acknowledged_sequence) + ", did not survive the power cut");
  return Status();
}

}  // namespace

Result<std::unique_ptr<DirectoryLock>> DirectoryLock::acquire(const std::string& directory,
                                                              bool create) {
  std::error_code error;
  if (create) std::filesystem::create_directories(directory, error);
  if (error) {
    return Status(Code::kIoError,
                  "could not create data directory \"" + directory + "\": " + error.message());
  }
  const std::string path = directory + "/store.lock";
  const int flags = (create ? O_RDWR | O_CREAT : O_RDONLY) | O_CLOEXEC;
  const int descriptor = ::open(path.c_str(), flags, 0600);
  if (descriptor < 0) {
    const bool absent = errno == ENOENT && !create;
    return Status(absent ? Code::kNotFound : Code::kIoError,
                  opening(directory) +
                      (absent ? ": no database there"
                              : std::string(": directory not usable: ") + std::strerror(errno)));
  }
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    ::close(descriptor);
    return Status(Code::kUnavailable, opening(directory) + ": lock held by another process");
  }
  return std::unique_ptr<DirectoryLock>(new DirectoryLock(descriptor));
}

DirectoryLock::~DirectoryLock() {
  ::close(descriptor_);
}

Result<std::unique_ptr<Database>> Database::open(const RocksStoreOptions& options,
                                                 const Result<Mark>& mark,
                                                 const ClockMark& now,
                                                 std::shared_ptr<TtlFilterFactory> filter) {
  auto database = std::unique_ptr<Database>(new Database);
  database->env_ = rocksdb::NewCompositeEnv(options.file_system);
  database->logger_ = std::make_shared<RocksLogger>();
  Opener opener(options, database->env_.get(), database->logger_, std::move(filter));
  if (!opener.exists() && (options.read_only || !options.create_if_missing) && !mark) {
    return Status(Code::kNotFound, opening(options.data_dir) + ": no database there");
  }
  if (!mark && !opener.exists()) {
    if (Status status = opener.prepare_new(now); !status.ok()) return status;
  }
  if (Status status = opener.choose_recovery(mark, options.boot_id); !status.ok()) return status;
  const auto status = opener.open(options.read_only, database->db_, database->handles_);
  if (!status.ok()) return opener.explain(status);
  if (Status bad = opener.verify(*database->db_, mark, options.boot_id); !bad.ok()) return bad;
  database->logger_->set_quiet(false);
  ::malloc_trim(0);  // the probe's memory, up to the size of the log
  return database;
}

Database::~Database() {
  if (!db_) return;
  for (auto* handle : handles_) (void)db_->DestroyColumnFamilyHandle(handle);
  (void)db_->Close();
}

Status Database::flush() {
  const auto status = db_->Flush(rocksdb::FlushOptions(), handles_);
  return status.ok() ? Status() : from_rocksdb(status, "could not flush");
}

}  // namespace edged::storage
