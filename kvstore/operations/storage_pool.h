// SPDX-License-Identifier: Apache-2.0
// Threads for work that waits on the disk: some for what is short, others, which give way, for what
// takes long, so that a GET never waits for lists and uploads. Owners (connections) take turns, so
// that one with much to do does not make the others wait. Bounded. The destructor finishes what is
// queued. Any thread may post.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "proto/base/turn_queue.h"

namespace edged::operations {

class StoragePool {
 public:
  using Task = std::function<void()>;
  using Owner = TurnQueue<Task>::Owner;
  // kLong: pages of keys, many keys, parts of large values, uploads.
  enum class Length { kShort, kLong };

  // So many threads for short work, one less for long (at least one of each).
  StoragePool(std::size_t threads, std::size_t queue_max);
  ~StoragePool();
  StoragePool(const StoragePool&) = delete;
  StoragePool& operator=(const StoragePool&) = delete;

  // False, and `task` is dropped, if the queue is full. An owner that has little queued is let in
  // beyond that.
  bool post(Owner owner, Length length, Task task);
  // For the few tasks that continue, finish or free what is under way: long, and never refused.
  void post_always(Owner owner, Task task);

 private:
  struct Lane {
    TurnQueue<Task> queue;
    std::condition_variable changed;
  };

  void work(Lane& lane);

  const std::size_t queue_max_;
  std::mutex mutex_;  // guards the rest
  Lane short_, long_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace edged::operations
