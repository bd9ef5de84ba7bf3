// SPDX-License-Identifier: Apache-2.0
// The node promises that versions grow over all keys, which a judge of one key does not see.
#pragma once

#include <string>
#include <vector>

#include "tests/soak/linear_history.h"

namespace edged::soak {

// A write that was invoked after another one's answer has a larger version. Empty, or what is
// wrong.
std::string judge_versions(std::vector<LinearOp> all_keys);

}  // namespace edged::soak
