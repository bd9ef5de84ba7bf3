// SPDX-License-Identifier: Apache-2.0
// See table_file.h.
#include "kvstore/storage/checkpoint/table_file.h"

#include <rocksdb/options.h>
#include <rocksdb/sst_file_reader.h>
#include <rocksdb/table_properties.h>
#include <rocksdb/unique_id.h>

#include "kvstore/storage/engine/rocks_status.h"
#include "proto/base/hex.h"

namespace edged::storage {

Result<std::string> table_file_id(const std::string& path) {
  rocksdb::SstFileReader reader{rocksdb::Options()};
  const auto opened = reader.Open(path);
  if (!opened.ok()) return from_rocksdb(opened, "could not read table file \"" + path + "\"");
  std::string id;
  const auto properties = reader.GetTableProperties();
  const auto status = rocksdb::GetExtendedUniqueIdFromTableProperties(*properties, &id);
  if (!status.ok()) return Status(Code::kUnsupported, "table file \"" + path + "\" has no id");
  return to_hex(id);
}

Status check_table_file(const std::string& path) {
  rocksdb::SstFileReader reader{rocksdb::Options()};
  auto status = reader.Open(path);
  if (status.ok()) status = reader.VerifyChecksum();
  return status.ok() ? Status() : from_rocksdb(status, "table file \"" + path + "\" is not whole");
}

}  // namespace edged::storage
