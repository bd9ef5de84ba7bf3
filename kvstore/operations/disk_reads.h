// SPDX-License-Identifier: Apache-2.0
// Reads that may wait for the disk, with bounded memory: storage pool only, but for check_key().
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kvstore/storage/store.h"
#include "proto/base/status.h"

namespace edged::operations {

// Errors: kInvalidArgument: a key of this size cannot exist.
Status check_key(std::string_view key);

// Errors: those of Store::get; kTooLarge: the value is above `value_bytes_max`, and was not read.
Result<storage::Entry> read_entry(const storage::Store& store,
                                  storage::NamespaceNumber ns,
                                  std::string_view key,
                                  std::size_t value_bytes_max);

// One result per key. Errors: kTooLarge: the values are above `bytes_max` together.
Result<std::vector<Result<storage::Entry>>> read_entries(const storage::Store& store,
                                                         storage::NamespaceNumber ns,
                                                         const std::vector<std::string>& keys,
                                                         std::size_t bytes_max);

// Reads a value of a store that does not read in pieces (kUnsupported) as one piece.
// Errors: those of Store::open_value.
Result<std::unique_ptr<storage::ValueReader>> open_reader(const storage::Store& store,
                                                          storage::NamespaceNumber ns,
                                                          std::string_view key);

}  // namespace edged::operations
