// SPDX-License-Identifier: Apache-2.0
// Get, multi-get, and large values piece by piece.
#include "kvstore/storage/read/entry_reader.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "kvstore/storage/engine/rocks_status.h"
#include "kvstore/storage/format/value_chunks.h"

namespace edged::storage {
namespace {

// A snapshot keeps what was overwritten since on disk.
constexpr std::chrono::milliseconds kSnapshotMax{60'000};

// Copying more than this holds up a thread that answers many.
constexpr std::uint64_t kMemoryBodyBytesMax = 1024 * 1024;

Status check_key(std::string_view key) {
  if (!key.empty() && key.size() <= kKeyBytesMax) return Status();
  return Status(Code::kInvalidArgument, "key must have 1 to 512 bytes");
}

Status no_such_key() {
  return Status(Code::kNotFound, "no such key");
}

Status no_such_namespace() {
  return Status(Code::kNamespaceNotFound, "no such namespace");
}

rocksdb::ReadOptions options_for(ReadTier tier) {
  rocksdb::ReadOptions options;
  if (tier == ReadTier::kMemory) options.read_tier = rocksdb::kBlockCacheTier;
  return options;
}

// What a large value is read from. Its record is held too, since that may be overwritten.
class PieceReader final : public ValueReader {
 public:
  PieceReader(const Database& database, const Clock& monotonic)
      : database_(database), monotonic_(monotonic), snapshot_(database.db()) {
    options_.snapshot = snapshot_.get();
    until_ = monotonic_.boot_now() + kSnapshotMax;
  }

  // To be called once. Errors: as Store::open_value.
  Status open(std::uint32_t prefix, std::string_view key, std::int64_t now_ms) {
    const std::string stored_key = encode_key(prefix, key);
    rocksdb::PinnableSlice stored;
    const auto status = database_.db().Get(options_, database_.entries(), stored_key, &stored);
    if (status.IsNotFound()) return no_such_key();
    if (!status.ok()) return from_rocksdb(status, "could not read");
    const auto record = decode_record(stored_key, {stored.data(), stored.size()});
    if (!record) return record.error();
    if (is_expired(record->header.expiry_ms, now_ms)) return no_such_key();
    prefix_ = prefix;
    body_ = record->body;
    inline_value_ = record->value;
    value_bytes_ = record->value_bytes();
    entry_ = to_entry(*record, false);
    options_.fill_cache = value_bytes_ <= kMemoryBodyBytesMax;  // what get() may find in memory
    return Status();
  }

  const Entry& entry() const override { return entry_; }
  std::uint64_t value_bytes() const override { return value_bytes_; }

  Result<std::string> read() override {
    if (!body_) return std::exchange(inline_value_, {});
    if (next_chunk_ == chunk_count(body_->bytes)) return std::string();
    if (monotonic_.boot_now() > until_) {
      return Status(Code::kDeadlineExceeded, "the value was not read within 60 s");
    }
    std::string piece;
    Status status = read_chunk(database_, options_, prefix_, *body_, next_chunk_, piece);
    if (!status.ok()) return status;
    ++next_chunk_;
    return piece;
  }

 private:
  const Database& database_;
  const Clock& monotonic_;
  const Snapshot snapshot_;
  rocksdb::ReadOptions options_;
  std::chrono::milliseconds until_{};
  std::uint32_t prefix_ = 0;
  std::optional<BodyRef> body_;
  std::string inline_value_;
  std::uint64_t value_bytes_ = 0;
  Entry entry_;
  std::uint32_t next_chunk_ = 0;
};

}  // namespace

Entry to_entry(const RecordView& record, bool with_value) {
  Entry entry;
  if (with_value) entry.value = record.value;
  entry.metadata = record.metadata;
  if (record.header.expiry_ms != 0) {
    entry.expires_at = from_unix_ms(static_cast<std::int64_t>(record.header.expiry_ms));
  }
  entry.version = record.header.version;
  return entry;
}

Result<Entry> EntryReader::to_result(const rocksdb::ReadOptions& options,
                                     std::uint32_t prefix,
                                     std::string_view stored_key,
                                     const rocksdb::Status& status,
                                     const rocksdb::PinnableSlice& stored) const {
  if (status.IsNotFound()) return no_such_key();
  if (!status.ok()) return from_rocksdb(status, "could not read");
  const auto record = decode_record(stored_key, {stored.data(), stored.size()});
  if (!record) return record.error();
  if (is_expired(record->header.expiry_ms, to_unix_ms(clock_.now()))) return no_such_key();
  Entry entry = to_entry(*record, true);
  if (!record->body) return entry;
  if (options.read_tier == rocksdb::kBlockCacheTier && record->body->bytes > kMemoryBodyBytesMax) {
    return Status(Code::kBusy, "the value is too large for this operation: read it with GET");
  }
  auto body = read_body(database_, options, prefix, *record->body);
  if (!body) return body.error();
  entry.value = *std::move(body);
  return entry;
}

// A large value is read again under a snapshot if its pieces vanished: it was overwritten.
Result<Entry> EntryReader::read(rocksdb::ReadOptions options,
                                std::uint32_t prefix,
                                const std::string& stored_key,
                                HotCache::Ticket ticket) const {
  rocksdb::PinnableSlice stored;
  const auto status = checked_get(
      options, database_.db().Get(options, database_.entries(), stored_key, &stored), stored);
  auto entry = to_result(options, prefix, stored_key, status, stored);
  if (status.IsNotFound()) {
    hot_.fill_absent(HotCache::key_of(stored_key), ticket);
  } else if (entry) {
    hot_.fill_record(HotCache::key_of(stored_key), ticket, {stored.data(), stored.size()});
  }
  if (entry || entry.code() != Code::kCorruption || options.snapshot != nullptr) return entry;
  const Snapshot snapshot(database_.db());
  options.snapshot = snapshot.get();
  return read(options, prefix, stored_key, 0);
}

EntryReader::Pass EntryReader::pass_of(const MirrorState* state, std::string_view key) const {
  if (is_reserved(key)) return {no_such_key(), nullptr};
  const MirrorRule* rule = state != nullptr ? state->rules().owner_of(key) : nullptr;
  if (rule == nullptr) return {};
  return {state->judge(*rule, clock_.now()), state};
}

Status EntryReader::confirm(NamespaceNumber ns, const Pass& pass) const {
  if (pass.state == nullptr || mirrors_.state_of(ns) == pass.state) return Status();
  return Status(Code::kStale, "stale: the mirror's rules changed while the key was read");
}

Status EntryReader::get_into(
    NamespaceNumber ns, std::string_view key, ReadTier tier, Entry& entry, Reader reader) const {
  // Before the prefix is asked for: a namespace that is cleared gets another one after its mirror's
  // state has changed.
  const MirrorState* state = mirrors_.state_of(ns);
  if (reader == Reader::kMirror || (state == nullptr && !is_reserved(key))) {
    return read_one(ns, key, tier, entry);
  }
  if (!namespaces_.prefix_of(ns)) return no_such_namespace();
  const Pass pass = pass_of(state, key);
  if (!pass.status.ok()) return pass.status;
  const Status read = read_one(ns, key, tier, entry);
  const Status confirmed = confirm(ns, pass);
  return confirmed.ok() ? read : confirmed;
}

void EntryReader::prefetch(std::span<const KeyName> keys) const {
  constexpr std::size_t kAtOnce = 32;
  std::array<HotCache::Key, kAtOnce> names;
  while (!keys.empty()) {
    std::size_t count = 0;
    for (const KeyName& name : keys.first(std::min(kAtOnce, keys.size()))) {
      const auto prefix = namespaces_.prefix_of(name.ns);
      if (prefix && name.key.size() <= kKeyBytesMax)
        names[count++] = HotCache::key_of(*prefix, name.key);
    }
    hot_.prefetch({names.data(), count});
    keys = keys.subspan(std::min(kAtOnce, keys.size()));
  }
}

Status EntryReader::read_one(NamespaceNumber ns,
                             std::string_view key,
                             ReadTier tier,
                             Entry& entry) const {
  if (Status status = check_key(key); !status.ok()) return status;
  const auto prefix = namespaces_.prefix_of(ns);
  if (!prefix) return no_such_namespace();
  HotCache::Ticket ticket = 0;
  switch (hot_.find(HotCache::key_of(*prefix, key), entry, ticket)) {
    case HotCache::Found::kEntry:
      return entry.expires_at && *entry.expires_at <= clock_.now() ? no_such_key() : Status();
    case HotCache::Found::kAbsent:
      return no_such_key();
    case HotCache::Found::kUnknown:
      break;
  }
  auto found = read(options_for(tier), *prefix, encode_key(*prefix, key), ticket);
  if (!found) return found.error();
  entry = *std::move(found);
  return Status();
}

std::vector<Result<Entry>> EntryReader::get_many(NamespaceNumber ns,
                                                 const std::vector<std::string_view>& keys,
                                                 ReadTier tier,
                                                 Reader reader) const {
  std::vector<Result<Entry>> results;
  results.reserve(keys.size());
  const MirrorState* state = mirrors_.state_of(ns);
  const auto prefix = namespaces_.prefix_of(ns);
  if (!prefix) {
    results.assign(keys.size(), no_such_namespace());
    return results;
  }
  std::vector<Pass> passes;
  if (reader == Reader::kAnyone) {
    passes.reserve(keys.size());
    for (const std::string_view key : keys) passes.push_back(pass_of(state, key));
  }
  const Snapshot snapshot(database_.db());
  rocksdb::ReadOptions options = options_for(tier);
  options.snapshot = snapshot.get();
  std::vector<std::string> stored_keys;
  stored_keys.reserve(keys.size());
  for (const std::string_view key : keys) stored_keys.push_back(encode_key(*prefix, key));
  const std::vector<rocksdb::Slice> slices(stored_keys.begin(), stored_keys.end());
  std::vector<rocksdb::PinnableSlice> values(keys.size());
  std::vector<rocksdb::Status> statuses(keys.size());
  database_.db().MultiGet(
      options, database_.entries(), keys.size(), slices.data(), values.data(), statuses.data());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    Status bad = check_key(keys[i]);
    if (bad.ok() && !passes.empty()) {
      bad = passes[i].status.ok() ? confirm(ns, passes[i]) : passes[i].status;
    }
    const rocksdb::Status status = checked_get(options, statuses[i], values[i]);
    results.push_back(bad.ok() ? to_result(options, *prefix, stored_keys[i], status, values[i])
                               : Result<Entry>(std::move(bad)));
  }
  return results;
}

Result<std::unique_ptr<ValueReader>> EntryReader::open_value(NamespaceNumber ns,
                                                             std::string_view key,
                                                             Reader reader) const {
  if (Status status = check_key(key); !status.ok()) return status;
  const MirrorState* state = mirrors_.state_of(ns);
  const auto prefix = namespaces_.prefix_of(ns);
  if (!prefix) return no_such_namespace();
  const Pass pass = reader == Reader::kAnyone ? pass_of(state, key) : Pass();
  if (!pass.status.ok()) return pass.status;
  auto pieces = std::make_unique<PieceReader>(database_, monotonic_);
  const Status opened = pieces->open(*prefix, key, to_unix_ms(clock_.now()));
  if (Status status = confirm(ns, pass); !status.ok()) return status;
  if (!opened.ok()) return opened;
  return std::unique_ptr<ValueReader>(std::move(pieces));
}

}  // namespace edged::storage
