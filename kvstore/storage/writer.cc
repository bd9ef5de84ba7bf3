// SPDX-License-Identifier: Apache-2.0
// The writer thread: queue, groups, acknowledgement.
#include "kvstore/storage/writer.h"

#include <algorithm>
#include <condition_variable>
#include <utility>

#include "kvstore/storage/rocks_status.h"
#include "kvstore/storage/write_group.h"
#include "proto/base/check.h"
#include "proto/base/log.h"

namespace edged::storage {
namespace {

constexpr std::size_t kOperationsPerWriteMax = 10'000;
// A group stops growing here: the last to join would make the first wait.
constexpr std::size_t kGroupOperations = 4096;
constexpr std::size_t kGroupBytes = 8 * 1024 * 1024;
constexpr std::size_t kOperationOverheadBytes = 200;  // the structs and the batch's own bytes

std::size_t bytes_of(const Write& write) {
  std::size_t bytes = 0;
  for (const Operation& operation : write.operations) {
    bytes += kOperationOverheadBytes;
    if (const auto* put = std::get_if<Put>(&operation)) {
      bytes += put->key.size() + put->value.size() + put->metadata.size();
    } else {
      bytes += std::get<Delete>(operation).key.size();
    }
  }
  return bytes;
}

}  // namespace

Writer::Writer(Database& database,
               const NamespaceTable& namespaces,
               const StoreClock& clock,
               MarkFile& mark_file,
               Version last_version,
               Limits limits)
    : database_(database),
      namespaces_(namespaces),
      clock_(clock),
      mark_file_(mark_file),
      limits_(limits),
      last_version_(last_version) {
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

void Writer::submit(Write write, WriteCallback done) {
  const std::size_t operations = write.operations.size();
  const std::size_t bytes = bytes_of(write);
  Status refusal;
  if (operations == 0 || operations > kOperationsPerWriteMax) {
    refusal = Status(Code::kInvalidArgument, "a write must have 1 to 10000 operations");
  } else if (bytes > limits_.bytes_max) {
    refusal = Status(Code::kTooLarge, "write is larger than the write queue");
  } else {
    const std::lock_guard lock(mutex_);
    if (closing_) {
      refusal = Status(Code::kUnavailable, "store is closing");
    } else if (queued_operations_ != 0 &&
               (queued_operations_ + operations > limits_.operations_max ||
                queued_bytes_ + bytes > limits_.bytes_max)) {
      refusal = Status(Code::kBusy, "write queue is full");
    } else {
      queued_operations_ += operations;
      queued_bytes_ += bytes;
      queue_.push_back({std::move(write), std::move(done), nullptr, bytes});
      wake_.notify_one();
    }
  }
  if (!refusal.ok()) done(std::move(refusal));
}

bool Writer::run(std::function<void()> task) {
  std::mutex done_mutex;
  std::condition_variable done_wake;
  bool done = false;
  Item item;
  item.task = [&] {
    task();
    const std::lock_guard lock(done_mutex);
    done = true;
    done_wake.notify_one();
  };
  {
    const std::lock_guard lock(mutex_);
    if (closing_) return false;
    queue_.push_back(std::move(item));
  }
  wake_.notify_one();
  std::unique_lock lock(done_mutex);
  done_wake.wait(lock, [&] { return done; });
  return true;
}

void Writer::loop() {
  for (;;) {
    std::deque<Item> items = take_group();
    if (items.empty()) return;
    if (items.front().task) {
      items.front().task();
      acknowledge(true, last_version_);
    } else {
      write_group(items);
    }
  }
}

// What waits, up to a group's bounds; a task comes alone. Empty: closing and nothing waits.
std::deque<Writer::Item> Writer::take_group() {
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [this] { return closing_ || !queue_.empty(); });
  std::deque<Item> items;
  std::size_t operations = 0;
  std::size_t bytes = 0;
  while (!queue_.empty() && operations < kGroupOperations && bytes < kGroupBytes) {
    if (queue_.front().task && !items.empty()) break;
    operations += queue_.front().write.operations.size();
    bytes += queue_.front().bytes;
    items.push_back(std::move(queue_.front()));
    queue_.pop_front();
    if (items.back().task) break;
  }
  return items;
}

void Writer::write_group(std::deque<Item>& items) {
  WriteGroup group(database_, namespaces_, clock_.now(), last_version_);
  std::vector<std::vector<WriteOutcome>> outcomes;
  bool sync = false;
  std::size_t operations = 0;
  std::size_t bytes = 0;
  for (const Item& item : items) {
    outcomes.push_back(group.add(item.write));
    sync = sync || item.write.durability == Durability::kSync;
    operations += item.write.operations.size();
    bytes += item.bytes;
  }
  Status status;
  if (!group.empty()) {
    last_version_ = group.last_version();  // used up even if the write fails
    status = write_batch(group.finish(), sync);
    std::uint64_t earliest = min_unflushed_expiry_ms_.load();
    while (group.min_expiry_ms() < earliest &&
           !min_unflushed_expiry_ms_.compare_exchange_weak(earliest, group.min_expiry_ms())) {
    }
    if (status.ok()) acknowledge(sync, last_version_);
  }
  writes_.fetch_add(operations, std::memory_order_relaxed);
  {
    const std::lock_guard lock(mutex_);
    queued_operations_ -= operations;
    queued_bytes_ -= bytes;
  }
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (status.ok()) {
      items[i].done(std::move(outcomes[i]));
    } else {
      items[i].done(status);
    }
  }
}

Status Writer::write_batch(rocksdb::WriteBatch& batch, bool sync) {
  const auto boot = clock_.mark().boot;
  if (needs_resume_ && boot >= resume_after_) {
    resume_after_ = boot + std::chrono::seconds(1);
    needs_resume_ = !database_.resume();
    if (!needs_resume_) log::info("storage: the database takes writes again");
  }
  rocksdb::WriteOptions options;
  options.sync = sync;
  const auto status = database_.db().Write(options, &batch);
  groups_.fetch_add(1, std::memory_order_relaxed);
  if (sync) syncs_.fetch_add(1, std::memory_order_relaxed);
  if (status.ok()) return Status();
  Status translated = from_rocksdb(status, "could not write");
  if (!std::exchange(needs_resume_, true)) log::error("storage: " + translated.message());
  return translated;
}

// Before anyone is told: the mark may only say too little.
void Writer::acknowledge(bool synced, Version last_version) {
  const std::uint64_t sequence = database_.db().GetLatestSequenceNumber();
  const std::lock_guard lock(mark_mutex_);
  mark_.acknowledged_sequence = sequence;
  if (synced) mark_.synced_sequence = sequence;
  mark_.version = last_version;
  mark_.clock = clock_.mark();
  mark_file_.write(mark_, false);
}

void Writer::refresh_mark() {
  const std::lock_guard lock(mark_mutex_);
  mark_.clock = clock_.mark();
  mark_file_.write(mark_, false);
}

void Writer::close_marks() {
  const Status flushed = database_.flush();
  if (!flushed.ok()) log::error("storage: " + flushed.message());
  const std::lock_guard lock(mark_mutex_);
  mark_.clean = flushed.ok();
  if (mark_.clean) mark_.synced_sequence = mark_.acknowledged_sequence;
  mark_.clock = clock_.mark();
  mark_file_.write(mark_, true);
}

Writer::Counts Writer::counts() const {
  return {writes_.load(std::memory_order_relaxed),
          syncs_.load(std::memory_order_relaxed),
          groups_.load(std::memory_order_relaxed)};
}

}  // namespace edged::storage
