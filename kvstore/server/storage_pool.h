// SPDX-License-Identifier: Apache-2.0
// A fixed number of threads for work that waits on the disk. Owners (connections) take turns, so
// that one with much to do does not make the others wait. Bounded. The destructor finishes what is
// queued. Any thread may post.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

namespace edged::server {

class StoragePool {
 public:
  using Task = std::function<void()>;
  using Owner = const void*;  // only compared

  StoragePool(std::size_t threads, std::size_t queue_max);
  ~StoragePool();
  StoragePool(const StoragePool&) = delete;
  StoragePool& operator=(const StoragePool&) = delete;

  // False, and `task` is dropped, if the queue is full. An owner that has little queued is let in
  // beyond that.
  bool post(Owner owner, Task task);
  // For the few tasks that finish or free what is under way: never refused.
  void post_always(Task task);

 private:
  void push(Owner owner, Task task);
  void work();

  const std::size_t queue_max_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::unordered_map<Owner, std::deque<Task>> queues_;  // guarded by mutex_; none is empty
  std::deque<Owner> turns_;                             // guarded by mutex_; owners with a queue
  std::size_t queued_ = 0;                              // guarded by mutex_
  bool stopping_ = false;                               // guarded by mutex_
  std::vector<std::thread> threads_;
};

}  // namespace edged::server
