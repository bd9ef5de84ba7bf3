// SPDX-License-Identifier: Apache-2.0
// The question of linear_checker.h, answered by trying all orders: the search of Wing and Gong in
// the form of Lowe ("Testing for linearizability", 2017). It goes through invocations and returns
// by time and keeps every configuration (the register, and which of the pending operations have
// taken effect already) that explains all returns so far; equal configurations are kept once. It
// takes exponential time where many operations are pending, so that only the test of the judge
// uses it, on small histories. Pure; one thread.
#pragma once

#include <vector>

#include "tests/soak/linear_checker.h"

namespace edged::soak {

// As judge_linear; kUndecided if more than 64 operations are pending at once, or more than a
// million configurations would have to be kept.
LinearVerdict search_linear(const std::vector<LinearOp>& history);

}  // namespace edged::soak
