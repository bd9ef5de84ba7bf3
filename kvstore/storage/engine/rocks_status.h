// SPDX-License-Identifier: Apache-2.0
// The one place where RocksDB's Status becomes ours. Any thread.
#pragma once

#include <rocksdb/options.h>
#include <rocksdb/slice.h>
#include <rocksdb/status.h>

#include <string_view>

#include "proto/base/status.h"

namespace edged::storage {

// `attempted` says what was tried: "could not write". Not to be called with an ok status.
Status from_rocksdb(const rocksdb::Status& status, std::string_view attempted);

// What a Get said, for values that are never empty. A read from memory alone (kBlockCacheTier) of a
// key that may be in a table file which is not open is answered OK, without bytes; here it is
// Incomplete, as when a block is not in memory.
rocksdb::Status checked_get(const rocksdb::ReadOptions& options,
                            const rocksdb::Status& status,
                            const rocksdb::Slice& value);

}  // namespace edged::storage
