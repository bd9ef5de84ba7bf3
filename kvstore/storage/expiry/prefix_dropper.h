// SPDX-License-Identifier: Apache-2.0
// Gives back the space of namespaces that were cleared or deleted: files that hold nothing else are
// deleted whole, the others are compacted through the filters. One thread; blocks on disk.
#pragma once

#include "kvstore/storage/engine/database.h"
#include "kvstore/storage/tables/dropped_prefixes.h"
#include "kvstore/storage/write/writer.h"

namespace edged::storage {

// Works on one dropped prefix; once nothing of it is left, forgets it. Errors: kIoError and others
// of the database; it is tried again at the next round.
Status drop_one_prefix(Database& database, Writer& writer, DroppedPrefixes& dropped);

}  // namespace edged::storage
