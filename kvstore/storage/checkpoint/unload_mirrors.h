// SPDX-License-Identifier: Apache-2.0
// For a store that was restored: its mirrored keys are of another moment than what their mirrors
// have told PostgreSQL since.
#pragma once

#include <cstddef>

#include "kvstore/storage/store.h"
#include "proto/base/status.h"

namespace edged::storage {

// Says of every mirrored key that it is not loaded, and forgets how far each mirror had come: reads
// of these keys are stale until their mirror has loaded them anew. Blocks on disk, and is durable
// when it returns. The number of namespaces concerned. Errors: those of Store::submit.
Result<std::size_t> unload_mirrors(Store& store);

}  // namespace edged::storage
