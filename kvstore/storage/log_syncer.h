// SPDX-License-Identifier: Apache-2.0
// The thread that puts the log on disk. Whoever waits for that while a sync is under way shares the
// next one. Any thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "kvstore/storage/database.h"
#include "proto/base/status.h"

namespace edged::storage {

class LogSyncer {
 public:
  // Whether what was written before it was added is on disk. If not, nobody can tell: it may be
  // there after a power cut or not. On the syncer's thread; must not block.
  using Answer = std::function<void(const Status&)>;

  // `on_sync` is told the outcome of each sync before its answers are given, and the last sequence
  // number that is then on disk. The database outlives the syncer.
  LogSyncer(Database& database, std::function<void(const Status&, std::uint64_t sequence)> on_sync);
  // Syncs for all who wait.
  ~LogSyncer();
  LogSyncer(const LogSyncer&) = delete;
  LogSyncer& operator=(const LogSyncer&) = delete;

  // After what is waited for was written.
  void add(Answer answer);

  std::uint64_t syncs() const { return syncs_.load(std::memory_order_relaxed); }

 private:
  void loop();

  Database& database_;
  const std::function<void(const Status&, std::uint64_t)> on_sync_;
  std::mutex mutex_;  // guards waiting_ and closing_
  std::condition_variable wake_;
  std::vector<Answer> waiting_;
  bool closing_ = false;
  std::atomic<std::uint64_t> syncs_{0};
  std::thread thread_;
};

}  // namespace edged::storage
