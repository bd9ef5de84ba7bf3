// SPDX-License-Identifier: Apache-2.0
// The property "edged.expiry": four little-endian u64.
#include "kvstore/storage/expiry/expiry_properties.h"

#include <algorithm>
#include <string>

#include "kvstore/storage/format/bytes.h"
#include "kvstore/storage/format/record.h"

namespace edged::storage {
namespace {

constexpr char kProperty[] = "edged.expiry";
constexpr std::size_t kPropertyBytes = 4 * 8;

class ExpiryCollector final : public rocksdb::TablePropertiesCollector {
 public:
  rocksdb::Status AddUserKey(const rocksdb::Slice& key,
                             const rocksdb::Slice& value,
                             rocksdb::EntryType type,
                             rocksdb::SequenceNumber /*sequence*/,
                             std::uint64_t /*file_size*/) override {
    if (type != rocksdb::kEntryPut) return rocksdb::Status::OK();
    const auto header = decode_header({value.data(), value.size()});
    if (!header || header->expiry_ms == 0) return rocksdb::Status::OK();
    if (found_.entries == 0) found_.min_expiry_ms = header->expiry_ms;
    found_.min_expiry_ms = std::min(found_.min_expiry_ms, header->expiry_ms);
    found_.max_expiry_ms = std::max(found_.max_expiry_ms, header->expiry_ms);
    ++found_.entries;
    found_.bytes += key.size() + value.size();
    return rocksdb::Status::OK();
  }

  rocksdb::Status Finish(rocksdb::UserCollectedProperties* properties) override {
    std::string bytes;
    append_le(bytes, found_.min_expiry_ms);
    append_le(bytes, found_.max_expiry_ms);
    append_le(bytes, found_.entries);
    append_le(bytes, found_.bytes);
    (*properties)[kProperty] = std::move(bytes);
    return rocksdb::Status::OK();
  }

  rocksdb::UserCollectedProperties GetReadableProperties() const override {
    return {{kProperty,
             std::to_string(found_.entries) + " entries expire between " +
                 std::to_string(found_.min_expiry_ms) + " and " +
                 std::to_string(found_.max_expiry_ms)}};
  }

  const char* Name() const override { return "edged.ExpiryCollector"; }

 private:
  ExpiryProperties found_;
};

class ExpiryCollectorFactory final : public rocksdb::TablePropertiesCollectorFactory {
 public:
  rocksdb::TablePropertiesCollector* CreateTablePropertiesCollector(
      rocksdb::TablePropertiesCollectorFactory::Context /*context*/) override {
    return new ExpiryCollector;  // RocksDB owns it
  }
  const char* Name() const override { return "edged.ExpiryCollectorFactory"; }
};

}  // namespace

std::uint64_t ExpiryProperties::expired_bytes(std::uint64_t cutoff_ms) const {
  if (cutoff_ms <= min_expiry_ms) return 0;
  if (cutoff_ms > max_expiry_ms) return bytes;
  const double part = static_cast<double>(cutoff_ms - min_expiry_ms) /
                      static_cast<double>(max_expiry_ms - min_expiry_ms);
  return std::max<std::uint64_t>(1, static_cast<std::uint64_t>(part * static_cast<double>(bytes)));
}

std::shared_ptr<rocksdb::TablePropertiesCollectorFactory> make_expiry_collector_factory() {
  return std::make_shared<ExpiryCollectorFactory>();
}

std::optional<ExpiryProperties> expiry_properties_of(const rocksdb::TableProperties& table) {
  const auto found = table.user_collected_properties.find(kProperty);
  if (found == table.user_collected_properties.end() || found->second.size() != kPropertyBytes) {
    return std::nullopt;
  }
  ExpiryProperties properties;
  properties.min_expiry_ms = load_le<std::uint64_t>(found->second, 0);
  properties.max_expiry_ms = load_le<std::uint64_t>(found->second, 8);
  properties.entries = load_le<std::uint64_t>(found->second, 16);
  properties.bytes = load_le<std::uint64_t>(found->second, 24);
  if (properties.entries == 0) return std::nullopt;
  return properties;
}

}  // namespace edged::storage
