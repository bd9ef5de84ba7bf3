// SPDX-License-Identifier: Apache-2.0
// The one thread that writes. It drains a bounded queue; what waits together becomes one WriteBatch
// and at most one sync, and is answered after that. It also keeps the mark of what was
// acknowledged, and runs tasks that must not overlap a write. submit() and the counters: any
// thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "kvstore/storage/database.h"
#include "kvstore/storage/mark_file.h"
#include "kvstore/storage/namespace_table.h"
#include "kvstore/storage/store.h"
#include "kvstore/storage/store_clock.h"

namespace edged::storage {

class Writer {
 public:
  struct Limits {
    std::size_t operations_max = 0;
    std::size_t bytes_max = 0;
  };
  struct Counts {
    std::uint64_t writes = 0, syncs = 0, groups = 0;
  };

  // All references must outlive this object. `last_version` is the last one ever given out.
  Writer(Database& database,
         const NamespaceTable& namespaces,
         const StoreClock& clock,
         MarkFile& mark_file,
         Version last_version,
         Limits limits);

  // Answers everything queued, ends the thread, and marks a clean close.
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // See Store::submit.
  void submit(Write write, WriteCallback done);

  // Runs `task` on the writer thread between two groups and waits for it. The task syncs what it
  // writes. False, without running it, if the writer is closing. Not to be called on that thread.
  bool run(std::function<void()> task);

  // Writes the mark again with the present node time. Any thread.
  void refresh_mark();

  // The earliest expiry written since the last call, UINT64_MAX if none: whether a flush is due.
  std::uint64_t min_unflushed_expiry_ms() const { return min_unflushed_expiry_ms_.load(); }
  void forget_unflushed_expiry() { min_unflushed_expiry_ms_.store(UINT64_MAX); }

  Counts counts() const;

 private:
  struct Item {
    Write write;
    WriteCallback done;
    std::function<void()> task;  // instead of a write
    std::size_t bytes = 0;
  };

  void loop();
  std::deque<Item> take_group();
  void write_group(std::deque<Item>& items);
  Status write_batch(rocksdb::WriteBatch& batch, bool sync);
  void acknowledge(bool synced, Version last_version);
  void close_marks();

  Database& database_;
  const NamespaceTable& namespaces_;
  const StoreClock& clock_;
  MarkFile& mark_file_;
  const Limits limits_;

  mutable std::mutex mutex_;  // guards queue_ to closing_
  std::condition_variable wake_;
  std::deque<Item> queue_;
  std::size_t queued_operations_ = 0;  // those being written included
  std::size_t queued_bytes_ = 0;
  bool closing_ = false;

  std::mutex mark_mutex_;  // guards mark_ and the file
  Mark mark_;

  Version last_version_;  // writer thread only
  bool needs_resume_ = false;
  std::chrono::milliseconds resume_after_{};  // boot time

  std::atomic<std::uint64_t> writes_{0}, syncs_{0}, groups_{0};
  std::atomic<std::uint64_t> min_unflushed_expiry_ms_{UINT64_MAX};
  std::thread thread_;
};

}  // namespace edged::storage
