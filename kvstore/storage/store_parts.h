// SPDX-License-Identifier: Apache-2.0
// What a store on RocksDB is made of.
#pragma once

#include <memory>
#include <optional>

#include "kvstore/storage/change_feed.h"
#include "kvstore/storage/database.h"
#include "kvstore/storage/database_options.h"
#include "kvstore/storage/directory_lock.h"
#include "kvstore/storage/disk_guard.h"
#include "kvstore/storage/dropped_prefixes.h"
#include "kvstore/storage/entry_reader.h"
#include "kvstore/storage/hot_cache.h"
#include "kvstore/storage/lease_table.h"
#include "kvstore/storage/mark_file.h"
#include "kvstore/storage/mirror_table.h"
#include "kvstore/storage/namespace_table.h"
#include "kvstore/storage/reclaimer.h"
#include "kvstore/storage/ttl_filter.h"
#include "kvstore/storage/upload_table.h"
#include "kvstore/storage/usage_table.h"
#include "kvstore/storage/write_group.h"
#include "kvstore/storage/writer.h"
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
  std::optional<Reclaimer> reclaimer;
};

}  // namespace edged::storage
