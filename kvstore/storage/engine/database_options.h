// SPDX-License-Identifier: Apache-2.0
// How RocksDB is set up: the column families, their options, and the names of what a data directory
// holds. Pure; any thread.
#pragma once

#include <rocksdb/db.h>

#include <memory>
#include <string>
#include <vector>

#include "kvstore/storage/engine/rocks_logger.h"
#include "kvstore/storage/rocks_store.h"

namespace edged::storage {

class BodyFilterFactory;
class TtlFilterFactory;

// What compactions of each column family drop.
struct CompactionFilters {
  std::shared_ptr<TtlFilterFactory> entries;
  std::shared_ptr<BodyFilterFactory> bodies;
};

struct DatabaseOptions {
  rocksdb::DBOptions db;
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
};

// `env` must outlive the database.
DatabaseOptions make_database_options(const RocksStoreOptions& options,
                                      rocksdb::Env* env,
                                      std::shared_ptr<RocksLogger> logger,
                                      CompactionFilters filters);

inline std::string database_path(const std::string& data_dir) {
  return data_dir + "/db";
}
inline std::string mark_path(const std::string& data_dir) {
  return data_dir + "/store.mark";
}

// What every error of an opening begins with.
inline std::string opening(const std::string& data_dir) {
  return "could not open database \"" + data_dir + "\"";
}

}  // namespace edged::storage
