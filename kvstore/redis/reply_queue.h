// SPDX-License-Identifier: Apache-2.0
// The replies of one connection in the order of its commands, when some are ready later than those
// behind them. What is ready goes to the connection's buffer at once. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

namespace edged::redis {

class ReplyQueue {
 public:
  explicit ReplyQueue(std::string& out) : out_(out) {}

  // Where a reply that is ready now is appended.
  std::string& tail() {
    if (slots_.empty()) return out_;
    if (!slots_.back().ready) slots_.push_back({true, {}});
    return slots_.back().text;
  }
  // Keeps a place for a reply that comes later, and returns its ticket.
  std::uint64_t open() {
    slots_.push_back({false, {}});
    return first_ + slots_.size() - 1;
  }
  void fill(std::uint64_t ticket, std::string_view text) {
    if (ticket == first_) {
      out_.append(text);
      pop();
      while (!slots_.empty() && slots_.front().ready) {
        out_.append(slots_.front().text);
        pop();
      }
      return;
    }
    Slot& slot = slots_[ticket - first_];
    slot.text.assign(text);
    slot.ready = true;
  }
  bool empty() const { return slots_.empty(); }
  std::size_t bytes() const {
    std::size_t bytes = out_.size();
    for (const Slot& slot : slots_) bytes += slot.text.size();
    return bytes;
  }

 private:
  struct Slot {
    bool ready;
    std::string text;
  };

  void pop() {
    slots_.pop_front();
    ++first_;
  }

  std::string& out_;
  std::deque<Slot> slots_;
  std::uint64_t first_ = 0;  // the ticket of slots_.front()
};

}  // namespace edged::redis
