// SPDX-License-Identifier: Apache-2.0
// How operations become one batch.
#include "kvstore/storage/write/write_group.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "kvstore/storage/engine/rocks_status.h"
#include "kvstore/storage/format/body_expiry.h"
#include "kvstore/storage/format/bytes.h"
#include "kvstore/storage/format/value_chunks.h"

namespace edged::storage {
namespace {

constexpr std::size_t kKeptBatchBytes = 256 * 1024;

}  // namespace

WriteGroup::WriteGroup(const WriteContext& context,
                       WriteScratch& scratch,
                       WallTime now,
                       Version last_version,
                       ReadTier tier)
    : context_(context),
      scratch_(scratch),
      arena_(scratch.arena.data(), scratch.arena.size()),
      now_ms_(to_unix_ms(now)),
      tier_(tier),
      first_version_(last_version),
      last_version_(last_version),
      batch_(scratch.batch) {
  if (batch_.GetDataSize() > kKeptBatchBytes) batch_ = rocksdb::WriteBatch();
  batch_.Clear();
}

std::vector<WriteOutcome> WriteGroup::add(const Write& write) {
  if (write.atomic) return add_atomic(write);
  std::vector<WriteOutcome> outcomes;
  outcomes.reserve(write.operations.size());
  for (const Operation& operation : write.operations) outcomes.push_back(apply(operation));
  return outcomes;
}

Version WriteGroup::next_version() {
  last_version_ = std::max(last_version_ + 1, static_cast<Version>(now_ms_) * 1000);
  return last_version_;
}

rocksdb::WriteBatch& WriteGroup::finish() {
  context_.usage.stage(delta_, context_.database, batch_);
  std::string version;
  append_le(version, last_version_);
  batch_.Put(context_.database.meta(), kVersionKey, version);
  context_.mirrors.begin(mirror_changes_);
  for (const auto& [key, existing] : written_) context_.hot.begin_write(HotCache::key_of(key));
  return batch_;
}

std::span<const ChangeFeed::ChangeView> WriteGroup::commit() {
  context_.usage.commit(delta_);
  std::pmr::vector<std::string_view> keys(&arena_);
  keys.reserve(written_.size());
  // The hot cache before the leases: who gets a lease from here on finds what was written.
  for (const auto& [key, existing] : written_) {
    keys.push_back(key);
    if (existing.stored) {
      context_.hot.end_write(HotCache::key_of(key), existing.record);
    } else {
      context_.hot.end_delete(HotCache::key_of(key));
    }
  }
  context_.mirrors.commit(mirror_changes_);
  context_.leases.void_keys(keys);
  for (const std::uint64_t id : consumed_uploads_) context_.uploads.forget(id);
  return changes_;
}

void WriteGroup::fail() {
  context_.mirrors.fail(mirror_changes_);
  for (const auto& [key, existing] : written_) context_.hot.fail_write(HotCache::key_of(key));
}

WriteOutcome WriteGroup::apply(const Operation& operation) {
  if (WriteOutcome bad = check_operation(operation); bad.code != Code::kOk) return bad;
  return std::visit(
      [this, &operation](const auto& op) {
        const auto prefix = context_.namespaces.prefix_of(op.ns);
        if (!prefix) {
          return refusal(Code::kNamespaceNotFound, "no such namespace");
        }
        const Target target{op.ns, *prefix, op.key, keep_key(*prefix, op.key)};
        WriteOutcome outcome = check_owner(operation, target);
        if (outcome.code == Code::kOk) outcome = apply(op, target);
        if (outcome.code == Code::kOk && is_reserved(target.key)) note_reserved(operation, target);
        return outcome;
      },
      operation);
}

WriteOutcome WriteGroup::apply(const Put& put, const Target& target) {
  const auto expiry_ms = resolve_expiry(put.ttl, put.expires_at, now_ms_);
  if (!expiry_ms) return refusal(expiry_ms.error());
  if (WriteOutcome bad = check_lease(put, target); bad.code != Code::kOk) return bad;
  const auto old = conditioned(target, put.condition, false);
  if (!old) return refusal(old.error());
  WriteOutcome outcome = judge({old->live, old->version}, put.condition, put.version, false);
  if (outcome.code != Code::kOk) return outcome;
  const auto body = body_for(put, target);
  if (!body) return refusal(body.error());
  if (is_expired(*expiry_ms, now_ms_)) {
    if (*body) delete_chunks(batch_, context_.database, target.prefix, **body);
    outcome.version = erase(target, *old);
    return outcome;
  }
  outcome.version = store(target, *old, {*expiry_ms, 0, put.metadata, put.value, *body});
  return outcome;
}

WriteOutcome WriteGroup::apply(const Delete& del, const Target& target) {
  const auto old = conditioned(target, del.condition, false);
  if (!old) return refusal(old.error());
  WriteOutcome outcome = judge({old->live, old->version}, del.condition, del.version, true);
  if (outcome.code == Code::kOk) outcome.version = erase(target, *old);
  return outcome;
}

WriteOutcome WriteGroup::apply(const Touch& touch, const Target& target) {
  const auto expiry_ms = resolve_expiry(touch.ttl, touch.expires_at, now_ms_);
  if (!expiry_ms) return refusal(expiry_ms.error());
  const auto old = find(target.stored_key, true);
  if (!old) return refusal(old.error());
  const Condition condition =
      touch.condition == Condition::kNone ? Condition::kPresent : touch.condition;
  WriteOutcome outcome = judge({old->live, old->version}, condition, touch.version, true);
  if (outcome.code != Code::kOk) return outcome;
  const auto record = decode_record(target.stored_key, old->record);
  if (!record) return refusal(record.error());
  if (touch.want_entry && record->body) {
    return refusal(Code::kTooLarge,
                   "the value is too large for the answer to a touch: read it with GET");
  }
  if (is_expired(*expiry_ms, now_ms_)) {
    outcome.version = erase(target, *old);
  } else {
    outcome.version =
        store(target, *old, {*expiry_ms, 0, record->metadata, record->value, record->body});
  }
  if (touch.want_entry) {
    Entry entry{std::string(record->value), std::string(record->metadata), {}, outcome.version};
    if (*expiry_ms != 0) entry.expires_at = from_unix_ms(static_cast<std::int64_t>(*expiry_ms));
    outcome.entry = std::move(entry);
  }
  return outcome;
}

WriteOutcome WriteGroup::apply(const Add& add, const Target& target) {
  auto expiry_ms = resolve_expiry(add.ttl, add.expires_at, now_ms_);
  if (!expiry_ms) return refusal(expiry_ms.error());
  const auto old = find(target.stored_key, true);
  if (!old) return refusal(old.error());
  std::string before = std::to_string(add.initial);
  std::string metadata;
  if (old->live) {
    const auto record = decode_record(target.stored_key, old->record);
    if (!record) return refusal(record.error());
    before = record->value;
    metadata = record->metadata;
    expiry_ms = old->expiry_ms;
  }
  const auto sum = add_to(before, add.delta);
  if (!sum) return refusal(sum.error());
  WriteOutcome outcome;
  outcome.number = *sum;
  const std::string value = std::to_string(*sum);
  outcome.version = is_expired(*expiry_ms, now_ms_)
                        ? erase(target, *old)
                        : store(target, *old, {*expiry_ms, 0, metadata, value, std::nullopt});
  return outcome;
}

WriteOutcome WriteGroup::apply(const Check& check, const Target& target) {
  const auto found = find(target.stored_key, false);
  if (!found) return refusal(found.error());
  WriteOutcome outcome = judge({found->live, found->version}, check.condition, check.version, true);
  if (outcome.code == Code::kOk && found->live) outcome.version = found->version;
  return outcome;
}

// What is there; a damaged record counts as something unknown if nothing depends on it, so that an
// overwrite or a delete mends it.
Result<WriteGroup::Existing> WriteGroup::conditioned(const Target& target,
                                                     Condition condition,
                                                     bool want_record) const {
  auto found = find(target.stored_key, want_record);
  if (found || found.code() != Code::kCorruption || condition != Condition::kNone) return found;
  Existing damaged;
  damaged.stored = true;
  return damaged;
}

Result<WriteGroup::Existing> WriteGroup::find(std::string_view stored_key, bool want_record) const {
  if (const auto written = written_.find(stored_key); written != written_.end()) {
    return written->second;
  }
  return read(stored_key, want_record);
}

Result<WriteGroup::Existing> WriteGroup::read(std::string_view stored_key, bool want_record) const {
  if (!want_record) {
    if (auto known = read_hot(stored_key)) return *std::move(known);
  }
  const Database& database = context_.database;
  rocksdb::PinnableSlice value;
  rocksdb::ReadOptions options;
  if (tier_ == ReadTier::kMemory) options.read_tier = rocksdb::kBlockCacheTier;
  const auto status = checked_get(
      options, database.db().Get(options, database.entries(), stored_key, &value), value);
  if (status.IsNotFound()) return Existing{};
  if (status.IsIncomplete()) needs_disk_ = true;
  if (!status.ok()) return from_rocksdb(status, "could not read the current entry");
  const auto record = decode_record(stored_key, {value.data(), value.size()});
  if (!record) return record.error();
  Existing found = existing_of(stored_key, *record);
  if (want_record) found.record = keep({value.data(), value.size()});
  return found;
}

// Not what has expired: the engine may have dropped it, and the counts with it.
std::optional<WriteGroup::Existing> WriteGroup::read_hot(std::string_view stored_key) const {
  const auto facts = context_.hot.facts(HotCache::key_of(stored_key));
  if (!facts || is_expired(facts->expiry_ms, now_ms_)) return std::nullopt;
  Existing known;
  if (facts->absent) return known;
  known.stored = known.live = true;
  known.expiry_ms = facts->expiry_ms;
  known.version = facts->version;
  known.counted_bytes = stored_key.size() - kPrefixBytes + facts->bytes;
  return known;
}

WriteGroup::Existing WriteGroup::existing_of(std::string_view stored_key,
                                             const RecordView& record) const {
  Existing found;
  found.stored = true;
  found.live = !is_expired(record.header.expiry_ms, now_ms_);
  found.expiry_ms = record.header.expiry_ms;
  found.version = record.header.version;
  found.counted_bytes =
      stored_key.size() - kPrefixBytes + record.metadata.size() + record.value_bytes();
  found.body = record.body;
  return found;
}

// A key written by this group has lost its lease, although the table does not know it yet.
WriteOutcome WriteGroup::check_lease(const Put& put, const Target& target) const {
  if (put.lease == 0) return {};
  if (!written_.contains(target.stored_key) &&
      context_.leases.holds(target.stored_key, put.lease)) {
    return {};
  }
  return refusal(Code::kStale, "the lease is void: the key was written meanwhile");
}

Result<std::optional<BodyRef>> WriteGroup::body_for(const Put& put, const Target& target) {
  if (put.staged.id != 0) {
    const auto upload = context_.uploads.find(put.staged.id);
    const bool consumed =
        std::find(consumed_uploads_.begin(), consumed_uploads_.end(), put.staged.id) !=
        consumed_uploads_.end();
    if (!upload || consumed || upload->prefix != target.prefix ||
        upload->bytes != put.staged.bytes) {
      return Status(Code::kInvalidArgument, "no such upload for this namespace");
    }
    context_.uploads.consume(put.staged.id, context_.database, batch_);
    consumed_uploads_.push_back(put.staged.id);
    return std::optional(BodyRef{put.staged.id, put.staged.bytes});
  }
  if (put.value.size() <= kInlineBytesMax) return std::optional<BodyRef>();
  const BodyRef body{next_version(), put.value.size()};
  const std::string_view value = put.value;
  for (std::uint32_t index = 0; index < chunk_count(body.bytes); ++index) {
    put_chunk(batch_,
              context_.database,
              encode_chunk_key(target.prefix, body.id, index),
              value.substr(std::size_t{index} * kChunkBytes, kChunkBytes));
  }
  return std::optional(body);
}

Version WriteGroup::store(const Target& target, const Existing& old, RecordParts parts) {
  parts.version = next_version();
  take_away(target, old, parts.body && old.body && parts.body->id == old.body->id);
  Existing now;
  now.stored = true;
  now.live = true;
  now.expiry_ms = parts.expiry_ms;
  now.version = parts.version;
  now.body = parts.body;
  now.counted_bytes = target.key.size() + parts.metadata.size() +
                      (parts.body ? parts.body->bytes : parts.value.size());
  encode_record_into(target.stored_key, parts, scratch_.record);
  now.record = keep(scratch_.record);
  batch_.Put(context_.database.entries(), target.stored_key, now.record);
  const bool hidden = is_reserved(target.key);
  if (!hidden) {
    UsageTotals& totals = delta_[bucket_of(target.prefix, parts.expiry_ms, parts.version)];
    totals.keys += 1;
    totals.bytes += static_cast<std::int64_t>(now.counted_bytes);
  }
  if (parts.expiry_ms != 0) {
    min_expiry_ms_ = std::min(min_expiry_ms_, parts.expiry_ms);
    if (parts.body) note_body_expiry(batch_, context_.database, parts.expiry_ms, target.stored_key);
  }
  if (!hidden) {
    const std::string_view key = target.stored_key.substr(kPrefixBytes);
    changes_.push_back({ChangeKind::kPut, target.ns, key, parts.version, parts.expiry_ms});
  }
  remember(target.stored_key, std::move(now));
  return parts.version;
}

Version WriteGroup::erase(const Target& target, const Existing& old) {
  const Version version = next_version();
  take_away(target, old, false);
  if (old.stored) batch_.Delete(context_.database.entries(), target.stored_key);
  if (!is_reserved(target.key)) {
    const std::string_view key = target.stored_key.substr(kPrefixBytes);
    changes_.push_back({ChangeKind::kDelete, target.ns, key, version, 0});
  }
  remember(target.stored_key, {});
  return version;
}

// Everything that belongs to the old record and is not under its key.
void WriteGroup::take_away(const Target& target, const Existing& old, bool keep_chunks) {
  if (!old.stored || old.version == 0) return;
  if (!is_reserved(target.key)) {
    UsageTotals& totals = delta_[bucket_of(target.prefix, old.expiry_ms, old.version)];
    totals.keys -= 1;
    totals.bytes -= static_cast<std::int64_t>(old.counted_bytes);
  }
  if (!old.body) return;
  if (old.expiry_ms != 0) {
    forget_body_expiry(batch_, context_.database, old.expiry_ms, target.stored_key);
  }
  if (!keep_chunks) delete_chunks(batch_, context_.database, target.prefix, *old.body);
}

std::string_view WriteGroup::keep(std::string_view bytes) const {
  auto* const kept = static_cast<char*>(arena_.allocate(bytes.size() + 1, 1));
  std::memcpy(kept, bytes.data(), bytes.size());
  return {kept, bytes.size()};
}

std::string_view WriteGroup::keep_key(std::uint32_t prefix, std::string_view key) {
  scratch_.key.clear();
  append_be32(scratch_.key, prefix);
  scratch_.key.append(key);
  return keep(scratch_.key);
}

}  // namespace edged::storage
