// SPDX-License-Identifier: Apache-2.0
// The number that says how a store is laid out, and the upgrade from an older one
// (docs/storage-format.md, section 8). Blocks on disk; for opening only.
#pragma once

#include "kvstore/storage/engine/database.h"
#include "kvstore/storage/store.h"

namespace edged::storage {

// Writes the format into a new store and upgrades an old one, unless options.read_only.
// Errors: kUnsupported (a later format); kCorruption; kIoError.
Status check_format(Database& database, const RocksStoreOptions& options);

// The last version given out that a batch carried; 0 if none did. Errors: kCorruption; kIoError.
Result<Version> stored_version(const Database& database);

}  // namespace edged::storage
