// SPDX-License-Identifier: Apache-2.0
// See storage_pool.h.
#include "kvstore/server/storage_pool.h"

#include <algorithm>
#include <utility>

#include "proto/base/thread_priority.h"

namespace edged::server {
namespace {

// So many tasks an owner may have queued although the queue is full, up to kHardFactor times its
// bound.
constexpr std::size_t kOwnShare = 16;
constexpr std::size_t kHardFactor = 4;
// What is answered from memory goes first: its reactors serve everybody.
constexpr int kNice = 10;

}  // namespace

StoragePool::StoragePool(std::size_t threads, std::size_t queue_max)
    : queue_max_(queue_max), long_running_max_(std::max<std::size_t>(threads, 2) - 1) {
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

bool StoragePool::post(Owner owner, Length length, Task task) {
  {
    const std::lock_guard lock(mutex_);
    Lane& lane = length == Length::kShort ? short_ : long_;
    if (lane.queue.size() >= queue_max_) {
      const bool has_much = lane.queue.size_of(owner) >= kOwnShare;
      if (has_much || lane.queue.size() >= queue_max_ * kHardFactor) {
        return false;
      }
    }
    lane.queue.push(owner, std::move(task));
  }
  changed_.notify_one();
  return true;
}

void StoragePool::post_always(Task task) {
  {
    const std::lock_guard lock(mutex_);
    long_.queue.push(nullptr, std::move(task));
  }
  changed_.notify_one();
}

// Short ones first, but for one long one at a time, so that neither starves the other.
StoragePool::Lane* StoragePool::next_lane() {
  const bool long_may = !long_.queue.empty() && long_.running < long_running_max_;
  const bool long_is_due =
      long_may && long_.running == 0 && (short_was_last_ || short_.running > 0);
  if (!short_.queue.empty() && !long_is_due) return &short_;
  return long_may ? &long_ : nullptr;
}

void StoragePool::work() {
  set_thread_nice(kNice);
  std::unique_lock lock(mutex_);
  for (;;) {
    Lane* lane = nullptr;
    changed_.wait(lock, [&] {
      lane = next_lane();
      return lane != nullptr || (stopping_ && short_.queue.empty() && long_.queue.empty());
    });
    if (lane == nullptr) {
      return;
    }
    Task task = lane->queue.pop();
    ++lane->running;
    short_was_last_ = lane == &short_;
    lock.unlock();
    task();
    task = nullptr;
    std::this_thread::yield();  // to a reactor, if it has no core
    lock.lock();
    --lane->running;
    // A long one that was not allowed may be so now; and all wait to hear that nothing is left.
    stopping_ ? changed_.notify_all() : changed_.notify_one();
  }
}

}  // namespace edged::server
