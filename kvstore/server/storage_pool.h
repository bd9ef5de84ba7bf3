// SPDX-License-Identifier: Apache-2.0
// A fixed number of threads for work that waits on the disk, behind a bounded queue. The destructor
// finishes what is queued. Any thread may post.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace edged::server {

class StoragePool {
 public:
  StoragePool(std::size_t threads, std::size_t queue_max);
  ~StoragePool();
  StoragePool(const StoragePool&) = delete;
  StoragePool& operator=(const StoragePool&) = delete;

  // False, and `task` is dropped, if the queue is full.
  bool post(std::function<void()> task);

 private:
  void work();

  const std::size_t queue_max_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;  // guarded by mutex_
  bool stopping_ = false;                    // guarded by mutex_
  std::vector<std::thread> threads_;
};

}  // namespace edged::server
