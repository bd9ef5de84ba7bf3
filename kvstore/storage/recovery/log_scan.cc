// SPDX-License-Identifier: Apache-2.0
// Records become batches, of which only the first twelve bytes matter: sequence u64, count u32.
// Behind damage every byte of the block may begin a record; its checksum says whether it does.
#include "kvstore/storage/recovery/log_scan.h"

#include <rocksdb/file_system.h>

#include <algorithm>
#include <memory>

#include "kvstore/storage/engine/rocks_status.h"
#include "kvstore/storage/format/bytes.h"
#include "proto/base/crc32c.h"

namespace edged::storage {
namespace {

constexpr std::size_t kBlockBytes = 32 * 1024;
constexpr std::size_t kHeaderBytes = 7;
constexpr std::size_t kRecyclableHeaderBytes = 11;
constexpr std::size_t kBatchHeaderBytes = 12;

// Types of records. 5 to 8 are 1 to 4 of a recycled log; 9 to 11 and those from 128 on describe
// the log and hold no batch.
constexpr unsigned kFull = 1, kFirst = 2, kLast = 4, kRecyclable = 4;  // 3: in the middle
constexpr unsigned kBatchTypeMax = 8, kKnownTypeMax = 11, kRecyclableTimestamps = 11;
constexpr unsigned kIgnorable = 128, kRecyclablePredecessor = 131;

std::uint32_t masked(std::uint32_t crc) {
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8U;
}

struct Record {
  unsigned type = 0;
  std::size_t bytes = 0;  // with its header
  std::string_view payload;
};

class Scanner {
 public:
  explicit Scanner(bool batches) : batches_(batches) {}

  void scan_block(std::string_view block, std::uint64_t offset, bool last);
  LogScan finish(std::uint64_t file_bytes);

 private:
  LogDamage read_record(std::string_view rest, Record& record) const;
  void take(const Record& record, std::uint64_t offset);
  void take_batch(std::uint64_t offset);
  void damaged(LogDamage damage, std::uint64_t offset);
  std::size_t next_record(std::string_view block, std::size_t from) const;

