// SPDX-License-Identifier: Apache-2.0
// The compaction filters. One drops entries whose expiry plus a grace period has passed, but leaves
// those with a large value to the writer (body_expiry.h); both drop what belongs to a namespace
// that was cleared or deleted. Each job reads the store's clock and the dropped prefixes once. What
// is not a whole record of ours is kept: a filter must never be the one that destroys evidence.
// Runs on RocksDB's threads and never throws. A filter alone reclaims nothing on quiet data; the
// Reclaimer starts the compactions.
#pragma once

#include <rocksdb/compaction_filter.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>

#include "kvstore/storage/engine/store_clock.h"
#include "kvstore/storage/tables/dropped_prefixes.h"

namespace edged::storage {

class TtlFilterFactory final : public rocksdb::CompactionFilterFactory {
 public:
  // `clock` and `prefixes` must outlive the factory.
  TtlFilterFactory(const StoreClock& clock,
                   const DroppedPrefixes& prefixes,
                   std::chrono::milliseconds grace)
      : clock_(clock), prefixes_(prefixes), grace_(grace) {}

  std::unique_ptr<rocksdb::CompactionFilter> CreateCompactionFilter(
      const rocksdb::CompactionFilter::Context& context) override;
  const char* Name() const override { return "edged.TtlFilterFactory"; }

  // Expired entries dropped since this object was made.
  std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  const StoreClock& clock_;
  const DroppedPrefixes& prefixes_;
  const std::chrono::milliseconds grace_;
  std::atomic<std::uint64_t> dropped_{0};
};

// For the column family "bodies", whose chunks do not expire by themselves.
class BodyFilterFactory final : public rocksdb::CompactionFilterFactory {
 public:
  // `prefixes` must outlive the factory.
  explicit BodyFilterFactory(const DroppedPrefixes& prefixes) : prefixes_(prefixes) {}

  std::unique_ptr<rocksdb::CompactionFilter> CreateCompactionFilter(
      const rocksdb::CompactionFilter::Context& context) override;
  const char* Name() const override { return "edged.BodyFilterFactory"; }

 private:
  const DroppedPrefixes& prefixes_;
};

}  // namespace edged::storage
