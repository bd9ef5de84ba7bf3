// SPDX-License-Identifier: Apache-2.0
// Reads everything that the data directory of a stopped node holds and compares each checksum. What
// opening the store does not find: damage in table files that are not read at start, and in single
// records. Nothing is changed. Blocks on disk.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kvstore/storage/rocks_store.h"
#include "proto/base/status.h"

namespace edged::storage {

struct StoreVerdict {
  static constexpr std::size_t kFindingsMax = 20;

  std::uint64_t tables = 0, table_bytes = 0;
  std::uint64_t namespaces = 0;
  std::uint64_t entries = 0;          // on disk, expired ones included
  std::uint64_t chunks = 0;           // of large values
  std::uint64_t damaged = 0;          // table files, records and large values
  std::vector<std::string> findings;  // one line each; of all damage the first kFindingsMax
};

// Damage that opening refuses is the error: kCorruption, in the words of open_rocks_store(), or the
// mark is missing. Other errors: kUnavailable (a node runs on it); kNotFound; kIoError;
// kUnsupported.
Result<StoreVerdict> verify_store(RocksStoreOptions options);

// Whether the mark of what was acknowledged can be read, which opening for reading does not demand.
// Errors: kCorruption.
Status require_mark(const std::string& data_dir);

}  // namespace edged::storage
