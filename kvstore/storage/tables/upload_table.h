// SPDX-License-Identifier: Apache-2.0
// Large values that are being uploaded: their chunks are on disk, no record names them yet. Each is
// noted in "meta" (key 'u') until a Put names it, so that what was left behind by a crash is
// removed when the store is opened. Changing: who may write (writer.h). size(): any thread. Layout:
// docs/storage-format.md, section 4.
#pragma once

#include <rocksdb/write_batch.h>

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

#include "kvstore/storage/engine/database.h"
#include "kvstore/storage/format/record.h"

namespace edged::storage {

class UploadTable {
 public:
  static constexpr std::size_t kUploadsMax = 256;

  struct Upload {
    std::uint32_t prefix = 0;
    std::uint64_t bytes = 0;
  };

  // Removes what uploads of an earlier run left. Blocks on disk. Errors: kIoError.
  static Status remove_abandoned(const Database& database);

  // Notes a new upload. Errors: kBusy.
  Status begin(std::uint64_t id,
               std::uint32_t prefix,
               const Database& database,
               rocksdb::WriteBatch& batch);

  // Adds the next chunk. Errors: kNotFound (discarded meanwhile).
  Status append(std::uint64_t id,
                std::string_view chunk,
                const Database& database,
                rocksdb::WriteBatch& batch);

  // Removes an upload that no Put named; nothing if one did.
  void discard(std::uint64_t id, const Database& database, rocksdb::WriteBatch& batch);

  std::optional<Upload> find(std::uint64_t id) const;

  // A Put names it: adds the removal of its note to the batch; forget() once that is written.
  void consume(std::uint64_t id, const Database& database, rocksdb::WriteBatch& batch) const;
  void forget(std::uint64_t id);

  std::size_t size() const { return count_.load(std::memory_order_relaxed); }

 private:
  std::unordered_map<std::uint64_t, Upload> uploads_;
  std::atomic<std::size_t> count_{0};
};

}  // namespace edged::storage
