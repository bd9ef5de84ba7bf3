// SPDX-License-Identifier: Apache-2.0
// The writer thread: queue, groups, acknowledgement.
#include "kvstore/storage/writer.h"

#include <algorithm>
#include <condition_variable>
#include <future>
#include <utility>

#include "kvstore/storage/rocks_status.h"
#include "proto/base/log.h"

namespace edged::storage {
namespace {

// A group stops growing here: the last to join would make the first wait, and who comes next waits
// for the group. One that is synced may be larger, for the sync costs as much as many operations.
constexpr std::size_t kGroupOperations = 32;
constexpr std::size_t kSyncedGroupOperations = 256;
// An owner's turn: so many of its writes are answered together.
constexpr std::size_t kTurnWrites = 4;
constexpr std::size_t kGroupBytes = 8 * 1024 * 1024;
constexpr std::size_t kOperationOverheadBytes = 200;  // the structs and the batch's own bytes

std::size_t payload_bytes(const Write& write) {
  std::size_t bytes = 0;
  for (const Operation& operation : write.operations) {
    bytes += edged::storage::payload_bytes(operation);
  }
  return bytes;
}

// Whether the write takes space, rather than giving it back.
bool grows(const Write& write) {
  return std::any_of(write.operations.begin(), write.operations.end(), [](const Operation& op) {
    return !std::holds_alternative<Delete>(op) && !std::holds_alternative<Check>(op);
  });
}

}  // namespace

Writer::Writer(Parts parts, Version last_version, Limits limits)
    : parts_(parts), limits_(limits), queue_(kTurnWrites), last_version_(last_version) {
  acknowledge(true, last_version);  // opening put everything recovered into synced table files
  thread_ = std::thread([this] { loop(); });
}

Writer::~Writer() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  wake_.notify_one();
  thread_.join();
  close_marks();
}

Status Writer::admit(const Write& write, std::size_t bytes) const {
  const std::size_t operations = write.operations.size();
  if (operations == 0 || operations > kOperationsPerWriteMax) {
    return Status(Code::kInvalidArgument, "a write must have 1 to 10000 operations");
  }
  if (write.mirror) {
    Status mark = check_mark(*write.mirror, write.atomic);
    if (!mark.ok()) return mark;
  }
  if (write.atomic && bytes > kAtomicBytesMax) {
    return Status(Code::kTooLarge, "an atomic write must have at most 8 MiB");
  }
  if (bytes + operations * kOperationOverheadBytes > limits_.bytes_max) {
    return Status(Code::kTooLarge, "write is larger than the write queue");
  }
  if (parts_.guard.refuses() && grows(write)) {
    return Status(Code::kDiskFull, parts_.guard.reason());
  }
  return Status();
}

void Writer::submit(Write write, WriteCallback done) {
  const std::size_t bytes = payload_bytes(write);
  Status refused = admit(write, bytes);
  if (refused.ok()) {
    Item item;
    item.bytes = bytes + write.operations.size() * kOperationOverheadBytes;
    item.write = std::move(write);
    item.done = done;
    refused = enqueue(std::move(item));
  }
  if (!refused.ok()) done(std::move(refused));
}

Status Writer::stage(Stage stage, std::size_t bytes) {
  auto promise = std::make_shared<std::promise<Status>>();
  auto future = promise->get_future();
  Item item;
  item.stage = std::move(stage);
  item.staged = [promise](Status status) { promise->set_value(std::move(status)); };
  item.bytes = bytes;
  Status refused = enqueue(std::move(item));
  return refused.ok() ? future.get() : refused;
}

bool Writer::run(std::function<void(Version&)> task) {
  std::promise<void> done;
  Item item;
  item.task = [&] {
    task(last_version_);
    done.set_value();
  };
  if (!enqueue(std::move(item)).ok()) return false;
  done.get_future().wait();
  return true;
}

// What must not be lost for want of room, tasks and stages, is always taken: those who ask for them
// wait for the answer, so they are few.
Status Writer::enqueue(Item item) {
  const std::lock_guard lock(mutex_);
  if (closing_) return Status(Code::kUnavailable, "store is closing");
  const std::size_t operations = item.write.operations.size();
  const bool full = queued_operations_ + operations > limits_.operations_max ||
                    queued_bytes_ + item.bytes > limits_.bytes_max;
  if (operations != 0 && queued_operations_ != 0 && full) {
    return Status(Code::kBusy, "write queue is full");
  }
  queued_operations_ += operations;
  queued_bytes_ += item.bytes;
  const void* const owner = item.write.owner;
  queue_.push(owner, std::move(item));
  wake_.notify_one();
  return Status();
}

void Writer::loop() {
  for (;;) {
    std::vector<Item> items = take_group();
    if (items.empty()) return;
    if (items.front().task) {
      items.front().task();
      acknowledge(true, last_version_);
    } else {
      write_group(items);
      core_offer_.piece_done();
    }
  }
}

