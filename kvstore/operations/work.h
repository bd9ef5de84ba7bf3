// SPDX-License-Identifier: Apache-2.0
// The work of all faces that waits for the disk or for the store's writer: the storage pool, and
// the count of what is under way, which is what overload is judged by. Any thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

#include "kvstore/operations/storage_pool.h"

namespace edged::operations {

struct WorkOptions {
  std::size_t storage_threads = 2;
  std::size_t storage_queue_max = 4096;
  // With more requests than this waiting for the writer or the disk the node is overloaded.
  std::size_t under_way_max = 8192;
};

// Requests that wait for the writer or the disk. Shared with their callbacks, which the store may
// call after Work is gone.
class UnderWayCount {
 public:
  void begin() { count_.fetch_add(1); }
  void end() { count_.fetch_sub(1); }
  std::size_t value() const { return count_.load(); }

 private:
  std::atomic<std::size_t> count_{0};
};

class Work {
 public:
  using Owner = StoragePool::Owner;
  using Length = StoragePool::Length;
  using Task = StoragePool::Task;

  explicit Work(const WorkOptions& options)
      : under_way_max_(options.under_way_max),
        under_way_(std::make_shared<UnderWayCount>()),
        pool_(options.storage_threads, options.storage_queue_max) {}

  // True while so much waits that requests are to be refused.
  bool overloaded() const { return under_way_->value() > under_way_max_; }
  const std::shared_ptr<UnderWayCount>& under_way() const { return under_way_; }
  StoragePool& pool() { return pool_; }

  // Counts `task` as under way; it must say under_way()->end() when it knows its answer. False, and
  // nothing is under way, if the queue is full.
  bool post(Owner owner, Length length, Task task) {
    under_way_->begin();
    if (pool_.post(owner, length, std::move(task))) return true;
    under_way_->end();
    return false;
  }

 private:
  const std::size_t under_way_max_;
  const std::shared_ptr<UnderWayCount> under_way_;
  StoragePool pool_;  // last: its threads use the members above
};

}  // namespace edged::operations
