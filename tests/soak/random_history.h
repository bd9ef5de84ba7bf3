// SPDX-License-Identifier: Apache-2.0
// Histories of one key from a simulated register, for tests of the judge of linearizability.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "tests/soak/linear_history.h"

namespace edged::soak {

struct RandomHistoryOptions {
  std::size_t operations = 10;
  std::size_t clients = 4;
  unsigned lost_per_mille = 200;  // of the operations get no answer
  std::size_t life = 0;  // operations from one death of the process to the next; 0: each lost
                         // operation ends at a time of its own, or never
};

// Linearizable: clients ask a register one operation at a time, and each takes effect at a moment
// between its invocation and its return, or never if it is lost.
std::vector<LinearOp> random_history(const RandomHistoryOptions& options, std::mt19937_64& random);

// Changes one to three answers or times, so that the history is probably not linearizable any more.
void damage(std::vector<LinearOp>& history, std::mt19937_64& random);

// Leaves out the conditional operations without an answer whose version no answer names: the judge
// takes them to be without effect, and clients do not ask for such versions.
void drop_unknown_conditions(std::vector<LinearOp>& history);

}  // namespace edged::soak
