// SPDX-License-Identifier: Apache-2.0
// Namespace records in "meta": docs/storage-format.md, section 4.
#include "kvstore/storage/tables/namespace_table.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <utility>

#include "kvstore/storage/engine/rocks_status.h"
#include "kvstore/storage/format/bytes.h"
#include "kvstore/storage/format/record.h"
#include "proto/base/crc32c.h"
#include "proto/base/hex.h"
#include "proto/base/printable.h"

namespace edged::storage {
namespace {

constexpr char kRowKey = 'n';        // then u32be number
constexpr char kNextKey[] = "next";  // u32le
constexpr std::uint8_t kRowFormat = 1;
constexpr std::size_t kIdBytes = 16;
constexpr std::size_t kRowFixedBytes = 1 + 4 + 8 + kIdBytes + 4;

std::string encode_row(const Namespace& ns, std::uint32_t prefix) {
  std::string row;
  append_le(row, kRowFormat);
  append_le(row, prefix);
  append_le(row, to_unix_ms(ns.created_at));
  row.append(from_hex(ns.id).value());
  row.append(ns.title);
  append_le(row, extend_crc32c(0, row));
  return row;
}

std::string row_key(NamespaceNumber number) {
  std::string key(1, kRowKey);
  append_be32(key, number);
  return key;
}

Status check_new(const std::string& title, const std::string& id) {
  if (title.empty() || title.size() > kTitleBytesMax) {
    return Status(Code::kInvalidArgument, "namespace title must have 1 to 512 bytes");
  }
  if (!is_printable(title)) {
    return Status(Code::kInvalidArgument,
                  "namespace title \"" + printable(title) +
                      "\" must be UTF-8 without control and bidirectional characters");
  }
  const auto bytes = from_hex(id);
  if (!bytes || bytes->size() != kIdBytes || to_hex(*bytes) != id) {
    return Status(
        Code::kInvalidArgument,
        "namespace id \"" + id.substr(0, 64) + "\" must be 32 lower-case hexadecimal digits");
  }
  return Status();
}

}  // namespace

Status NamespaceTable::load() {
  std::string next;
  const auto found = database_.db().Get({}, database_.meta(), kNextKey, &next);
  if (found.ok() && next.size() == 4) next_ = load_le<std::uint32_t>(next, 0);
  if (!found.ok() && !found.IsNotFound()) return from_rocksdb(found, "could not read namespaces");
  const std::unique_ptr<rocksdb::Iterator> it(database_.db().NewIterator({}, database_.meta()));
  const std::string start(1, kRowKey);
  for (it->Seek(start); it->Valid(); it->Next()) {
    const std::string_view key(it->key().data(), it->key().size());
    if (key[0] != kRowKey) break;
    if (key.size() != 5) continue;  // "next" begins with the same letter
    Status status = load_row(key, {it->value().data(), it->value().size()});
    if (!status.ok()) return status;
  }
  return it->status().ok() ? Status() : from_rocksdb(it->status(), "could not read namespaces");
}

Status NamespaceTable::load_row(std::string_view key, std::string_view value) {
  const NamespaceNumber number = load_be32(key, 1);
  if (value.size() < kRowFixedBytes || load_le<std::uint32_t>(value, value.size() - 4) !=
                                           extend_crc32c(0, value.substr(0, value.size() - 4))) {
    return Status(Code::kCorruption, "stored namespace " + std::to_string(number) + " is damaged");
  }
  if (load_le<std::uint8_t>(value, 0) != kRowFormat) {
    return Status(
        Code::kUnsupported,
        "stored namespace " + std::to_string(number) + " has the layout of another release");
  }
  Row row;
  row.prefix = load_le<std::uint32_t>(value, 1);
  row.ns.number = number;
  row.ns.created_at = from_unix_ms(load_le<std::int64_t>(value, 5));
  row.ns.id = to_hex(value.substr(13, kIdBytes));
  row.ns.title = value.substr(13 + kIdBytes, value.size() - kRowFixedBytes);
  next_ = std::max({next_, number + 1, row.prefix + 1});
  publish(number, row.prefix);
  rows_.emplace(number, std::move(row));
  return Status();
}

std::optional<std::uint32_t> NamespaceTable::prefix_of(NamespaceNumber number) const {
  if (number < prefixes_.size()) {
    const std::uint32_t prefix = prefixes_[number].load(std::memory_order_acquire);
    return prefix != 0 ? std::optional(prefix) : std::nullopt;
  }
  const std::shared_lock lock(mutex_);
  const auto found = rows_.find(number);
  if (found == rows_.end()) return std::nullopt;
  return found->second.prefix;
}

void NamespaceTable::publish(NamespaceNumber number, std::uint32_t prefix) {
  if (number < prefixes_.size()) prefixes_[number].store(prefix, std::memory_order_release);
}

std::vector<Namespace> NamespaceTable::list() const {
  const std::shared_lock lock(mutex_);
  std::vector<Namespace> all;
  all.reserve(rows_.size());
  for (const auto& [number, row] : rows_) all.push_back(row.ns);
  return all;
}

Result<Namespace> NamespaceTable::find(std::string_view id_or_title) const {
  const std::shared_lock lock(mutex_);
  const Namespace* by_title = nullptr;
  for (const auto& [number, row] : rows_) {
    if (row.ns.id == id_or_title) return row.ns;
    if (row.ns.title == id_or_title) by_title = &row.ns;
  }
  if (by_title != nullptr) return *by_title;
  return Status(
      Code::kNamespaceNotFound,
      "KV namespace \"" + std::string(id_or_title.substr(0, kTitleBytesMax)) + "\" not found");
}

Status NamespaceTable::check_title_free(const std::string& title) const {
  for (const Namespace& other : list()) {
    if (other.title != title) continue;
    return Status(Code::kExists, "a namespace with title \"" + title + "\" exists already");
  }
  return Status();
}

Result<NamespaceTable::Row> NamespaceTable::row_of(NamespaceNumber number) const {
  const std::shared_lock lock(mutex_);
  const auto found = rows_.find(number);
  if (found == rows_.end()) return Status(Code::kNamespaceNotFound, "no such namespace");
  return found->second;
}

void NamespaceTable::note_next(rocksdb::WriteBatch& batch, std::uint32_t next) const {
  std::string value;
  append_le(value, next);
  batch.Put(database_.meta(), kNextKey, value);
}

Status NamespaceTable::write(rocksdb::WriteBatch& batch, const char* what) {
  rocksdb::WriteOptions synced;
  synced.sync = true;
  const auto status = database_.db().Write(synced, &batch);
  return status.ok() ? Status() : from_rocksdb(status, what);
}

Result<Namespace> NamespaceTable::create(std::string title, std::string id, WallTime now) {
  if (id.empty()) id = to_hex(random_bytes(kIdBytes));
  if (Status status = check_new(title, id); !status.ok()) return status;
  for (const Namespace& other : list()) {
    if (other.id == id) {
      return Status(Code::kExists, "a namespace with id \"" + id + "\" exists already");
    }
  }
  if (Status status = check_title_free(title); !status.ok()) return status;
  Row row;
  row.prefix = next_;
  row.ns = Namespace{next_, std::move(id), std::move(title), now};
  rocksdb::WriteBatch batch;
  note_next(batch, next_ + 1);
  batch.Put(database_.meta(), row_key(row.ns.number), encode_row(row.ns, row.prefix));
  if (Status status = write(batch, "could not create namespace"); !status.ok()) return status;
  ++next_;
  const Namespace created = row.ns;
  const std::unique_lock lock(mutex_);
  publish(created.number, row.prefix);
  rows_.emplace(created.number, std::move(row));
  version_.fetch_add(1, std::memory_order_release);
  return created;
}

Status NamespaceTable::rename(NamespaceNumber number, std::string title) {
  auto row = row_of(number);
  if (!row) return row.error();
  if (row->ns.title == title) return Status();
  if (Status status = check_new(title, row->ns.id); !status.ok()) return status;
  if (Status status = check_title_free(title); !status.ok()) return status;
  row->ns.title = std::move(title);
  rocksdb::WriteBatch batch;
  batch.Put(database_.meta(), row_key(number), encode_row(row->ns, row->prefix));
  if (Status status = write(batch, "could not rename namespace"); !status.ok()) return status;
  const std::unique_lock lock(mutex_);
  rows_[number] = *std::move(row);
  version_.fetch_add(1, std::memory_order_release);
  return Status();
}

Result<std::uint32_t> NamespaceTable::clear(NamespaceNumber number) {
  auto row = row_of(number);
  if (!row) return row.error();
  const std::uint32_t old_prefix = std::exchange(row->prefix, next_);
  rocksdb::WriteBatch batch;
  note_next(batch, next_ + 1);
  batch.Put(database_.meta(), row_key(number), encode_row(row->ns, row->prefix));
  Status status = write_drop(batch, old_prefix, "could not clear namespace");
  if (!status.ok()) return status;
  ++next_;
  {
    const std::unique_lock lock(mutex_);
    publish(number, row->prefix);
    rows_[number] = *std::move(row);
  }
  dropped_.add(old_prefix);
  return old_prefix;
}

Result<std::uint32_t> NamespaceTable::remove(NamespaceNumber number) {
  const auto row = row_of(number);
  if (!row) return row.error();
  rocksdb::WriteBatch batch;
  batch.Delete(database_.meta(), row_key(number));
  Status status = write_drop(batch, row->prefix, "could not delete namespace");
  if (!status.ok()) return status;
  {
    const std::unique_lock lock(mutex_);
    publish(number, 0);
    rows_.erase(number);
    version_.fetch_add(1, std::memory_order_release);
  }
  dropped_.add(row->prefix);
  return row->prefix;
}

Status NamespaceTable::write_drop(rocksdb::WriteBatch& batch,
                                  std::uint32_t prefix,
                                  const char* what) {
  DroppedPrefixes::note(prefix, database_, batch);
  usage_.stage_drop(prefix, database_, batch);
  Status status = write(batch, what);
  if (status.ok()) usage_.forget_prefix(prefix);
  return status;
}

}  // namespace edged::storage
