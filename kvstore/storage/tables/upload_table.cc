// SPDX-License-Identifier: Apache-2.0
// Uploads under way.
#include "kvstore/storage/tables/upload_table.h"

#include <memory>

#include "kvstore/storage/engine/rocks_status.h"
#include "kvstore/storage/format/bytes.h"
#include "kvstore/storage/format/value_chunks.h"

namespace edged::storage {
namespace {

constexpr char kUploadKey = 'u';  // then u64be id
constexpr std::size_t kUploadKeyBytes = 1 + 8;

std::string upload_key(std::uint64_t id) {
  std::string key(1, kUploadKey);
  append_be64(key, id);
  return key;
}

Status remove_chunks(const Database& database,
                     std::uint32_t prefix,
                     std::uint64_t id,
                     rocksdb::WriteBatch& batch) {
  const std::string first = encode_chunk_key(prefix, id, 0);
  const std::string bound = encode_chunk_key(prefix, id, UINT32_MAX);
  const rocksdb::Slice bound_slice(bound);
  rocksdb::ReadOptions options;
  options.iterate_upper_bound = &bound_slice;
  const std::unique_ptr<rocksdb::Iterator> it(
      database.db().NewIterator(options, database.bodies()));
  for (it->Seek(first); it->Valid(); it->Next()) batch.Delete(database.bodies(), it->key());
  return it->status().ok() ? Status() : from_rocksdb(it->status(), "could not read uploads");
}

}  // namespace

Status UploadTable::remove_abandoned(const Database& database) {
  rocksdb::WriteBatch batch;
  const std::unique_ptr<rocksdb::Iterator> it(database.db().NewIterator({}, database.meta()));
  for (it->Seek(rocksdb::Slice(&kUploadKey, 1)); it->Valid(); it->Next()) {
    const std::string_view key(it->key().data(), it->key().size());
    const std::string_view value(it->value().data(), it->value().size());
    if (key[0] != kUploadKey) break;
    batch.Delete(database.meta(), it->key());
    if (key.size() != kUploadKeyBytes || value.size() != 4) continue;
    const Status removed =
        remove_chunks(database, load_le<std::uint32_t>(value, 0), load_be64(key, 1), batch);
    if (!removed.ok()) return removed;
  }
  if (!it->status().ok()) return from_rocksdb(it->status(), "could not read uploads");
  if (batch.Count() == 0) return Status();
  const auto status = database.db().Write({}, &batch);
  return status.ok() ? Status() : from_rocksdb(status, "could not remove abandoned uploads");
}

Status UploadTable::begin(std::uint64_t id,
                          std::uint32_t prefix,
                          const Database& database,
                          rocksdb::WriteBatch& batch) {
  if (uploads_.size() >= kUploadsMax) return Status(Code::kBusy, "too many uploads");
  std::string value;
  append_le(value, prefix);
  batch.Put(database.meta(), upload_key(id), value);
  uploads_[id] = {prefix, 0};
  count_ = uploads_.size();
  return Status();
}

Status UploadTable::append(std::uint64_t id,
                           std::string_view chunk,
                           const Database& database,
                           rocksdb::WriteBatch& batch) {
  const auto found = uploads_.find(id);
  if (found == uploads_.end()) return Status(Code::kNotFound, "no such upload");
  Upload& upload = found->second;
  const auto index = static_cast<std::uint32_t>(upload.bytes / kChunkBytes);
  put_chunk(batch, database, encode_chunk_key(upload.prefix, id, index), chunk);
  upload.bytes += chunk.size();
  return Status();
}

void UploadTable::discard(std::uint64_t id, const Database& database, rocksdb::WriteBatch& batch) {
  const auto found = uploads_.find(id);
  if (found == uploads_.end()) return;
  batch.Delete(database.meta(), upload_key(id));
  delete_chunks(batch, database, found->second.prefix, {id, found->second.bytes});
  forget(id);
}

std::optional<UploadTable::Upload> UploadTable::find(std::uint64_t id) const {
  const auto found = uploads_.find(id);
  if (found == uploads_.end()) return std::nullopt;
  return found->second;
}

void UploadTable::consume(std::uint64_t id,
                          const Database& database,
                          rocksdb::WriteBatch& batch) const {
  batch.Delete(database.meta(), upload_key(id));
}

void UploadTable::forget(std::uint64_t id) {
  uploads_.erase(id);
  count_ = uploads_.size();
}

}  // namespace edged::storage
