// SPDX-License-Identifier: Apache-2.0
// Translation of RocksDB's errors. Its texts begin with a category ("IO error: …") that our code
// says already; the rest is kept, since it names the file.
#include "kvstore/storage/engine/rocks_status.h"

#include <string>

#include "proto/base/check.h"

namespace edged::storage {
namespace {

Code code_of(const rocksdb::Status& status) {
  if (status.IsNoSpace()) return Code::kDiskFull;
  switch (status.code()) {
    case rocksdb::Status::kNotFound:
      return Code::kNotFound;
    case rocksdb::Status::kCorruption:
      return Code::kCorruption;
    case rocksdb::Status::kIncomplete:  // the block cache alone could not answer
    case rocksdb::Status::kBusy:
    case rocksdb::Status::kTryAgain:
    case rocksdb::Status::kTimedOut:
      return Code::kBusy;
    case rocksdb::Status::kShutdownInProgress:
      return Code::kUnavailable;
    case rocksdb::Status::kIOError:
      return Code::kIoError;
    default:
      return Code::kInternal;
  }
}

}  // namespace

Status from_rocksdb(const rocksdb::Status& status, std::string_view attempted) {
  KV_CHECK(!status.ok());
  std::string message(attempted);
  message += ": ";
  const std::string text = status.ToString();
  const auto colon = text.find(": ");
  message += colon == std::string::npos ? text : text.substr(colon + 2);
  return Status(code_of(status), std::move(message));
}

rocksdb::Status checked_get(const rocksdb::ReadOptions& options,
                            const rocksdb::Status& status,
                            const rocksdb::Slice& value) {
  const bool nothing = status.ok() && value.empty();
  return nothing && options.read_tier == rocksdb::kBlockCacheTier
             ? rocksdb::Status::Incomplete("its table file is not open")
             : status;
}

}  // namespace edged::storage
