// SPDX-License-Identifier: Apache-2.0
// What each table file tells about the expiry of its entries, written into the file when it is
// built and read by the reclaimer. The collector runs inside RocksDB, one per file, and never
// throws.
#pragma once

#include <rocksdb/table_properties.h>

#include <cstdint>
#include <memory>
#include <optional>

namespace edged::storage {

struct ExpiryProperties {
  std::uint64_t min_expiry_ms = 0;
  std::uint64_t max_expiry_ms = 0;
  std::uint64_t entries = 0;  // that have an expiry
  std::uint64_t bytes = 0;    // of their keys and values

  // Bytes whose expiry lies before `cutoff_ms`, taking expiries as spread evenly between the two.
  std::uint64_t expired_bytes(std::uint64_t cutoff_ms) const;
};

std::shared_ptr<rocksdb::TablePropertiesCollectorFactory> make_expiry_collector_factory();

// Nothing if the file has no entry that expires, or was not built with the collector.
std::optional<ExpiryProperties> expiry_properties_of(const rocksdb::TableProperties& table);

}  // namespace edged::storage