// What waits, up to a group's bounds; a task comes alone. Empty: closing and nothing waits.
std::vector<Writer::Item> Writer::take_group() {
  std::unique_lock lock(mutex_);
  if (queue_.empty() && !closing_) {
    wake_.wait(lock, [this] { return closing_ || !queue_.empty(); });
    core_offer_.begin();
  }
  std::vector<Item> items;
  std::size_t operations = 0;
  std::size_t bytes = 0;
  std::size_t operations_max = kGroupOperations;
  while (!queue_.empty() && operations < operations_max && bytes < kGroupBytes) {
    if (queue_.front().task && !items.empty()) break;
    items.push_back(queue_.pop());
    operations += items.back().write.operations.size();
    bytes += items.back().bytes;
    if (items.back().task) break;
    if (items.back().write.durability == Durability::kSync) operations_max = kSyncedGroupOperations;
  }
  return items;
}

void Writer::write_group(std::vector<Item>& items) {
  WriteGroup group(parts_.context, parts_.clock.now(), last_version_);
  std::vector<Verdict> verdicts(items.size());
  bool sync = false;
  std::size_t operations = 0;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (items[i].stage) {
      verdicts[i].staged = items[i].stage(group);
    } else {
      verdicts[i].outcomes = group.add(items[i].write);
      sync = sync || items[i].write.durability == Durability::kSync;
      operations += items[i].write.operations.size();
    }
    bytes += items[i].bytes;
  }
  Status status;
  if (!group.empty()) {
    status = write_batch(group.finish(), sync);
    last_version_ = group.last_version();  // used up even if the write fails
    note_expiry(group.min_expiry_ms());
    if (status.ok()) {
      acknowledge(sync, last_version_);
      parts_.feed.publish(group.commit());
    } else {
      group.fail();
    }
    parts_.guard.note_written(bytes);
  }
  writes_.fetch_add(operations, std::memory_order_relaxed);
  {
    const std::lock_guard lock(mutex_);
    queued_operations_ -= operations;
    queued_bytes_ -= bytes;
  }
  answer(items, verdicts, status);
}

void Writer::note_expiry(std::uint64_t expiry_ms) {
  std::uint64_t earliest = min_unflushed_expiry_ms_.load();
  while (expiry_ms < earliest &&
         !min_unflushed_expiry_ms_.compare_exchange_weak(earliest, expiry_ms)) {
  }
}

void Writer::answer(std::vector<Item>& items,
                    std::vector<Verdict>& verdicts,
                    const Status& status) {
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (items[i].stage) {
      items[i].staged(status.ok() ? verdicts[i].staged : status);
    } else if (status.ok()) {
      items[i].done(std::move(verdicts[i].outcomes));
    } else {
      items[i].done(status);
    }
  }
}

Status Writer::write_batch(rocksdb::WriteBatch& batch, bool sync) {
  const auto boot = parts_.clock.mark().boot;
  if (needs_resume_ && boot >= resume_after_) {
    resume_after_ = boot + std::chrono::seconds(1);
    needs_resume_ = !parts_.database.resume();
    if (!needs_resume_) log::info("storage: the database takes writes again");
  }
  rocksdb::WriteOptions options;
  options.sync = sync;
  const auto status = parts_.database.db().Write(options, &batch);
  groups_.fetch_add(1, std::memory_order_relaxed);
  if (sync) syncs_.fetch_add(1, std::memory_order_relaxed);
  if (status.ok()) return Status();
  Status translated = from_rocksdb(status, "could not write");
  if (!std::exchange(needs_resume_, true)) log::error("storage: " + translated.message());
  return translated;
}

// Before anyone is told: the mark may only say too little.
void Writer::acknowledge(bool synced, Version last_version) {
  const std::uint64_t sequence = parts_.database.db().GetLatestSequenceNumber();
  const std::lock_guard lock(mark_mutex_);
  mark_.acknowledged_sequence = sequence;
  if (synced) mark_.synced_sequence = sequence;
  mark_.version = last_version;
  mark_.clock = parts_.clock.mark();
  parts_.mark_file.write(mark_, false);
}

void Writer::refresh_mark() {
  {
    const std::lock_guard lock(mark_mutex_);
    mark_.clock = parts_.clock.mark();
    parts_.mark_file.write(mark_, false);
    if (std::exchange(durable_sequence_, mark_.synced_sequence) == mark_.synced_sequence) return;
  }
  parts_.mark_file.sync();  // outside the lock: the writer must not wait for it
}

void Writer::close_marks() {
  const Status flushed = parts_.database.flush();
  if (!flushed.ok()) log::error("storage: " + flushed.message());
  const std::lock_guard lock(mark_mutex_);
  mark_.clean = flushed.ok();
  if (mark_.clean) mark_.synced_sequence = mark_.acknowledged_sequence;
  mark_.clock = parts_.clock.mark();
  parts_.mark_file.write(mark_, true);
}

Writer::Counts Writer::counts() const {
  return {writes_.load(std::memory_order_relaxed),
          syncs_.load(std::memory_order_relaxed),
          groups_.load(std::memory_order_relaxed)};
}

}  // namespace edged::storage
