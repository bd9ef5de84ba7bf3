// SPDX-License-Identifier: Apache-2.0
// Behind which position of a queue a consumer looks for messages. Positions grow, but a transaction
// may commit late what it has sent early. So the consumer looks back now and then, not to the
// beginning: what was emptied before the oldest transaction under way began stays empty, and is not
// walked over again, however long a snapshot keeps its dead rows. Pure; one thread.
#pragma once

#include <algorithm>
#include <cstdint>

#include "worker/queue/queue_store.h"

namespace edged::queue {

class ReadPosition {
 public:
  std::int64_t ahead() const { return emptied_; }

  // A claim found messages up to this position.
  void advance(std::int64_t position) { emptied_ = std::max(emptied_, position); }

  // Where to look back from. `bounds` were taken before, and no claim was made since. A position
  // that this look back finds may have been given after them, so it is no candidate yet. Now and
  // then the look back is a whole one: for what a consumer had in its hands here and gave back by
  // dying.
  std::int64_t begin_look_back(const TransactionBounds& bounds) {
    return begin_look_back(bounds, emptied_);
  }
  // The same beside other claims: `emptied_before` is what ahead() was before `bounds` were taken.
  std::int64_t begin_look_back(const TransactionBounds& bounds, std::int64_t emptied_before) {
    bounds_ = bounds;
    emptied_before_ = emptied_before;
    return ++look_backs_ % kWholeLookBack == 0 ? 0 : settled_;
  }
  // The look back is over. `found_all`: it took everything that it saw.
  void end_look_back(bool found_all) {
    if (!found_all || bounds_.oldest < candidate_next_) return;
    settled_ = candidate_;
    candidate_ = emptied_before_;
    candidate_next_ = bounds_.next;
  }

 private:
  static constexpr int kWholeLookBack = 60;

  int look_backs_ = 0;
  std::int64_t emptied_ = 0;
  std::int64_t emptied_before_ = 0;  // before the look back
  std::int64_t settled_ = 0;         // nothing can appear up to here any more
  std::int64_t candidate_ = 0;  // settled by a look back after all before candidate_next_ are over
  std::uint64_t candidate_next_ = 0;
  TransactionBounds bounds_;
};

}  // namespace edged::queue
