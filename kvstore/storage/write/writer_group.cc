// SPDX-License-Identifier: Apache-2.0
// How a group is put together, written and answered, on whichever thread may write.
#include <algorithm>
#include <utility>

#include "kvstore/storage/engine/rocks_status.h"
#include "kvstore/storage/write/writer.h"
#include "proto/base/log.h"

namespace edged::storage {
namespace {

bool has(const WriteSet& writes, Durability durability) {
  return std::any_of(writes.items.begin(), writes.items.end(), [durability](const auto& item) {
    return item.write.durability == durability;
  });
}

}  // namespace

// False: it has to read from disk, which `tier` does not allow.
bool Writer::put_together(Group& group, ReadTier tier) {
  group.batch = std::make_unique<WriteGroup>(
      parts_.context, *scratch_, parts_.clock.now(), last_version_, tier);
  for (Item& item : group.items) {
    if (item.stage) {
      item.staged = item.stage(*group.batch);
      continue;
    }
    for (WriteSet::Item& one : item.writes->items) {
      if (one.status.ok()) one.outcomes = group.batch->add(one.write);
      if (group.batch->needs_disk()) {
        group.batch.reset();
        return false;
      }
    }
  }
  return true;
}

// False, and nothing is written: it would have to wait, and `may_wait` is false.
bool Writer::write(Group& group, bool may_wait) {
  if (!group.batch && !put_together(group, may_wait ? ReadTier::kDisk : ReadTier::kMemory)) {
    return false;
  }
  Status status;
  if (!group.batch->empty()) {
    if (group.ready == nullptr) group.ready = &group.batch->finish();
    if (!write_batch(group, may_wait, status)) return false;
    last_version_ = group.batch->last_version();  // used up even if the write failed
    note_expiry(group.batch->min_expiry_ms());
    if (status.ok()) {
      acknowledge(group.sync);
      parts_.feed.publish(group.batch->commit());
    } else {
      group.batch->fail();
    }
    parts_.guard.note_written(group.bytes);
  }
  writes_.fetch_add(group.operations, std::memory_order_relaxed);
  {
    const std::lock_guard lock(mutex_);
    queued_operations_ -= group.operations;
    queued_bytes_ -= group.bytes;
  }
  for (Item& item : group.items) {
    if (item.stage) {
      item.on_staged(status.ok() ? item.staged : status);
      continue;
    }
    if (!status.ok()) fail(*item.writes, status);
    answer(*item.writes);
  }
  return true;
}

bool Writer::write_batch(const Group& group, bool may_wait, Status& status) {
  if (needs_resume_) {
    if (!may_wait) return false;
    const auto boot = parts_.clock.mark().boot;
    if (boot >= resume_after_) {
      resume_after_ = boot + std::chrono::seconds(1);
      needs_resume_ = !parts_.database.resume();
      if (!needs_resume_) log::info("storage: the database takes writes again");
    }
  }
  rocksdb::WriteOptions options;
  options.no_slowdown = !may_wait;
  options.sync = group.sync;
  const auto written = parts_.database.db().Write(options, group.ready);
  if (written.IsIncomplete()) return false;
  groups_.fetch_add(1, std::memory_order_relaxed);
  if (group.sync) syncs_.fetch_add(1, std::memory_order_relaxed);
  if (written.ok()) return true;
  status = from_rocksdb(written, "could not write");
  if (!std::exchange(needs_resume_, true)) log::error("storage: " + status.message());
  return true;
}

void Writer::fail(WriteSet& writes, const Status& status) {
  for (WriteSet::Item& item : writes.items) {
    if (item.status.ok()) item.status = status;
  }
}

void Writer::answer(WriteSet& writes) {
  for (const Durability durability : {Durability::kWal, Durability::kSync}) {
    if (has(writes, durability)) writes.done(durability);
  }
}

void Writer::note_expiry(std::uint64_t expiry_ms) {
  std::uint64_t earliest = min_unflushed_expiry_ms_.load();
  while (expiry_ms < earliest &&
         !min_unflushed_expiry_ms_.compare_exchange_weak(earliest, expiry_ms)) {
  }
}

// Before anyone is told: the mark may only say too little. `synced`: everything is on disk.
void Writer::acknowledge(bool synced) {
  const std::uint64_t sequence = parts_.database.db().GetLatestSequenceNumber();
  const std::lock_guard lock(mark_mutex_);
  mark_.acknowledged_sequence = sequence;
  if (synced) mark_.synced_sequence = sequence;
  mark_.version = last_version_;
  mark_.clock = parts_.clock.mark();
  parts_.mark_file.write(mark_, false);
}

}  // namespace edged::storage
