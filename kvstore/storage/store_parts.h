// SPDX-License-Identifier: Apache-2.0
// What a store on RocksDB is made of.
#pragma once

#include <memory>
#include <optional>

#include "kvstore/storage/checkpoint/checkpoints.h"
#include "kvstore/storage/engine/database.h"
#include "kvstore/storage/engine/database_options.h"
#include "kvstore/storage/engine/directory_lock.h"
#include "kvstore/storage/engine/disk_guard.h"
#include "kvstore/storage/expiry/reclaimer.h"
#include "kvstore/storage/expiry/ttl_filter.h"
#include "kvstore/storage/format/mark_file.h"
#include "kvstore/storage/read/entry_reader.h"
#include "kvstore/storage/read/hot_cache.h"
#include "kvstore/storage/tables/dropped_prefixes.h"
#include "kvstore/storage/tables/lease_table.h"
#include "kvstore/storage/tables/mirror_table.h"
#include "kvstore/storage/tables/namespace_table.h"
#include "kvstore/storage/tables/upload_table.h"
#include "kvstore/storage/tables/usage_table.h"
#include "kvstore/storage/write/change_feed.h"
#include "kvstore/storage/write/write_group.h"
#include "kvstore/storage/write/writer.h"
#include "proto/base/clock.h"

namespace edged::storage {

// The parts in the order in which they are made; they end in the opposite order.
struct StoreParts {
  SystemClock system_clock;
  std::unique_ptr<DirectoryLock> lock;
  std::optional<DiskGuard> guard;
  std::optional<StoreClock> clock;
  DroppedPrefixes dropped;
  std::shared_ptr<TtlFilterFactory> filter;
  std::unique_ptr<Database> database;
  UsageTable usage;
  std::optional<NamespaceTable> namespaces;
  std::optional<HotCache> hot;
  MirrorTable mirrors;
  std::optional<EntryReader> reader;
  std::optional<LeaseTable> leases;
  UploadTable uploads;
  std::optional<WriteContext> context;
  std::optional<ChangeFeed> feed;
  std::unique_ptr<MarkFile> mark_file;
  std::optional<Writer> writer;
  std::optional<Checkpoints> checkpoints;
  std::optional<Reclaimer> reclaimer;
};

}  // namespace edged::storage
