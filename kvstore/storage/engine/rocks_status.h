// SPDX-License-Identifier: Apache-2.0
// The one place where RocksDB's Status becomes ours. Any thread.
#pragma once

#include <rocksdb/status.h>

#include <string_view>

#include "proto/base/status.h"

namespace edged::storage {

// `attempted` says what was tried: "could not write". Not to be called with an ok status.
Status from_rocksdb(const rocksdb::Status& status, std::string_view attempted);

}  // namespace edged::storage
