// SPDX-License-Identifier: Apache-2.0
// Large values that expire, ordered by expiry ("meta", key 'x', u64be expiry, stored key). The
// compaction filter drops a record without being able to remove its chunks in the same stroke, so
// it leaves records of large values alone; the writer removes both, led by this index. Layout:
// docs/storage-format.md, section 4.
#pragma once

#include <rocksdb/write_batch.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kvstore/storage/engine/database.h"
#include "proto/base/status.h"

namespace edged::storage {

struct BodyExpiry {
  std::uint64_t expiry_ms = 0;
  std::string stored_key;
};

void note_body_expiry(rocksdb::WriteBatch& batch,
                      const Database& database,
                      std::uint64_t expiry_ms,
                      std::string_view stored_key);
void forget_body_expiry(rocksdb::WriteBatch& batch,
                        const Database& database,
                        std::uint64_t expiry_ms,
                        std::string_view stored_key);

// Those that expired up to `cutoff_ms`, earliest first, at most `limit`. Blocks on disk.
Result<std::vector<BodyExpiry>> bodies_expired(const Database& database,
                                               std::uint64_t cutoff_ms,
                                               std::size_t limit);

}  // namespace edged::storage
