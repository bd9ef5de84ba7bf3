// SPDX-License-Identifier: Apache-2.0
// Prefixes of namespaces that were cleared or deleted and whose entries are still on disk. No
// prefix is ever used again, so nobody can read them; compaction drops whatever has one. Each is
// noted in "meta" (key 'd') in the same batch that takes it from its namespace. Any thread.
#pragma once

#include <rocksdb/write_batch.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <set>

#include "kvstore/storage/engine/database.h"

namespace edged::storage {

class DroppedPrefixes {
 public:
  using Set = std::set<std::uint32_t>;

  // Reads what is stored. Errors: kIoError.
  Status load(const Database& database);

  // What compaction may drop at this moment. Never null.
  std::shared_ptr<const Set> current() const;

  // Changes what is stored, by the batch; then, once it is written, what is known.
  static void note(std::uint32_t prefix, const Database& database, rocksdb::WriteBatch& batch);
  static void forget(std::uint32_t prefix, const Database& database, rocksdb::WriteBatch& batch);
  void add(std::uint32_t prefix);
  void remove(std::uint32_t prefix);

 private:
  mutable std::mutex mutex_;  // guards the pointer; the set it points to never changes
  std::shared_ptr<const Set> set_ = std::make_shared<const Set>();
};

}  // namespace edged::storage
