// SPDX-License-Identifier: Apache-2.0
// A queue whose owners take turns: the items of one owner come out in the order in which they went
// in, and between two of its turns each other owner that has any gets one. So who queues little
// waits for the number of owners, not for what they queued. Not synchronised.
#pragma once

#include <cstddef>
#include <deque>
#include <unordered_map>
#include <utility>

namespace edged {

template <class Item>
class TurnQueue {
 public:
  using Owner = const void*;  // only compared

  // `turn`: how many items an owner gets out in a row.
  explicit TurnQueue(std::size_t turn = 1) : turn_(turn) {}

  void push(Owner owner, Item item) {
    std::deque<Item>& own = items_[owner];
    if (own.empty()) turns_.push_back(owner);
    own.push_back(std::move(item));
    ++size_;
  }

  // The one that pop() takes; there is one.
  const Item& front() const { return items_.find(turns_.front())->second.front(); }

  Item pop() {
    const Owner owner = turns_.front();
    const auto own = items_.find(owner);
    Item item = std::move(own->second.front());
    own->second.pop_front();
    --size_;
    const bool ends = own->second.empty();
    if (ends || ++taken_ == turn_) {
      turns_.pop_front();
      taken_ = 0;
      if (ends) {
        items_.erase(own);
      } else {
        turns_.push_back(owner);
      }
    }
    return item;
  }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  // How many items of `owner` wait.
  std::size_t size_of(Owner owner) const {
    const auto own = items_.find(owner);
    return own == items_.end() ? 0 : own->second.size();
  }

 private:
  std::unordered_map<Owner, std::deque<Item>> items_;  // none is empty
  std::deque<Owner> turns_;                            // those who have items
  std::size_t size_ = 0;
  const std::size_t turn_;
  std::size_t taken_ = 0;  // by the first of turns_, of its turn
};

}  // namespace edged
