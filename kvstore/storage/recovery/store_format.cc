// SPDX-License-Identifier: Apache-2.0
// Format and last version, in "meta".
#include "kvstore/storage/recovery/store_format.h"

#include <string>

#include "kvstore/storage/engine/rocks_status.h"
#include "kvstore/storage/format/bytes.h"
#include "kvstore/storage/tables/usage_table.h"
#include "kvstore/storage/write/write_group.h"

namespace edged::storage {
namespace {

constexpr char kFormatKey[] = "format";  // u32le
constexpr std::uint32_t kFormat = 2;
// The first format: it had no counts and no large values apart.
constexpr std::uint32_t kFormatWithoutCounts = 1;

Status store_format(Database& database) {
  std::string format;
  append_le(format, kFormat);
  rocksdb::WriteOptions synced;
  synced.sync = true;
  const auto written = database.db().Put(synced, database.meta(), kFormatKey, format);
  return written.ok() ? Status() : from_rocksdb(written, "could not write the store's format");
}

}  // namespace

Status check_format(Database& database, const RocksStoreOptions& options) {
  std::string stored;
  const auto status = database.db().Get({}, database.meta(), kFormatKey, &stored);
  if (status.IsNotFound()) return options.read_only ? Status() : store_format(database);
  if (!status.ok()) return from_rocksdb(status, "could not read the store's format");
  const auto format = stored.size() == 4 ? load_le<std::uint32_t>(stored, 0) : 0;
  if (format == kFormat) return Status();
  if (format == kFormatWithoutCounts) {
    if (options.read_only) return Status();
    if (Status counted = UsageTable::rebuild(database); !counted.ok()) return counted;
    return store_format(database);
  }
  return Status(
      Code::kUnsupported,
      opening(options.data_dir) + ": another release of edged wrote it, in another format");
}

Result<Version> stored_version(const Database& database) {
  std::string stored;
  const auto status = database.db().Get({}, database.meta(), kVersionKey, &stored);
  if (status.IsNotFound()) return Version{0};
  if (!status.ok()) return from_rocksdb(status, "could not read the last version");
  if (stored.size() != 8) return Status(Code::kCorruption, "the stored last version is damaged");
  return load_le<std::uint64_t>(stored, 0);
}

}  // namespace edged::storage
