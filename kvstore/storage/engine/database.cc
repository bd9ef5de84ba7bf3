// SPDX-License-Identifier: Apache-2.0
// Survey, plan, open, verify.
#include "kvstore/storage/engine/database.h"

#include <malloc.h>
#include <rocksdb/file_system.h>

#include <filesystem>
#include <string>
#include <utility>

#include "kvstore/storage/engine/database_options.h"
#include "kvstore/storage/engine/rocks_status.h"
#include "kvstore/storage/recovery/log_survey.h"
#include "kvstore/storage/recovery/recovery.h"
#include "kvstore/storage/write/write_group.h"
#include "proto/base/log.h"

namespace edged::storage {
namespace {

Result<bool> exists(const RocksStoreOptions& options) {
  const std::string current = database_path(options.data_dir) + "/CURRENT";
  const auto status = options.file_system->FileExists(current, rocksdb::IOOptions(), nullptr);
  if (status.ok() || status.IsNotFound()) return status.ok();
  return from_rocksdb(status, opening(options.data_dir));
}

// The mark comes first: a database without one is damage. Directories that were just made are
// synced, for RocksDB syncs only its own.
Status prepare_new(const RocksStoreOptions& options, const Mark& mark) {
  rocksdb::FileSystem& files = *options.file_system;
  const std::string path = database_path(options.data_dir);
  const auto status = files.CreateDirIfMissing(path, rocksdb::IOOptions(), nullptr);
  if (!status.ok()) return from_rocksdb(status, opening(options.data_dir));
  Status made = MarkFile::create(files, mark_path(options.data_dir), mark);
  if (!made.ok()) return made;
  const auto parent = std::filesystem::absolute(options.data_dir).parent_path();
  return sync_directory(files, parent.string());
}

Status explain(const rocksdb::Status& status, const RocksStoreOptions& options) {
  Status translated = from_rocksdb(status, opening(options.data_dir));
  if (translated.code() != Code::kCorruption) return translated;
  return Status(Code::kCorruption,
                translated.message() + ". Restore the file, or start with an empty directory");
}

// A mark for a database that holds `sequence`, all of it on disk.
Mark fresh_mark(const Result<Mark>& old, std::uint64_t sequence, const ClockMark& now) {
  Mark mark;
  mark.acknowledged_sequence = sequence;
  mark.synced_sequence = sequence;
  if (old) mark.version = old->version;
  mark.clock = now;
  return mark;
}

// Everything that must be decided, and may have to be repaired, before RocksDB opens for writing.
Result<RecoveryPlan> recover(const RocksStoreOptions& options,
                             const DatabaseOptions& database,
                             const Result<Mark>& mark,
                             const ClockMark& now) {
  const auto there = exists(options);
  if (!there) return there.error();
  if (!*there) {
    auto plan = plan_without_database(options, mark);
    if (!plan) return plan;
    if (options.read_only || !options.create_if_missing) {
      return Status(Code::kNotFound, opening(options.data_dir) + ": no database there");
    }
    Status prepared = prepare_new(options, fresh_mark(mark, 0, now));
    if (!prepared.ok()) return prepared;
    return plan;
  }
  const auto survey = survey_logs(database, options.file_system, options.data_dir);
  if (!survey) return survey.error();
  auto plan = plan_recovery(options, mark, *survey);
  if (!plan || options.read_only) return plan;
  Status done = carry_out(*plan, options, now.node_time);
  if (!done.ok()) return done;
  return plan;
}

}  // namespace

Result<std::unique_ptr<Database>> Database::open(const RocksStoreOptions& options,
                                                 const Result<Mark>& mark,
                                                 const ClockMark& now,
                                                 CompactionFilters filters) {
  auto database = std::unique_ptr<Database>(new Database);
  database->env_ = rocksdb::NewCompositeEnv(options.file_system);
  // Where cores are few, compactions must not make requests wait. Flushes keep their turn: writes
  // stall behind them. Of the whole process, which has one store.
  (void)database->env_->LowerThreadPoolCPUPriority(rocksdb::Env::LOW, rocksdb::CpuPriority::kLow);
  database->logger_ = std::make_shared<RocksLogger>();
  auto how =
      make_database_options(options, database->env_.get(), database->logger_, std::move(filters));
  const auto plan = recover(options, how, mark, now);
  if (!plan) return plan.error();

  // A torn last batch is what a kill leaves. Nothing worse is left, except for a reader, which may
  // not cut the log.
  how.db.wal_recovery_mode = options.read_only
                                 ? rocksdb::WALRecoveryMode::kPointInTimeRecovery
                                 : rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  const std::string path = database_path(options.data_dir);
  rocksdb::DB* db = nullptr;
  const auto status =
      options.read_only
          ? rocksdb::DB::OpenForReadOnly(how.db, path, how.families, &database->handles_, &db)
          : rocksdb::DB::Open(how.db, path, how.families, &database->handles_, &db);
  database->db_.reset(db);
  if (!status.ok()) return explain(status, options);
  const std::uint64_t found = db->GetLatestSequenceNumber();
  if (found < plan->recovered_sequence) {
    return Status(Code::kCorruption,
                  opening(options.data_dir) + ": RocksDB recovered up to sequence " +
                      std::to_string(found) + ", the logs held " +
                      std::to_string(plan->recovered_sequence));
  }
  if (plan->renew_mark && !options.read_only) {
    Status renewed = MarkFile::create(
        *options.file_system, mark_path(options.data_dir), fresh_mark(mark, found, now));
    if (!renewed.ok()) return renewed;
  }
  database->recovered_lost_ = plan->lost;
  if (!plan->report.empty()) log::error("storage: " + plan->report);
  database->logger_->set_quiet(false);
  ::malloc_trim(0);  // what replaying the log took
  return database;
}

Database::~Database() {
  if (!db_) return;
  for (auto* handle : handles_) (void)db_->DestroyColumnFamilyHandle(handle);
  (void)db_->Close();
}

bool Database::resume() {
  if (!db_->Resume().ok()) return false;
  std::string version;
  if (!db_->Get({}, meta(), kVersionKey, &version).ok()) return true;  // nothing was ever written
  rocksdb::WriteOptions unlogged;
  unlogged.disableWAL = true;
  return db_->Put(unlogged, meta(), kVersionKey, version).ok() && flush().ok();
}

Status Database::flush() {
  const auto status = db_->Flush(rocksdb::FlushOptions(), handles_);
  return status.ok() ? Status() : from_rocksdb(status, "could not flush");
}

}  // namespace edged::storage
