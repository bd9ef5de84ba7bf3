// SPDX-License-Identifier: Apache-2.0
// The one thread that writes. It drains a bounded queue, whose owners take turns; what it takes
// together becomes one WriteBatch and at most one sync, and is answered after that. It also keeps
// the mark of what was acknowledged, tells watchers of changes, and runs tasks that must not
// overlap a write. submit(), stage(), run() and the counters: any thread but that one.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "kvstore/storage/change_feed.h"
#include "kvstore/storage/database.h"
#include "kvstore/storage/disk_guard.h"
#include "kvstore/storage/mark_file.h"
#include "kvstore/storage/store.h"
#include "kvstore/storage/store_clock.h"
#include "kvstore/storage/write_group.h"
#include "proto/base/thread_priority.h"
#include "proto/base/turn_queue.h"

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
  // What the writer works with. All outlive it.
  struct Parts {
    Database& database;
    const WriteContext& context;
    const StoreClock& clock;
    MarkFile& mark_file;
    DiskGuard& guard;
    ChangeFeed& feed;
  };
  // Adds to a group. An error means that it added nothing.
  using Stage = std::function<Status(WriteGroup&)>;

  // `last_version` is the last one ever given out.
  Writer(Parts parts, Version last_version, Limits limits);

  // Answers everything queued, ends the thread, and marks a clean close.
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // See Store::submit.
  void submit(Write write, WriteCallback done);

  // Runs `stage` as part of the next group and waits until that is in the kernel. `bytes` is what
  // it will add, for the queue's bound. Errors: the stage's own; kUnavailable (closing); kDiskFull;
  // kIoError.
  Status stage(Stage stage, std::size_t bytes);

  // Runs `task` on the writer thread between two groups and waits for it; it may use a version. The
  // task syncs what it writes. False, without running it, if the writer is closing.
  bool run(std::function<void(Version& last_version)> task);

  // Writes the mark again with the present node time, and syncs it if a write was synced since. Any
  // thread.
  void refresh_mark();

  // The earliest expiry written since the last call, UINT64_MAX if none: whether a flush is due.
  std::uint64_t min_unflushed_expiry_ms() const { return min_unflushed_expiry_ms_.load(); }
  void forget_unflushed_expiry() { min_unflushed_expiry_ms_.store(UINT64_MAX); }

  Counts counts() const;

 private:
  // One of write, stage and task.
  struct Item {
    Write write;
    WriteCallback done;
    Stage stage;
    std::function<void(Status)> staged;
    std::function<void()> task;
    std::size_t bytes = 0;
  };
  // What became of an item while its group was put together.
  struct Verdict {
    std::vector<WriteOutcome> outcomes;
    Status staged;
  };

  Status admit(const Write& write, std::size_t bytes) const;
  Status enqueue(Item item);
  void loop();
  std::vector<Item> take_group();
  void write_group(std::vector<Item>& items);
  Status write_batch(rocksdb::WriteBatch& batch, bool sync);
  void note_expiry(std::uint64_t expiry_ms);
  void answer(std::vector<Item>& items, std::vector<Verdict>& verdicts, const Status& status);
  void acknowledge(bool synced, Version last_version);
  void close_marks();

  const Parts parts_;
  const Limits limits_;

  mutable std::mutex mutex_;  // guards queue_ to closing_
  std::condition_variable wake_;
  TurnQueue<Item> queue_;
  std::size_t queued_operations_ = 0;  // those being written included
  std::size_t queued_bytes_ = 0;
  bool closing_ = false;

  std::mutex mark_mutex_;  // guards mark_, the file, and:
  Mark mark_;
  std::uint64_t durable_sequence_ = 0;  // the synced_sequence of the last mark that was synced

  Version last_version_;  // from here on: writer thread only
  CoreOffer core_offer_;
  bool needs_resume_ = false;
  std::chrono::milliseconds resume_after_{};  // boot time

  std::atomic<std::uint64_t> writes_{0}, syncs_{0}, groups_{0};
  std::atomic<std::uint64_t> min_unflushed_expiry_ms_{UINT64_MAX};
  std::thread thread_;
};

}  // namespace edged::storage
