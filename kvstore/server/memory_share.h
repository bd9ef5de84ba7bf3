// SPDX-License-Identifier: Apache-2.0
// What all connections of a server hold in memory together: frames that are arriving, requests and
// answers under way, answers not taken. The bounds of one connection times all connections would be
// more than a machine has; so when the total is tight each gets less, and when it is used up
// requests are refused. Any thread may ask; a share belongs to its connection's reactor.
#pragma once

#include <atomic>
#include <cstddef>

namespace edged::server {

class MemoryTotal {
 public:
  explicit MemoryTotal(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  // Connections are to hold little.
  bool tight() const { return bytes_.load(std::memory_order_relaxed) > bytes_max_ / 2; }
  // Nothing that takes memory is to be begun.
  bool used_up() const { return bytes_.load(std::memory_order_relaxed) > bytes_max_; }
  std::size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  friend class MemoryShare;
  const std::size_t bytes_max_;
  std::atomic<std::size_t> bytes_{0};
};

// One connection's part of the total.
class MemoryShare {
 public:
  // So much is everybody's due and not counted: the connections that hold little, which are most,
  // never touch the total.
  static constexpr std::size_t kFreeBytes = 64 * 1024;

  explicit MemoryShare(MemoryTotal& total) : total_(total) {}
  ~MemoryShare() { set(0); }
  MemoryShare(const MemoryShare&) = delete;
  MemoryShare& operator=(const MemoryShare&) = delete;

  void set(std::size_t bytes) {
    const std::size_t counted = bytes > kFreeBytes ? bytes : 0;
    if (counted == counted_) return;
    total_.bytes_.fetch_add(counted - counted_, std::memory_order_relaxed);  // modulo 2^64
    counted_ = counted;
  }

 private:
  MemoryTotal& total_;
  std::size_t counted_ = 0;
};

}  // namespace edged::server
