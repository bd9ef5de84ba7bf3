// SPDX-License-Identifier: Apache-2.0
// Writes, one group at a time: what waits becomes one WriteBatch, and is answered after that. There
// is no thread in the common case: commit() writes on the caller's, and takes along what others
// have handed in meanwhile, who do not wait. What has to wait for the disk is the writer thread's:
// a group that must be synced or read a record from disk, one for which the engine has no room yet,
// parts of the store that write, and tasks that must not overlap a write. Order: as handed in,
// whoever writes. docs/adr/0006-shares-and-turns.md. All public methods: any thread; the destructor
// when nobody else calls one any more.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "kvstore/storage/engine/database.h"
#include "kvstore/storage/engine/disk_guard.h"
#include "kvstore/storage/engine/store_clock.h"
#include "kvstore/storage/format/mark_file.h"
#include "kvstore/storage/store.h"
#include "kvstore/storage/write/change_feed.h"
#include "kvstore/storage/write/write_group.h"
#include "proto/base/thread_priority.h"

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

  // Answers everything queued, ends the threads, and marks a clean close.
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // See Store::submit and Store::commit.
  void submit(Write write, WriteCallback done);
  void commit(std::shared_ptr<WriteSet> writes);

  // Runs `stage` as part of the next group and waits until that is in the kernel. `bytes` is what
  // it will add, for the queue's bound. Errors: the stage's own; kUnavailable (closing); kDiskFull;
  // kIoError.
  Status stage(Stage stage, std::size_t bytes);

  // Runs `task` on the writer thread between two groups and waits for it; it may use a version. The
  // task syncs what it writes. False, without running it, if the writer is closing.
  bool run(std::function<void(Version& last_version)> task);

  // Writes the mark again with the present node time, and syncs it if a write was synced since.
  void refresh_mark();

  // The earliest expiry written since the last call, UINT64_MAX if none: whether a flush is due.
  std::uint64_t min_unflushed_expiry_ms() const { return min_unflushed_expiry_ms_.load(); }
  void forget_unflushed_expiry() { min_unflushed_expiry_ms_.store(UINT64_MAX); }

  Counts counts() const;

 private:
  // One of writes, stage and task.
  struct Item {
    std::shared_ptr<WriteSet> writes;
    Stage stage;
    Status staged;
    std::function<void(const Status&)> on_staged;
    std::function<void()> task;
    std::size_t operations = 0;
    std::size_t bytes = 0;
    bool sync = false;
  };
  // The items of one WriteBatch.
  struct Group {
    std::vector<Item> items;
    std::unique_ptr<WriteGroup> batch;     // null: still to be put together
    rocksdb::WriteBatch* ready = nullptr;  // its, once it is finished
    std::size_t operations = 0;
    std::size_t bytes = 0;
    bool sync = false;
  };
  // Who may write now: the thread that set kWriting, or the writer thread once it sees kHandedOver.
  enum class State : std::uint8_t { kIdle, kWriting, kHandedOver };

  // Who writes when: writer.cc.
  Status admit(const Write& write, std::size_t bytes) const;
  void take(std::shared_ptr<WriteSet> writes, bool here);
  Status enqueue(Item item, bool here);
  void write_here();
  void hand_over();
  void loop();
  Group take_group(bool may_wait);

  // How a group is written: writer_group.cc.
  bool put_together(Group& group, ReadTier tier);
  bool write(Group& group, bool may_wait);
  bool write_batch(const Group& group, bool may_wait, Status& status);
  static void fail(WriteSet& writes, const Status& status);
  static void answer(WriteSet& writes);
  void note_expiry(std::uint64_t expiry_ms);
  void acknowledge(bool synced);
  void close_marks();

  const Parts parts_;
  const Limits limits_;

  mutable std::mutex mutex_;  // guards all up to closing_
  std::condition_variable wake_;
  std::deque<Item> queue_;
  std::size_t queued_operations_ = 0;  // those being written included
  std::size_t queued_bytes_ = 0;
  State state_ = State::kIdle;
  bool thread_wanted_ = false;        // something was queued by somebody who does not write it
  std::optional<Group> handed_over_;  // first of all: what could not be written without waiting
  bool closing_ = false;

  std::mutex mark_mutex_;  // guards mark_, the file, and:
  Mark mark_;
  std::uint64_t durable_sequence_ = 0;  // the synced_sequence of the last mark that was synced

  Version last_version_;  // from here on: whoever may write
  const std::unique_ptr<WriteScratch> scratch_ = std::make_unique<WriteScratch>();
  bool needs_resume_ = false;
  std::chrono::milliseconds resume_after_{};  // boot time

  CoreOffer core_offer_;  // writer thread only
  std::atomic<std::uint64_t> writes_{0}, syncs_{0}, groups_{0};
  std::atomic<std::uint64_t> min_unflushed_expiry_ms_{UINT64_MAX};
  std::thread thread_;
};

}  // namespace edged::storage
