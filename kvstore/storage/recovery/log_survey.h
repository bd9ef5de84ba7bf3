// SPDX-License-Identifier: Apache-2.0
// What the logs of a closed database hold, taken together: which of them RocksDB would replay, how
// far they follow each other without a gap, and what lies behind the first place where they do not.
// Nothing is changed. Blocks on disk; the lock on the directory must be held.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kvstore/storage/engine/database_options.h"
#include "kvstore/storage/recovery/log_scan.h"
#include "proto/base/status.h"

namespace edged::storage {

struct SurveyedLog {
  std::uint64_t number = 0;
  std::string path;
  LogScan scan;
};

// Where the logs end before all of them are read.
struct LogBreak {
  std::size_t log = 0;  // index
  LogDamage damage = LogDamage::kNone;
  std::uint64_t offset = 0;  // the log is whole up to here
  LogSpan behind;            // whole batches behind it, in this log and in later ones
};

// A file that is whole up to a byte.
struct Cut {
  std::string path;
  std::uint64_t at = 0;
};

struct LogSurvey {
  std::uint64_t tables_sequence = 0;     // the last one in table files
  std::uint64_t recovered_sequence = 0;  // everything up to it is in table files or in the logs
  std::vector<SurveyedLog> logs;         // in order
  std::optional<LogBreak> broken;
  // The MANIFEST ends in a torn record, which RocksDB would refuse. It syncs each record before it
  // relies on it, so the last one was not relied on; were it, the logs would not join the tables.
  std::optional<Cut> manifest;

  // The last batch was being written when the process ended: RocksDB drops it by itself.
  bool torn_only() const {
    return broken && broken->damage == LogDamage::kCutShort && broken->behind.batches == 0;
  }
};

// Joins what scan_log said about each log. Pure.
LogSurvey join_logs(std::uint64_t tables_sequence, std::vector<SurveyedLog> logs);

// Errors: kCorruption (what is not a log is damaged or missing); kIoError.
Result<LogSurvey> survey_logs(const DatabaseOptions& options,
                              const std::shared_ptr<rocksdb::FileSystem>& files,
                              const std::string& data_dir);

}  // namespace edged::storage
