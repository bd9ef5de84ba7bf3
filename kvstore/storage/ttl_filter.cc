// SPDX-License-Identifier: Apache-2.0
// The filter itself: one object per compaction job.
#include "kvstore/storage/ttl_filter.h"

#include "kvstore/storage/record.h"

namespace edged::storage {
namespace {

class TtlFilter final : public rocksdb::CompactionFilter {
 public:
  TtlFilter(std::int64_t cutoff_ms, std::atomic<std::uint64_t>& dropped)
      : cutoff_ms_(cutoff_ms), dropped_(dropped) {}

  bool Filter(int /*level*/,
              const rocksdb::Slice& key,
              const rocksdb::Slice& value,
              std::string* /*new_value*/,
              bool* /*value_changed*/) const override {
    const std::string_view bytes(value.data(), value.size());
    const auto header = decode_header(bytes);
    if (!header || !is_expired(header->expiry_ms, cutoff_ms_)) return false;
    // The whole record is judged only when it would be dropped: a flipped bit in the expiry of a
    // live entry must not destroy it.
    if (!decode_record({key.data(), key.size()}, bytes)) return false;
    dropped_.fetch_add(1, std::memory_order_relaxed);
    return true;
  }

  const char* Name() const override { return "edged.TtlFilter"; }

 private:
  const std::int64_t cutoff_ms_;
  std::atomic<std::uint64_t>& dropped_;
};

}  // namespace

std::unique_ptr<rocksdb::CompactionFilter> TtlFilterFactory::CreateCompactionFilter(
    const rocksdb::CompactionFilter::Context& /*context*/) {
  return std::make_unique<TtlFilter>(to_unix_ms(clock_.now() - grace_), dropped_);
}

}  // namespace edged::storage
