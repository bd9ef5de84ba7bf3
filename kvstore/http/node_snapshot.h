// SPDX-License-Identifier: Apache-2.0
// The node's figures at one moment, as the dashboard's page gets them: a JSON object with the
// figures of /metrics, summed over what the page does not tell apart, and with the use of each
// namespace. Counters count since the start of the node; the page makes rates of two snapshots.
//   {"now": 1764530000000,            Unix time in milliseconds
//    "engine": "rocksdb 9.10.0",
//    "figures": {"edged_storage_keys": 12, …},         the metrics without labels, by name
//    "requests": {"GET": 17, …}, "faces": {"binary": 17, …}, "classes": {"answered": 17, …},
//    "keys": {"hit": 9, "miss": 8},
//    "latency": {"bounds": [0.00005, …], "counts": {"binary": [1, 5, …], …}},   see below
//    "mirrors": {"0f2a…": 0.25},                       seconds of staleness by namespace id
//    "namespaces_total": 2,
//    "namespaces": [{"id", "title", "keys", "bytes", "ttl": [keys in each band]}, …]}
// A latency count is that of the requests between two bounds, not cumulated; the last has no upper
// bound. Namespaces: those with the most bytes, at most kSnapshotNamespaces. The bands of "ttl": at
// most a minute left, an hour, a day, a week, 30 days, longer, never expires. Any thread.
#pragma once

#include <cstddef>
#include <string>

#include "kvstore/storage/store.h"
#include "proto/base/clock.h"
#include "proto/base/metrics.h"

namespace edged::kv_http {

inline constexpr std::size_t kSnapshotNamespaces = 100;

// Renders the registry, hence not to be called by one of its metrics.
std::string render_snapshot(const MetricsRegistry& metrics,
                            const storage::Store& store,
                            const Clock& clock);

}  // namespace edged::kv_http
