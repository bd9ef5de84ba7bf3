// SPDX-License-Identifier: Apache-2.0
// Space of dropped prefixes.
#include "kvstore/storage/expiry/prefix_dropper.h"

#include <rocksdb/convenience.h>

#include <memory>
#include <string>

#include "kvstore/storage/engine/rocks_status.h"
#include "kvstore/storage/format/record.h"

namespace edged::storage {
namespace {

struct Range {
  std::string first, bound;  // the bound is not in it
};

Status drop_range(Database& database, rocksdb::ColumnFamilyHandle* family, const Range& range) {
  const rocksdb::Slice first(range.first);
  const rocksdb::Slice bound(range.bound);
  // Older versions that this might uncover in deeper files have the same prefix: nobody reads them.
  const rocksdb::RangePtr whole(&first, &bound);
  auto status = rocksdb::DeleteFilesInRanges(&database.db(), family, &whole, 1, false);
  if (!status.ok()) return from_rocksdb(status, "could not delete the files of a namespace");
  rocksdb::CompactRangeOptions options;
  options.exclusive_manual_compaction = false;
  options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
  status = database.db().CompactRange(options, family, &first, &bound);
  return status.ok() ? Status()
                     : from_rocksdb(status, "could not compact the keys of a removed namespace");
}

Result<bool> holds_any(const Database& database,
                       rocksdb::ColumnFamilyHandle* family,
                       const Range& range) {
  const rocksdb::Slice bound(range.bound);
  rocksdb::ReadOptions options;
  options.iterate_upper_bound = &bound;
  options.fill_cache = false;
  const std::unique_ptr<rocksdb::Iterator> it(database.db().NewIterator(options, family));
  it->Seek(range.first);
  if (!it->status().ok())
    return from_rocksdb(it->status(), "could not read the keys of a removed namespace");
  return it->Valid();
}

}  // namespace

Status drop_one_prefix(Database& database, Writer& writer, DroppedPrefixes& dropped) {
  const auto prefixes = dropped.current();
  if (prefixes->empty()) return Status();
  const std::uint32_t prefix = *prefixes->begin();
  const Range range{encode_key(prefix, {}), successor_of_prefix(encode_key(prefix, {}))};
  for (rocksdb::ColumnFamilyHandle* family : {database.entries(), database.bodies()}) {
    if (Status status = drop_range(database, family, range); !status.ok()) return status;
    const auto left = holds_any(database, family, range);
    if (!left) return left.error();
    if (*left) return Status();
  }
  Status status = writer.stage(
      [&](WriteGroup& group) {
        DroppedPrefixes::forget(prefix, group.database(), group.batch());
        return Status();
      },
      0);
  if (status.ok()) dropped.remove(prefix);
  return status;
}

}  // namespace edged::storage
