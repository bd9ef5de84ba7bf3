// SPDX-License-Identifier: Apache-2.0
// How far an import from Cloudflare has come, in a file, so that the same command continues after a
// break. Written after each page whose entries are all stored. Blocks on disk; one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "proto/base/status.h"
#include "tools/kvctl/bulk_store.h"

namespace edged::kvctl {

struct ImportState {
  // Which import it is. A file of another one is not continued.
  std::string api, from, to, prefix;
  std::string cursor{};  // of the next page
  BulkCounts counts{};
};

// The state in `path`; nothing if there is no such file. Errors: kConflict: it belongs to another
// import than `now`; kInvalidArgument: it is no such file; kIoError.
Result<std::optional<ImportState>> read_import_state(const std::string& path,
                                                     const ImportState& now);

// Errors: kDiskFull, kIoError.
Status write_import_state(const std::string& path, const ImportState& state);

}  // namespace edged::kvctl
