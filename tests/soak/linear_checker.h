// SPDX-License-Identifier: Apache-2.0
// Judges whether the history of one key is linearizable: whether there is an order of its
// operations, each at a moment between its invocation and its return, in which a register that
// is absent or has a value with a version gives exactly the answers that were given. Versions must
// grow along that order. An operation without an answer takes effect at most once, or never.
//
// The node gives each write a version of its own, and answers and reads name it. The versions
// therefore fix the order of all writes that anybody saw (linear_timeline.h), and the judge only
// has to find out between which two of them everything else belongs. It goes through invocations
// and returns by time and keeps the states that explain all returns so far. What it has to choose
// freely is small:
//   - operations without an answer that nobody saw are interchangeable if they are of one kind and
//     end at one time, so that the judge counts them;
//   - of several deletes that can make the key absent, it takes the one that ends first;
//   - of two states, it drops the one that has used up more and explained less.
// The number of states depends on the number of clients and of lost writes in one life of the node,
// not on the length of the history: 250,000 operations take about a second. Pure; one thread.
//
// linear_search.h decides the same question by trying all orders; a test compares the two.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "tests/soak/linear_history.h"

namespace edged::soak {

struct LinearVerdict {
  enum class Kind { kLinearizable, kBroken, kUndecided };
  Kind kind = Kind::kLinearizable;
  std::string why{};  // the first return that nothing explains, and what was pending
  std::size_t most_configurations = 0;
};

// The key is absent before the first operation; the operations may be given in any order.
// A conditional operation without an answer counts only if some answer names its version: clients
// know no other versions.
// kUndecided if more than 64 answered operations overlap at one moment, or if more than 10,000
// states would have to be kept. Neither is a statement about the history.
LinearVerdict judge_linear(const std::vector<LinearOp>& history);

}  // namespace edged::soak
