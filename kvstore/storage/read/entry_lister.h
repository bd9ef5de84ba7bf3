// SPDX-License-Identifier: Apache-2.0
// Listing a namespace page by page with bounded work: a page ends early, possibly empty, when it
// has passed over many expired entries, taken 5 ms, or collected 8 MiB. Blocks on disk; any thread.
#pragma once

#include <cstdint>

#include "kvstore/storage/engine/database.h"
#include "kvstore/storage/store.h"
#include "proto/base/clock.h"

namespace edged::storage {

// See Store::list, but whether mirrored keys may be answered is the caller's to judge. `prefix` is
// the namespace's; `now` judges expiry; `clock` measures the work.
Result<ListPage> list_entries(const Database& database,
                              std::uint32_t prefix,
                              const ListRequest& request,
                              WallTime now,
                              const Clock& clock);

}  // namespace edged::storage
