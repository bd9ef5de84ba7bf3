// SPDX-License-Identifier: Apache-2.0
// Decides, before anything is changed, whether a database may be opened: what its table files and
// logs hold is compared with the mark of what was acknowledged. A loss is refused, or with
// Recovery::kCache accepted, kept aside and reported (docs/storage-format.md, section 5). RocksDB
// is only ever shown logs that are whole. Blocks on disk; the directory's lock must be held.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kvstore/storage/engine/database_options.h"
#include "kvstore/storage/format/mark_file.h"
#include "kvstore/storage/recovery/log_survey.h"
#include "proto/base/status.h"

namespace rocksdb {
class FileSystem;
}

namespace edged::storage {

struct RecoveryPlan {
  std::uint64_t recovered_sequence = 0;  // what RocksDB must find
  // Acknowledged operations that are gone, RocksDB's count: each write adds one of its own.
  std::uint64_t lost = 0;
  bool renew_mark = false;              // the old one is missing or promises what is gone
  std::string report;                   // one line for the operator; empty: nothing to say
  std::vector<Cut> cuts;                // these end earlier from now on
  std::vector<std::string> removed;     // logs behind a gap
  std::vector<std::string> kept_aside;  // of both, what is linked into damaged/ first
};

// Errors: kCorruption, in one line: which file, where, what is there, what to do.
Result<RecoveryPlan> plan_recovery(const RocksStoreOptions& options,
                                   const Result<Mark>& mark,
                                   const LogSurvey& survey);

// The same for a data directory without a database: there may never have been one.
// Errors: kCorruption.
Result<RecoveryPlan> plan_without_database(const RocksStoreOptions& options,
                                           const Result<Mark>& mark);

// Keeps aside, cuts and removes as planned; after a kill at any point the next opening plans the
// same again. Errors: kIoError, kDiskFull.
Status carry_out(RecoveryPlan& plan, const RocksStoreOptions& options, WallTime now);

}  // namespace edged::storage
