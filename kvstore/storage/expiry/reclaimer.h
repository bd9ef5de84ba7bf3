// SPDX-License-Identifier: Apache-2.0
// Gives the disk of expired entries back, on an idle node too: RocksDB calls a compaction filter
// only when something else makes it compact. An own thread looks at what each file says about
// expiry and compacts those with something to drop; it also flushes a memtable that holds expired
// entries, removes large values that expired, and what cleared namespaces left. Once a second it
// ticks the store's clock, looks at the disk's free space and refreshes the mark.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>

#include "kvstore/storage/checkpoint/checkpoints.h"
#include "kvstore/storage/engine/database.h"
#include "kvstore/storage/engine/disk_guard.h"
#include "kvstore/storage/engine/store_clock.h"
#include "kvstore/storage/expiry/expired_bodies.h"
#include "kvstore/storage/expiry/ttl_filter.h"
#include "kvstore/storage/tables/dropped_prefixes.h"
#include "kvstore/storage/tables/usage_table.h"
#include "kvstore/storage/write/writer.h"

namespace edged::storage {

class Reclaimer {
 public:
  struct Options {
    std::chrono::milliseconds grace{};
    std::chrono::milliseconds interval{};
  };

  // What it works with. All outlive it.
  struct Parts {
    Database& database;
    Writer& writer;
    StoreClock& clock;
    UsageTable& usage;
    DroppedPrefixes& dropped;
    DiskGuard& guard;
    Checkpoints& checkpoints;
    std::shared_ptr<const TtlFilterFactory> filter;
  };

  Reclaimer(Parts parts, Options options);
  ~Reclaimer();
  Reclaimer(const Reclaimer&) = delete;
  Reclaimer& operator=(const Reclaimer&) = delete;

 private:
  struct Candidate {
    std::string name, smallest, largest;
    std::string identity;  // of the range and its earliest expiry: tells a file that was tried
    std::uint64_t expired_bytes = 0;
  };

  void loop();
  void tick();
  void run_round();
  void drop_ended_counts();
  void drop_prefixes();
  void flush_expired(std::int64_t cutoff_ms);
  std::optional<Candidate> worst_file(std::int64_t cutoff_ms, bool idle);
  void compact(const Candidate& file);
  bool stopping() const;

  const Parts parts_;
  const Options options_;
  ExpiredBodies expired_bodies_;
  std::uint64_t writes_seen_ = 0;
  std::set<std::string> fruitless_;  // identities whose compaction dropped nothing; bounded

  mutable std::mutex mutex_;  // guards stop_
  std::condition_variable wake_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace edged::storage
