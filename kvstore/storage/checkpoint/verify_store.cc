// SPDX-License-Identifier: Apache-2.0
// See verify_store.h.
#include "kvstore/storage/checkpoint/verify_store.h"

#include <rocksdb/file_system.h>

#include <memory>
#include <optional>
#include <utility>

#include "kvstore/storage/checkpoint/table_file.h"
#include "kvstore/storage/engine/database.h"
#include "kvstore/storage/engine/database_options.h"
#include "kvstore/storage/engine/directory_lock.h"
#include "kvstore/storage/engine/rocks_status.h"
#include "kvstore/storage/format/bytes.h"
#include "kvstore/storage/format/mark_file.h"
#include "kvstore/storage/format/record.h"
#include "kvstore/storage/format/value_chunks.h"
#include "kvstore/storage/tables/dropped_prefixes.h"
#include "proto/base/printable.h"

namespace edged::storage {
namespace {

rocksdb::ReadOptions reading() {
  rocksdb::ReadOptions options;
  options.verify_checksums = true;
  options.fill_cache = false;
  return options;
}

class Verification {
 public:
  Verification(const Database& database, const DroppedPrefixes& dropped)
      : database_(database), dropped_(dropped) {}

  StoreVerdict take() { return std::move(verdict_); }
  void set_namespaces(std::size_t count) { verdict_.namespaces = count; }

  void read_tables() {
    std::vector<rocksdb::LiveFileMetaData> files;
    database_.db().GetLiveFilesMetaData(&files);
    for (const auto& file : files) {
      ++verdict_.tables;
      verdict_.table_bytes += file.size;
      const Status whole = check_table_file(file.db_path + file.name);
      if (!whole.ok()) report(whole.message());
    }
  }

  // Every record, and the chunks that it names. A table file that is damaged ends the reading.
  void read_entries() {
    const auto options = reading();
    const std::unique_ptr<rocksdb::Iterator> entry(
        database_.db().NewIterator(options, database_.entries()));
    for (entry->SeekToFirst(); entry->Valid(); entry->Next()) {
      ++verdict_.entries;
      const std::string key = entry->key().ToString();
      const auto record = decode_record(key, entry->value().ToStringView());
      if (!record) {
        report("entry \"" + printable(key) + "\": " + record.error().message());
      } else if (record->body && key.size() >= kPrefixBytes &&
                 !dropped_.current()->contains(load_be32(key, 0))) {
        read_chunks(options, key, *record->body);
      }
    }
    // The table file is among the findings already.
    if (!entry->status().ok() && verdict_.damaged == 0) {
      report(from_rocksdb(entry->status(), "could not read the entries").message());
    }
  }

 private:
  void report(std::string line) {
    ++verdict_.damaged;
    if (verdict_.findings.size() < StoreVerdict::kFindingsMax) {
      verdict_.findings.push_back(std::move(line));
    }
  }

  void read_chunks(const rocksdb::ReadOptions& options,
                   const std::string& key,
                   const BodyRef& body) {
    for (std::uint32_t index = 0; index < chunk_count(body.bytes); ++index) {
      std::string bytes;
      const Status read = read_chunk(database_, options, load_be32(key, 0), body, index, bytes);
      if (!read.ok()) {
        report("large value of \"" + printable(key) + "\": " + read.message());
        return;
      }
      ++verdict_.chunks;
    }
  }

  const Database& database_;
  const DroppedPrefixes& dropped_;  // of their values some files are gone already
  StoreVerdict verdict_;
};

}  // namespace

Status require_mark(const std::string& data_dir) {
  const auto mark = MarkFile::read(*rocksdb::FileSystem::Default(), mark_path(data_dir));
  if (mark) return Status();
  return {Code::kCorruption,
          opening(data_dir) + ": " + mark.error().message() +
              ", the mark of what was acknowledged. Restore a backup, or start with "
              "--recovery=cache to accept that it is not known what was lost"};
}

Result<StoreVerdict> verify_store(RocksStoreOptions options) {
  options.read_only = true;
  options.create_if_missing = false;
  if (!options.file_system) options.file_system = rocksdb::FileSystem::Default();
  if (options.boot_id.empty()) options.boot_id = read_boot_id();
  std::size_t namespaces = 0;
  {
    // Format, namespaces, counts and rules, as the node reads them.
    const auto store = open_rocks_store(options);
    if (!store) return store.error();
    namespaces = (*store)->list_namespaces().size();
  }
  const auto lock = DirectoryLock::acquire(options.data_dir, false);
  if (!lock) return lock.error();
  if (Status there = require_mark(options.data_dir); !there.ok()) return there;
  const auto mark = MarkFile::read(*options.file_system, mark_path(options.data_dir));
  if (!mark) return mark.error();
  const auto database = Database::open(options, mark, mark->clock, {});
  if (!database) return database.error();
  DroppedPrefixes dropped;
  if (Status loaded = dropped.load(**database); !loaded.ok()) return loaded;
  Verification verification(**database, dropped);
  verification.set_namespaces(namespaces);
  verification.read_tables();
  verification.read_entries();
  return verification.take();
}

}  // namespace edged::storage
