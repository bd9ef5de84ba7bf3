// SPDX-License-Identifier: Apache-2.0
// The cursors of SCAN. A cursor is a number that stands for the last key that was answered. Any
// client may use it on any connection. A bounded number of cursors is kept; the oldest is
// forgotten, and using it is an error. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "kvstore/storage/store.h"

namespace edged::redis {

class ScanCursors {
 public:
  static constexpr std::size_t kCursorsMax = 4096;

  // `first` makes numbers of an earlier run of the node unknown to this one.
  explicit ScanCursors(std::uint64_t first) : next_(first) {}

  std::uint64_t keep(storage::NamespaceNumber ns, std::string last_key) {
    const std::lock_guard lock(mutex_);
    const std::uint64_t number = next_++;
    cursors_.emplace(number, Cursor{ns, std::move(last_key)});
    order_.push_back(number);
    if (order_.size() > kCursorsMax) {
      cursors_.erase(order_.front());
      order_.pop_front();
    }
    return number;
  }
  // The last key that was answered. Nothing if the cursor is unknown or belongs to another
  // namespace.
  std::optional<std::string> find(std::uint64_t number, storage::NamespaceNumber ns) const {
    const std::lock_guard lock(mutex_);
    const auto found = cursors_.find(number);
    if (found == cursors_.end() || found->second.ns != ns) return std::nullopt;
    return found->second.last_key;
  }

 private:
  struct Cursor {
    storage::NamespaceNumber ns = 0;
    std::string last_key;
  };

  mutable std::mutex mutex_;
  std::unordered_map<std::uint64_t, Cursor> cursors_;
  std::deque<std::uint64_t> order_;
  std::uint64_t next_;
};

}  // namespace edged::redis
