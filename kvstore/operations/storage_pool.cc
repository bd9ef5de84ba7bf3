// SPDX-License-Identifier: Apache-2.0
// See storage_pool.h.
#include "kvstore/operations/storage_pool.h"

#include <algorithm>
#include <utility>

#include "proto/base/thread_priority.h"

namespace edged::operations {
namespace {

// So many tasks an owner may have queued although the queue is full, up to kHardFactor times its
// bound.
constexpr std::size_t kOwnShare = 16;
constexpr std::size_t kHardFactor = 4;
// What takes long gives way to what everybody waits for.
constexpr int kNiceOfLong = 10;

}  // namespace

StoragePool::StoragePool(std::size_t threads, std::size_t queue_max) : queue_max_(queue_max) {
  for (std::size_t i = 0; i < std::max<std::size_t>(threads, 1); ++i) {
    threads_.emplace_back([this] { work(short_); });
  }
  for (std::size_t i = 1; i < std::max<std::size_t>(threads, 2); ++i) {
    threads_.emplace_back([this] {
      set_thread_nice(kNiceOfLong);
      work(long_);
    });
  }
}

StoragePool::~StoragePool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  short_.changed.notify_all();
  long_.changed.notify_all();
  for (std::thread& thread : threads_) {
    thread.join();
  }
}

bool StoragePool::post(Owner owner, Length length, Task task) {
  Lane& lane = length == Length::kShort ? short_ : long_;
  {
    const std::lock_guard lock(mutex_);
    if (lane.queue.size() >= queue_max_) {
      const bool has_much = lane.queue.size_of(owner) >= kOwnShare;
      if (has_much || lane.queue.size() >= queue_max_ * kHardFactor) {
        return false;
      }
    }
    lane.queue.push(owner, std::move(task));
  }
  lane.changed.notify_one();
  return true;
}

void StoragePool::post_always(Owner owner, Task task) {
  {
    const std::lock_guard lock(mutex_);
    long_.queue.push(owner, std::move(task));
  }
  long_.changed.notify_one();
}

void StoragePool::work(Lane& lane) {
  CoreOffer core_offer;
  std::unique_lock lock(mutex_);
  for (;;) {
    if (!stopping_ && lane.queue.empty()) {
      lane.changed.wait(lock, [&] { return stopping_ || !lane.queue.empty(); });
      core_offer.begin();
    }
    if (lane.queue.empty()) {
      return;
    }
    Task task = lane.queue.pop();
    lock.unlock();
    task();
    task = nullptr;
    core_offer.piece_done();
    lock.lock();
  }
}

}  // namespace edged::operations
