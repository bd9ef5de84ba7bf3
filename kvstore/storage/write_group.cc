// SPDX-License-Identifier: Apache-2.0
// Sizes, conditions, expiry and versions of operations.
#include "kvstore/storage/write_group.h"

#include <algorithm>
#include <utility>

#include "kvstore/storage/bytes.h"
#include "kvstore/storage/record.h"
#include "kvstore/storage/rocks_status.h"

namespace edged::storage {
namespace {

WriteOutcome refused(Code code, std::string message) {
  return {code, std::move(message), 0};
}

WriteOutcome check_key(const std::string& key) {
  if (key.empty()) return refused(Code::kInvalidArgument, "key is empty");
  if (key.size() > kKeyBytesMax) return refused(Code::kTooLarge, "key is longer than 512 bytes");
  return {};
}

WriteOutcome check_sizes(const Put& put) {
  if (WriteOutcome bad = check_key(put.key); bad.code != Code::kOk) return bad;
  if (put.value.size() > kValueBytesMax) {
    return refused(Code::kTooLarge, "value is larger than 25 MiB");
  }
  if (put.metadata.size() > kMetadataBytesMax) {
    return refused(Code::kTooLarge, "metadata is longer than 1024 bytes");
  }
  return {};
}

// The Put's expiry as stored, 0 for never, in `expiry_ms`; 1 (long past) stands for any time
// before.
WriteOutcome resolve_expiry(const Put& put, std::int64_t now_ms, std::uint64_t& expiry_ms) {
  expiry_ms = 0;
  if (!put.ttl && !put.expires_at) return {};
  std::int64_t at_ms = 0;
  if (put.ttl) {
    if (put.ttl->count() <= 0) return refused(Code::kInvalidArgument, "ttl must be above zero");
    if (put.ttl->count() > static_cast<std::int64_t>(kExpiryMsMax)) {
      return refused(Code::kInvalidArgument, "expiration is after the year 2199");
    }
    at_ms = now_ms + put.ttl->count();
  } else {
    at_ms = to_unix_ms(*put.expires_at);
  }
  if (at_ms > static_cast<std::int64_t>(kExpiryMsMax)) {
    return refused(Code::kInvalidArgument, "expiration is after the year 2199");
  }
  expiry_ms = static_cast<std::uint64_t>(std::max<std::int64_t>(1, at_ms));
  return {};
}

}  // namespace

WriteGroup::WriteGroup(const Database& database,
                       const NamespaceTable& namespaces,
                       WallTime now,
                       Version last_version)
    : database_(database),
      namespaces_(namespaces),
      now_ms_(to_unix_ms(now)),
      last_version_(last_version) {}

std::vector<WriteOutcome> WriteGroup::add(const Write& write) {
  std::vector<WriteOutcome> outcomes;
  outcomes.reserve(write.operations.size());
  for (const Operation& operation : write.operations) {
    outcomes.push_back(std::visit([this](const auto& op) { return apply(op); }, operation));
  }
  return outcomes;
}

rocksdb::WriteBatch& WriteGroup::finish() {
  std::string version;
  append_le(version, last_version_);
  batch_.Put(database_.meta(), kVersionKey, version);
  return batch_;
}

WriteOutcome WriteGroup::apply(const Put& put) {
  if (WriteOutcome bad = check_sizes(put); bad.code != Code::kOk) return bad;
  const auto prefix = namespaces_.prefix_of(put.ns);
  if (!prefix) return refused(Code::kNamespaceNotFound, "no such namespace");
  std::uint64_t expiry_ms = 0;
  if (WriteOutcome bad = resolve_expiry(put, now_ms_, expiry_ms); bad.code != Code::kOk) return bad;
  const std::string stored_key = encode_key(*prefix, put.key);
  WriteOutcome outcome = judge(stored_key, put.condition, put.version, false);
  if (outcome.code != Code::kOk) return outcome;
  last_version_ = std::max(last_version_ + 1, static_cast<Version>(now_ms_) * 1000);
  outcome.version = last_version_;
  if (is_expired(expiry_ms, now_ms_)) {
    erase(stored_key);
    return outcome;
  }
  batch_.Put(database_.entries(),
             stored_key,
             encode_record(stored_key, {expiry_ms, last_version_, put.metadata, put.value}));
  written_[stored_key] = {true, last_version_, expiry_ms};
  if (expiry_ms != 0) min_expiry_ms_ = std::min(min_expiry_ms_, expiry_ms);
  return outcome;
}

WriteOutcome WriteGroup::apply(const Delete& del) {
  if (WriteOutcome bad = check_key(del.key); bad.code != Code::kOk) return bad;
  if (del.condition == Condition::kAbsent) {
    return refused(Code::kInvalidArgument, "a delete cannot require the key to be absent");
  }
  const auto prefix = namespaces_.prefix_of(del.ns);
  if (!prefix) return refused(Code::kNamespaceNotFound, "no such namespace");
  const std::string stored_key = encode_key(*prefix, del.key);
  WriteOutcome outcome = judge(stored_key, del.condition, del.version, true);
  if (outcome.code != Code::kOk) return outcome;
  last_version_ = std::max(last_version_ + 1, static_cast<Version>(now_ms_) * 1000);
  outcome.version = last_version_;
  erase(stored_key);
  return outcome;
}

void WriteGroup::erase(const std::string& stored_key) {
  batch_.Delete(database_.entries(), stored_key);
  written_[stored_key] = {};
}

WriteOutcome WriteGroup::judge(const std::string& stored_key,
                               Condition condition,
                               Version version,
                               bool is_delete) const {
  if (condition == Condition::kNone) return {};
  const auto found = existing(stored_key);
  if (!found) return refused(found.code(), found.error().message());
  switch (condition) {
    case Condition::kNone:
      break;
    case Condition::kAbsent:
      if (found->present) return {Code::kExists, "key exists", found->version};
      break;
    case Condition::kPresent:
      if (!found->present) return refused(Code::kNotFound, "no such key");
      break;
    case Condition::kVersion:
      if (!found->present && is_delete) return refused(Code::kNotFound, "no such key");
      if (!found->present || found->version != version) {
        return {Code::kVersionMismatch, "key has another version", found->version};
      }
      break;
  }
  return {};
}

Result<WriteGroup::Existing> WriteGroup::existing(const std::string& stored_key) const {
  Existing found;
  if (const auto written = written_.find(stored_key); written != written_.end()) {
    found = written->second;
  } else {
    rocksdb::PinnableSlice value;
    const auto status = database_.db().Get({}, database_.entries(), stored_key, &value);
    if (status.IsNotFound()) return Existing{};
    if (!status.ok()) return from_rocksdb(status, "could not read the current entry");
    const auto record = decode_record(stored_key, {value.data(), value.size()});
    if (!record) return record.error();
    found = {true, record->header.version, record->header.expiry_ms};
  }
  if (is_expired(found.expiry_ms, now_ms_)) return Existing{};
  return found;
}

}  // namespace edged::storage
