// SPDX-License-Identifier: Apache-2.0
// Large values: a body is cut into chunks of 256 KiB under keys of their own in the column family
// "bodies", each with a checksum over its key and bytes. A body is written once, under an id never
// used before, and never changed: the record that names it decides whether it exists. Layout:
// docs/storage-format.md, section 4. Any thread.
#pragma once

#include <rocksdb/write_batch.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "kvstore/storage/engine/database.h"
#include "kvstore/storage/format/record.h"
#include "proto/base/status.h"

namespace edged::storage {

inline constexpr std::size_t kChunkBytes = 256 * 1024;

inline std::uint32_t chunk_count(std::uint64_t body_bytes) {
  return static_cast<std::uint32_t>((body_bytes + kChunkBytes - 1) / kChunkBytes);
}

// u32be prefix, u64be id, u32be index.
std::string encode_chunk_key(std::uint32_t prefix, std::uint64_t body_id, std::uint32_t index);

// Adds one chunk, 1..kChunkBytes bytes, to `batch`.
void put_chunk(rocksdb::WriteBatch& batch,
               const Database& database,
               const std::string& chunk_key,
               std::string_view bytes);

// Adds the removal of all chunks of a body to `batch`.
void delete_chunks(rocksdb::WriteBatch& batch,
                   const Database& database,
                   std::uint32_t prefix,
                   const BodyRef& body);

// Appends chunk `index` to `out`. Blocks on disk. Errors: kCorruption (missing, wrong length or
// checksum); kIoError.
Status read_chunk(const Database& database,
                  const rocksdb::ReadOptions& options,
                  std::uint32_t prefix,
                  const BodyRef& body,
                  std::uint32_t index,
                  std::string& out);

// The whole body. Errors: as read_chunk.
Result<std::string> read_body(const Database& database,
                              const rocksdb::ReadOptions& options,
                              std::uint32_t prefix,
                              const BodyRef& body);

}  // namespace edged::storage
