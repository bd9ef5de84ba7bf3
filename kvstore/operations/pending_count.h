// SPDX-License-Identifier: Apache-2.0
// Counts what is under way, for a destructor that has to wait for its end. Any thread.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>

namespace edged::operations {

class PendingCount {
 public:
  void begin() {
    const std::lock_guard lock(mutex_);
    ++count_;
  }
  // Must be the last thing that the caller does with the owner, which may be gone afterwards.
  void end() {
    const std::lock_guard lock(mutex_);
    if (--count_ == 0) none_.notify_all();
  }
  void wait_for_none() {
    std::unique_lock lock(mutex_);
    none_.wait(lock, [this] { return count_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable none_;
  std::size_t count_ = 0;
};

}  // namespace edged::operations
