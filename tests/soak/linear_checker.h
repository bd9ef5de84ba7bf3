// SPDX-License-Identifier: Apache-2.0
// Judges whether the history of one key is linearizable: whether there is an order of its
// operations, each at a moment between its invocation and its return, in which a register that
// is absent or has a value with a version gives exactly the answers that were given. Versions must
// grow along that order. An operation without answer is in it or not, as fits.
//
// The search is that of Wing and Gong, in the form of Lowe ("Testing for linearizability", 2017):
// it goes through invocations and returns by time and keeps every configuration (the register, and
// which of the pending operations have taken effect already) that explains all returns so far;
// equal configurations are kept once. Pure; one thread.
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

// The key is absent before the first operation. In any order; kUndecided if more than 64 operations
// are pending at once, or more than a million configurations would have to be kept.
LinearVerdict judge_linear(std::vector<LinearOp> history);

// Versions over all keys: a write that was invoked after another one's answer has a larger one.
// Empty, or what is wrong.
std::string judge_versions(std::vector<LinearOp> all_keys);

}  // namespace edged::soak
