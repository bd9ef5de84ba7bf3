// SPDX-License-Identifier: Apache-2.0
// Removes large values that expired, record and chunks in one batch, and compacts where they were
// so that the disk comes back. One thread; blocks on disk.
#pragma once

#include <cstdint>
#include <string>

#include "kvstore/storage/engine/database.h"
#include "kvstore/storage/write/writer.h"

namespace edged::storage {

class ExpiredBodies {
 public:
  // Both must outlive this object.
  ExpiredBodies(Database& database, Writer& writer) : database_(database), writer_(writer) {}

  // Those that expired up to `cutoff_ms`, in steps that do not hold up other writes for long. On an
  // idle store what is left on disk is compacted at once, else when it is worth it.
  Status reclaim(std::int64_t cutoff_ms, bool idle);

 private:
  Status remove_some(std::uint64_t cutoff_ms, bool& more);
  Status compact();

  Database& database_;
  Writer& writer_;
  // Removed, but still in table files: from the least chunk key to the greatest.
  std::uint64_t removed_bytes_ = 0;
  std::string first_, last_;
};

}  // namespace edged::storage
