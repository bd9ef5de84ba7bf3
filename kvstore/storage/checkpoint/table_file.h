// SPDX-License-Identifier: Apache-2.0
// RocksDB's table files one by one, without a database: what backups tell them apart and check them
// by. Blocks on disk; any thread.
#pragma once

#include <string>

#include "proto/base/status.h"

namespace edged::storage {

// 48 hexadecimal digits, the same for every copy of a table file, different for any two that were
// written apart, also by different stores. Errors: kUnsupported (the file has none); kCorruption;
// kNotFound; kIoError.
Result<std::string> table_file_id(const std::string& path);

// Reads all of it and compares the checksums of its blocks. Errors: kCorruption; kIoError.
Status check_table_file(const std::string& path);

}  // namespace edged::storage
