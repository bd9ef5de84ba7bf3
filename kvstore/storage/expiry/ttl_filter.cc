// SPDX-License-Identifier: Apache-2.0
// The filter itself: one object per compaction job.
#include "kvstore/storage/expiry/ttl_filter.h"

#include <utility>

#include "kvstore/storage/format/bytes.h"
#include "kvstore/storage/format/record.h"

namespace edged::storage {
namespace {

using PrefixSet = std::shared_ptr<const DroppedPrefixes::Set>;

bool has_prefix_of(const PrefixSet& prefixes, const rocksdb::Slice& key) {
  return !prefixes->empty() && key.size() >= kPrefixBytes &&
         prefixes->contains(load_be32({key.data(), key.size()}, 0));
}

class TtlFilter final : public rocksdb::CompactionFilter {
 public:
  TtlFilter(std::int64_t cutoff_ms, PrefixSet prefixes, std::atomic<std::uint64_t>& dropped)
      : cutoff_ms_(cutoff_ms), prefixes_(std::move(prefixes)), dropped_(dropped) {}

  bool Filter(int /*level*/,
              const rocksdb::Slice& key,
              const rocksdb::Slice& value,
              std::string* /*new_value*/,
              bool* /*value_changed*/) const override {
    if (has_prefix_of(prefixes_, key)) return true;
    const std::string_view bytes(value.data(), value.size());
    const auto header = decode_header(bytes);
    if (!header || !is_expired(header->expiry_ms, cutoff_ms_)) return false;
    if ((header->flags & kChunked) != 0) return false;
    // The whole record is judged only when it would be dropped: a flipped bit in the expiry of a
    // live entry must not destroy it.
    if (!decode_record({key.data(), key.size()}, bytes)) return false;
    dropped_.fetch_add(1, std::memory_order_relaxed);
    return true;
  }

  const char* Name() const override { return "edged.TtlFilter"; }

 private:
  const std::int64_t cutoff_ms_;
  const PrefixSet prefixes_;
  std::atomic<std::uint64_t>& dropped_;
};

class BodyFilter final : public rocksdb::CompactionFilter {
 public:
  explicit BodyFilter(PrefixSet prefixes) : prefixes_(std::move(prefixes)) {}

  bool Filter(int /*level*/,
              const rocksdb::Slice& key,
              const rocksdb::Slice& /*value*/,
              std::string* /*new_value*/,
              bool* /*value_changed*/) const override {
    return has_prefix_of(prefixes_, key);
  }

  const char* Name() const override { return "edged.BodyFilter"; }

 private:
  const PrefixSet prefixes_;
};

}  // namespace

std::unique_ptr<rocksdb::CompactionFilter> BodyFilterFactory::CreateCompactionFilter(
    const rocksdb::CompactionFilter::Context& /*context*/) {
  return std::make_unique<BodyFilter>(prefixes_.current());
}

std::unique_ptr<rocksdb::CompactionFilter> TtlFilterFactory::CreateCompactionFilter(
    const rocksdb::CompactionFilter::Context& /*context*/) {
  return std::make_unique<TtlFilter>(
      to_unix_ms(clock_.now() - grace_), prefixes_.current(), dropped_);
}

}  // namespace edged::storage
