// SPDX-License-Identifier: Apache-2.0
// A fixed number of threads for work that waits on the disk. Owners (connections) take turns, so
// that one with much to do does not make the others wait; and work that takes long leaves a thread
// to that which does not, so that a GET never waits for lists and uploads. Bounded. The destructor
// finishes what is queued. Any thread may post.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "proto/base/turn_queue.h"

namespace edged::server {

class StoragePool {
 public:
  using Task = std::function<void()>;
  using Owner = TurnQueue<Task>::Owner;
  // kLong: pages of keys, many keys, parts of large values, uploads.
  enum class Length { kShort, kLong };

  StoragePool(std::size_t threads, std::size_t queue_max);
  ~StoragePool();
  StoragePool(const StoragePool&) = delete;
  StoragePool& operator=(const StoragePool&) = delete;

  // False, and `task` is dropped, if the queue is full. An owner that has little queued is let in
  // beyond that.
  bool post(Owner owner, Length length, Task task);
  // For the few tasks that finish or free what is under way: never refused.
  void post_always(Task task);

 private:
  struct Lane {
    TurnQueue<Task> queue;
    std::size_t running = 0;
  };

  void work();
  // The lane of the next task, null if none may run now.
  Lane* next_lane();

  const std::size_t queue_max_;
  const std::size_t long_running_max_;
  std::mutex mutex_;  // guards the rest
  std::condition_variable changed_;
  Lane short_, long_;
  bool short_was_last_ = false;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace edged::server
