// SPDX-License-Identifier: Apache-2.0
// The index of large values by expiry.
#include "kvstore/storage/format/body_expiry.h"

#include <memory>

#include "kvstore/storage/engine/rocks_status.h"
#include "kvstore/storage/format/bytes.h"

namespace edged::storage {
namespace {

constexpr char kBodyExpiryKey = 'x';
constexpr std::size_t kFixedBytes = 1 + 8;

std::string index_key(std::uint64_t expiry_ms, std::string_view stored_key) {
  std::string key(1, kBodyExpiryKey);
  append_be64(key, expiry_ms);
  return key.append(stored_key);
}

}  // namespace

void note_body_expiry(rocksdb::WriteBatch& batch,
                      const Database& database,
                      std::uint64_t expiry_ms,
                      std::string_view stored_key) {
  batch.Put(database.meta(), index_key(expiry_ms, stored_key), rocksdb::Slice());
}

void forget_body_expiry(rocksdb::WriteBatch& batch,
                        const Database& database,
                        std::uint64_t expiry_ms,
                        std::string_view stored_key) {
  batch.Delete(database.meta(), index_key(expiry_ms, stored_key));
}

Result<std::vector<BodyExpiry>> bodies_expired(const Database& database,
                                               std::uint64_t cutoff_ms,
                                               std::size_t limit) {
  std::vector<BodyExpiry> expired;
  const std::unique_ptr<rocksdb::Iterator> it(database.db().NewIterator({}, database.meta()));
  for (it->Seek(rocksdb::Slice(&kBodyExpiryKey, 1)); it->Valid() && expired.size() < limit;
       it->Next()) {
    const std::string_view key(it->key().data(), it->key().size());
    if (key[0] != kBodyExpiryKey || key.size() <= kFixedBytes + 4) break;
    const std::uint64_t expiry_ms = load_be64(key, 1);
    if (expiry_ms > cutoff_ms) break;
    expired.push_back({expiry_ms, std::string(key.substr(kFixedBytes))});
  }
  if (!it->status().ok()) return from_rocksdb(it->status(), "could not read the expiry index");
  return expired;
}

}  // namespace edged::storage
