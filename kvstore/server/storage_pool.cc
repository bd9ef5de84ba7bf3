// SPDX-License-Identifier: Apache-2.0
// See storage_pool.h.
#include "kvstore/server/storage_pool.h"

#include <algorithm>
#include <utility>

namespace edged::server {
namespace {

// So many tasks an owner may have queued although the queue is full, up to kHardFactor times its
// bound.
constexpr std::size_t kOwnShare = 16;
constexpr std::size_t kHardFactor = 4;

}  // namespace

StoragePool::StoragePool(std::size_t threads, std::size_t queue_max) : queue_max_(queue_max) {
  for (std::size_t i = 0; i < std::max<std::size_t>(threads, 1); ++i) {
    threads_.emplace_back([this] { work(); });
  }
}

StoragePool::~StoragePool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) {
    thread.join();
  }
}

bool StoragePool::post(Owner owner, Task task) {
  {
    const std::lock_guard lock(mutex_);
    if (queued_ >= queue_max_) {
      const auto own = queues_.find(owner);
      const bool has_much = own != queues_.end() && own->second.size() >= kOwnShare;
      if (has_much || queued_ >= queue_max_ * kHardFactor) {
        return false;
      }
    }
    push(owner, std::move(task));
  }
  changed_.notify_one();
  return true;
}

void StoragePool::post_always(Task task) {
  {
    const std::lock_guard lock(mutex_);
    push(nullptr, std::move(task));
  }
  changed_.notify_one();
}

void StoragePool::push(Owner owner, Task task) {
  std::deque<Task>& queue = queues_[owner];
  if (queue.empty()) {
    turns_.push_back(owner);
  }
  queue.push_back(std::move(task));
  ++queued_;
}

void StoragePool::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || queued_ > 0; });
    if (queued_ == 0) {
      return;
    }
    const Owner owner = turns_.front();
    turns_.pop_front();
    const auto own = queues_.find(owner);
    Task task = std::move(own->second.front());
    own->second.pop_front();
    --queued_;
    if (own->second.empty()) {
      queues_.erase(own);
    } else {
      turns_.push_back(owner);
    }
    lock.unlock();
    task();
    task = nullptr;
    lock.lock();
  }
}

}  // namespace edged::server