  const bool batches_;  // else records of a manifest
  LogScan scan_;
  bool in_batch_ = false;
  std::uint64_t batch_offset_ = 0;
  std::string batch_header_;
  bool zeros_ = false;
  std::uint64_t zeros_offset_ = 0;
};

void Scanner::damaged(LogDamage damage, std::uint64_t offset) {
  in_batch_ = false;
  if (scan_.damage != LogDamage::kNone) return;
  scan_.damage = damage;
  scan_.damage_offset = offset;
}

LogDamage Scanner::read_record(std::string_view rest, Record& record) const {
  const auto length = load_le<std::uint16_t>(rest, 4);
  record.type = static_cast<unsigned char>(rest[6]);
  if (record.type == 0 || (record.type > kKnownTypeMax && record.type < kIgnorable)) {
    return LogDamage::kHeader;
  }
  const bool recyclable = (record.type > kRecyclable && record.type <= kBatchTypeMax) ||
                          record.type == kRecyclableTimestamps ||
                          record.type == kRecyclablePredecessor;
  const std::size_t header = recyclable ? kRecyclableHeaderBytes : kHeaderBytes;
  record.bytes = header + length;
  if (record.bytes > rest.size()) return LogDamage::kHeader;
  const std::uint32_t crc = extend_crc32c(0, rest.substr(6, record.bytes - 6));
  if (masked(crc) != load_le<std::uint32_t>(rest, 0)) return LogDamage::kChecksum;
  record.payload = rest.substr(header, length);
  return LogDamage::kNone;
}

std::size_t Scanner::next_record(std::string_view block, std::size_t from) const {
  Record ignored;
  for (; from + kHeaderBytes <= block.size(); ++from) {
    if (read_record(block.substr(from), ignored) == LogDamage::kNone) return from;
  }
  return block.size();
}

void Scanner::scan_block(std::string_view block, std::uint64_t offset, bool last) {
  std::size_t at = 0;
  while (at + kHeaderBytes <= block.size()) {
    const std::string_view rest = block.substr(at);
    if (rest.find_first_not_of('\0') == std::string_view::npos) {
      // Space made in advance, or a hole: what follows tells.
      if (!zeros_) zeros_offset_ = offset + at;
      zeros_ = true;
      return;
    }
    Record record;
    LogDamage damage = read_record(rest, record);
    if (damage == LogDamage::kNone) {
      take(record, offset + at);
      at += record.bytes;
      continue;
    }
    if (damage == LogDamage::kHeader && rest.substr(0, kHeaderBytes) == std::string(7, '\0')) {
      damage = LogDamage::kZeros;
    }
    const std::size_t next = next_record(block, at + 1);
    if (last && next == block.size() && damage == LogDamage::kHeader && record.type != 0 &&
        record.type <= kBatchTypeMax) {
      damage = LogDamage::kCutShort;
    }
    damaged(damage, in_batch_ ? batch_offset_ : offset + at);
    at = next;
  }
  if (last && at < block.size() && block.find_first_not_of('\0', at) != std::string_view::npos) {
    damaged(LogDamage::kCutShort, in_batch_ ? batch_offset_ : offset + at);
  }
}

void Scanner::take(const Record& record, std::uint64_t offset) {
  if (zeros_) damaged(LogDamage::kZeros, in_batch_ ? batch_offset_ : zeros_offset_);
  zeros_ = false;
  if (record.type > kBatchTypeMax) return;
  const unsigned type = record.type > kRecyclable ? record.type - kRecyclable : record.type;
  const bool begins = type == kFull || type == kFirst;
  if (begins == in_batch_) {
    damaged(LogDamage::kFragment, in_batch_ ? batch_offset_ : offset);
    if (!begins) return;
  }
  if (begins) {
    in_batch_ = true;
    batch_offset_ = offset;
    batch_header_.clear();
  }
  const std::size_t wanted = kBatchHeaderBytes - batch_header_.size();
  batch_header_.append(record.payload.substr(0, wanted));
  if (type == kFull || type == kLast) take_batch(batch_offset_);
}

void Scanner::take_batch(std::uint64_t offset) {
  in_batch_ = false;
  if (!batches_) {
    ++(scan_.damage == LogDamage::kNone ? scan_.whole : scan_.behind).batches;
    return;
  }
  if (batch_header_.size() < kBatchHeaderBytes) return damaged(LogDamage::kHeader, offset);
  const auto first = load_le<std::uint64_t>(batch_header_, 0);
  const auto count = load_le<std::uint32_t>(batch_header_, 8);
  if (count == 0) return;
  if (scan_.damage == LogDamage::kNone && scan_.whole.batches != 0 &&
      first != scan_.whole.last_sequence + 1) {
    damaged(LogDamage::kSequence, offset);
  }
  LogSpan& span = scan_.damage == LogDamage::kNone ? scan_.whole : scan_.behind;
  if (span.batches == 0) span.first_sequence = first;
  ++span.batches;
  span.operations += count;
  span.last_sequence = first + count - 1;
}

LogScan Scanner::finish(std::uint64_t file_bytes) {
  if (in_batch_) damaged(zeros_ ? LogDamage::kZeros : LogDamage::kCutShort, batch_offset_);
  scan_.file_bytes = file_bytes;
  return scan_;
}

}  // namespace

std::string_view explain(LogDamage damage) {
  switch (damage) {
    case LogDamage::kNone:
      return "nothing is wrong";
    case LogDamage::kCutShort:
      return "the file ends inside a batch";
    case LogDamage::kChecksum:
      return "a record does not match its checksum";
    case LogDamage::kHeader:
      return "a record has an impossible length or type";
    case LogDamage::kZeros:
      return "there is a hole of zeros";
    case LogDamage::kFragment:
      return "a part of a batch is missing";
    case LogDamage::kSequence:
      return "the sequence jumps";
  }
  return "unknown damage";
}

namespace {

Result<LogScan> scan(rocksdb::FileSystem& files, const std::string& path, bool batches) {
  const auto failed = [&](const rocksdb::IOStatus& status) {
    return from_rocksdb(status, "could not read log \"" + path + "\"");
  };
  std::uint64_t size = 0;
  auto status = files.GetFileSize(path, rocksdb::IOOptions(), &size, nullptr);
  std::unique_ptr<rocksdb::FSSequentialFile> file;
  if (status.ok()) {
    status = files.NewSequentialFile(path, rocksdb::FileOptions(), &file, nullptr);
  }
  if (!status.ok()) return failed(status);
  Scanner scanner(batches);
  const auto scratch = std::make_unique<char[]>(kBlockBytes);
  for (std::uint64_t offset = 0; offset < size;) {
    const auto wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>(kBlockBytes, size - offset));
    rocksdb::Slice block;
    status = file->Read(wanted, rocksdb::IOOptions(), &block, scratch.get(), nullptr);
    if (!status.ok()) return failed(status);
    if (block.size() != wanted) {
      return Status(Code::kIoError, "could not read log \"" + path + "\": it became shorter");
    }
    scanner.scan_block({block.data(), block.size()}, offset, offset + wanted == size);
    offset += wanted;
  }
  return scanner.finish(size);
}

}  // namespace

Result<LogScan> scan_log(rocksdb::FileSystem& files, const std::string& path) {
  return scan(files, path, true);
}

Result<LogScan> scan_manifest(rocksdb::FileSystem& files, const std::string& path) {
  return scan(files, path, false);
}

}  // namespace edged::storage
