// SPDX-License-Identifier: Apache-2.0
// Chunks of large values.
#include "kvstore/storage/format/value_chunks.h"

#include <algorithm>

#include "kvstore/storage/engine/rocks_status.h"
#include "kvstore/storage/format/bytes.h"
#include "proto/base/crc32c.h"

namespace edged::storage {
namespace {

constexpr std::size_t kChecksumBytes = 4;

std::uint32_t checksum_of(std::string_view chunk_key, std::string_view bytes) {
  return extend_crc32c(extend_crc32c(0, chunk_key), bytes);
}

}  // namespace

std::string encode_chunk_key(std::uint32_t prefix, std::uint64_t body_id, std::uint32_t index) {
  std::string key;
  append_be32(key, prefix);
  append_be64(key, body_id);
  append_be32(key, index);
  return key;
}

void put_chunk(rocksdb::WriteBatch& batch,
               const Database& database,
               const std::string& chunk_key,
               std::string_view bytes) {
  std::string checksum;
  append_le(checksum, checksum_of(chunk_key, bytes));
  const rocksdb::Slice key(chunk_key);
  const rocksdb::Slice parts[] = {checksum, rocksdb::Slice(bytes.data(), bytes.size())};
  batch.Put(database.bodies(), rocksdb::SliceParts(&key, 1), rocksdb::SliceParts(parts, 2));
}

void delete_chunks(rocksdb::WriteBatch& batch,
                   const Database& database,
                   std::uint32_t prefix,
                   const BodyRef& body) {
  for (std::uint32_t index = 0; index < chunk_count(body.bytes); ++index) {
    batch.Delete(database.bodies(), encode_chunk_key(prefix, body.id, index));
  }
}

Status read_chunk(const Database& database,
                  const rocksdb::ReadOptions& options,
                  std::uint32_t prefix,
                  const BodyRef& body,
                  std::uint32_t index,
                  std::string& out) {
  const std::string key = encode_chunk_key(prefix, body.id, index);
  rocksdb::PinnableSlice stored;
  const auto status =
      checked_get(options, database.db().Get(options, database.bodies(), key, &stored), stored);
  if (status.IsNotFound()) return Status(Code::kCorruption, "a piece of the value is missing");
  if (!status.ok()) return from_rocksdb(status, "could not read a piece of the value");
  const std::string_view bytes(stored.data(), stored.size());
  const std::uint64_t expected =
      std::min<std::uint64_t>(kChunkBytes, body.bytes - std::uint64_t{index} * kChunkBytes);
  if (bytes.size() != kChecksumBytes + expected ||
      load_le<std::uint32_t>(bytes, 0) != checksum_of(key, bytes.substr(kChecksumBytes))) {
    return Status(Code::kCorruption, "a piece of the value is damaged");
  }
  out.append(bytes.substr(kChecksumBytes));
  return Status();
}

Result<std::string> read_body(const Database& database,
                              const rocksdb::ReadOptions& options,
                              std::uint32_t prefix,
                              const BodyRef& body) {
  std::string value;
  value.reserve(body.bytes);
  for (std::uint32_t index = 0; index < chunk_count(body.bytes); ++index) {
    Status status = read_chunk(database, options, prefix, body, index, value);
    if (!status.ok()) return status;
  }
  return value;
}

}  // namespace edged::storage
