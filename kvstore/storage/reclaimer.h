// SPDX-License-Identifier: Apache-2.0
// Gives the disk of expired entries back, on an idle node too: RocksDB calls a compaction filter
// only when something else makes it compact. An own thread looks at what each file says about
// expiry and compacts those with something to drop; it also flushes a memtable that holds expired
// entries. Once a second it ticks the store's clock and refreshes the mark.
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

#include "kvstore/storage/database.h"
#include "kvstore/storage/store_clock.h"
#include "kvstore/storage/ttl_filter.h"
#include "kvstore/storage/writer.h"

namespace edged::storage {

class Reclaimer {
 public:
  struct Options {
    std::chrono::milliseconds grace{};
    std::chrono::milliseconds interval{};
  };

  // All references must outlive this object.
  Reclaimer(Database& database,
            Writer& writer,
            StoreClock& clock,
            std::shared_ptr<const TtlFilterFactory> filter,
            Options options);
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
  void run_round();
  void flush_expired(std::int64_t cutoff_ms);
  std::optional<Candidate> worst_file(std::int64_t cutoff_ms, bool idle);
  void compact(const Candidate& file);
  bool stopping() const;

  Database& database_;
  Writer& writer_;
  StoreClock& clock_;
  const std::shared_ptr<const TtlFilterFactory> filter_;
  const Options options_;
  std::uint64_t writes_seen_ = 0;
  std::set<std::string> fruitless_;  // identities whose compaction dropped nothing; bounded

  mutable std::mutex mutex_;  // guards stop_
  std::condition_variable wake_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace edged::storage
