// SPDX-License-Identifier: Apache-2.0
// Reads a log of RocksDB without RocksDB, and says what is whole in it: RocksDB itself reports
// neither where a log is damaged nor what lies behind the damage. Format: blocks of 32 KiB of
// records, each with a masked CRC-32C, a length (u16) and a type (u8); recyclable types add the
// log's number (RocksDB 7.8 and 9.10, db/log_format.h). Blocks on disk, reads 32 KiB at a time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "proto/base/status.h"

namespace rocksdb {
class FileSystem;
}

namespace edged::storage {

enum class LogDamage {
  kNone,
  kCutShort,  // the file ends inside a batch: what a kill or a cut leaves
  kChecksum,  // a record does not match its checksum
  kHeader,    // a record's length or type is impossible
  kZeros,     // a hole of zeros, with records behind it
  kFragment,  // a part of a batch is missing between whole records
  kSequence,  // a batch does not follow the one before it
};

// "its checksum does not match", to follow "damaged at byte 4711: ".
std::string_view explain(LogDamage damage);

// Whole batches, and the sequences of the operations in them.
struct LogSpan {
  std::uint64_t batches = 0;
  std::uint64_t operations = 0;
  std::uint64_t first_sequence = 0;  // 0: no batch
  std::uint64_t last_sequence = 0;
};

struct LogScan {
  std::uint64_t file_bytes = 0;
  LogSpan whole;  // up to the damage, or to the end
  LogDamage damage = LogDamage::kNone;
  std::uint64_t damage_offset = 0;
  LogSpan behind;  // whole batches behind the damage
};

// Errors: kIoError if the file cannot be read.
Result<LogScan> scan_log(rocksdb::FileSystem& files, const std::string& path);

// The same for a MANIFEST, whose records are no batches: they are counted as such, without
// sequences.
Result<LogScan> scan_manifest(rocksdb::FileSystem& files, const std::string& path);

}  // namespace edged::storage
