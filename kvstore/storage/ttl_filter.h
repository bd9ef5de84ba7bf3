// SPDX-License-Identifier: Apache-2.0
// The compaction filter that drops entries whose expiry plus a grace period has passed. Each job
// reads the store's clock once. What is not a whole record of ours is kept: a filter must never be
// the one that destroys evidence. Runs on RocksDB's threads and never throws. A filter alone
// reclaims nothing on quiet data; the Reclaimer starts the compactions.
#pragma once

#include <rocksdb/compaction_filter.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>

#include "kvstore/storage/store_clock.h"

namespace edged::storage {

class TtlFilterFactory final : public rocksdb::CompactionFilterFactory {
 public:
  // `clock` must outlive the factory.
  TtlFilterFactory(const StoreClock& clock, std::chrono::milliseconds grace)
      : clock_(clock), grace_(grace) {}

  std::unique_ptr<rocksdb::CompactionFilter> CreateCompactionFilter(
      const rocksdb::CompactionFilter::Context& context) override;
  const char* Name() const override { return "edged.TtlFilterFactory"; }

  // Entries dropped since this object was made.
  std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  const StoreClock& clock_;
  const std::chrono::milliseconds grace_;
  std::atomic<std::uint64_t> dropped_{0};
};

}  // namespace edged::storage
