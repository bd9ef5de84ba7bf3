// SPDX-License-Identifier: Apache-2.0
// Prefixes whose entries are to go.
#include "kvstore/storage/tables/dropped_prefixes.h"

#include <string>
#include <utility>

#include "kvstore/storage/engine/rocks_status.h"
#include "kvstore/storage/format/bytes.h"

namespace edged::storage {
namespace {

constexpr char kDroppedKey = 'd';  // then u32be prefix

std::string dropped_key(std::uint32_t prefix) {
  std::string key(1, kDroppedKey);
  append_be32(key, prefix);
  return key;
}

}  // namespace

Status DroppedPrefixes::load(const Database& database) {
  auto loaded = std::make_shared<Set>();
  const std::unique_ptr<rocksdb::Iterator> it(database.db().NewIterator({}, database.meta()));
  for (it->Seek(rocksdb::Slice(&kDroppedKey, 1)); it->Valid(); it->Next()) {
    const std::string_view key(it->key().data(), it->key().size());
    if (key[0] != kDroppedKey || key.size() != 5) break;
    loaded->insert(load_be32(key, 1));
  }
  if (!it->status().ok()) return from_rocksdb(it->status(), "could not read cleared namespaces");
  const std::lock_guard lock(mutex_);
  set_ = std::move(loaded);
  return Status();
}

std::shared_ptr<const DroppedPrefixes::Set> DroppedPrefixes::current() const {
  const std::lock_guard lock(mutex_);
  return set_;
}

void DroppedPrefixes::note(std::uint32_t prefix,
                           const Database& database,
                           rocksdb::WriteBatch& batch) {
  batch.Put(database.meta(), dropped_key(prefix), rocksdb::Slice());
}

void DroppedPrefixes::forget(std::uint32_t prefix,
                             const Database& database,
                             rocksdb::WriteBatch& batch) {
  batch.Delete(database.meta(), dropped_key(prefix));
}

void DroppedPrefixes::add(std::uint32_t prefix) {
  const std::lock_guard lock(mutex_);
  auto changed = std::make_shared<Set>(*set_);
  changed->insert(prefix);
  set_ = std::move(changed);
}

void DroppedPrefixes::remove(std::uint32_t prefix) {
  const std::lock_guard lock(mutex_);
  auto changed = std::make_shared<Set>(*set_);
  changed->erase(prefix);
  set_ = std::move(changed);
}

}  // namespace edged::storage
