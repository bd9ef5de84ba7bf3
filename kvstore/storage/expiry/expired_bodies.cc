// SPDX-License-Identifier: Apache-2.0
// Expired large values.
#include "kvstore/storage/expiry/expired_bodies.h"

#include <algorithm>
#include <vector>

#include "kvstore/storage/engine/rocks_status.h"
#include "kvstore/storage/format/body_expiry.h"
#include "kvstore/storage/format/bytes.h"
#include "kvstore/storage/format/value_chunks.h"
#include "proto/base/log.h"

namespace edged::storage {
namespace {

constexpr std::size_t kBodiesPerStep = 64;  // at most 6400 chunks of 256 KiB
constexpr std::uint64_t kWorthBytes = 64 * 1024 * 1024;

}  // namespace

Status ExpiredBodies::reclaim(std::int64_t cutoff_ms, bool idle) {
  if (cutoff_ms <= 0) return Status();
  for (bool more = true; more;) {
    Status status = remove_some(static_cast<std::uint64_t>(cutoff_ms), more);
    if (!status.ok()) return status;
  }
  if (removed_bytes_ == 0 || (!idle && removed_bytes_ < kWorthBytes)) return Status();
  return compact();
}

Status ExpiredBodies::remove_some(std::uint64_t cutoff_ms, bool& more) {
  const auto expired = bodies_expired(database_, cutoff_ms, kBodiesPerStep);
  if (!expired) return expired.error();
  more = expired->size() == kBodiesPerStep;
  if (expired->empty()) return Status();
  return writer_.stage(
      [&](WriteGroup& group) {
        for (const BodyExpiry& note : *expired) {
          const auto body = group.remove_expired_body(note.expiry_ms, note.stored_key);
          if (!body) {
            log::warn("storage: an expired large value stays on disk: " + body.error().message());
          } else if (*body) {
            const std::uint32_t prefix = load_be32(note.stored_key, 0);
            const std::string first = encode_chunk_key(prefix, (*body)->id, 0);
            const std::string last = encode_chunk_key(prefix, (*body)->id, UINT32_MAX);
            first_ = removed_bytes_ == 0 ? first : std::min(first_, first);
            last_ = removed_bytes_ == 0 ? last : std::max(last_, last);
            removed_bytes_ += std::max<std::uint64_t>(1, (*body)->bytes);
          }
        }
        return Status();
      },
      0);
}

Status ExpiredBodies::compact() {
  if (Status status = database_.flush(); !status.ok()) return status;
  const rocksdb::Slice first(first_);
  const rocksdb::Slice last(last_);
  rocksdb::CompactRangeOptions options;
  options.exclusive_manual_compaction = false;
  options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
  const auto status = database_.db().CompactRange(options, database_.bodies(), &first, &last);
  if (!status.ok()) return from_rocksdb(status, "could not compact");
  removed_bytes_ = 0;
  return Status();
}

}  // namespace edged::storage
