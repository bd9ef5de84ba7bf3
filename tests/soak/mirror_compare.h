// SPDX-License-Identifier: Apache-2.0
// At rest: whether the node holds the tables' rows, exactly. One thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "tests/soak/mirror_run.h"
#include "tests/soak/mirror_world.h"

namespace edged::soak {

struct Comparison {
  std::uint64_t keys = 0;
  std::chrono::milliseconds waited{0};  // until the node had everything
};

// Nobody writes. Waits at most 60 s until the node says that it has everything; what differs then
// is a violation each, and so is a node that never says it. `canary`: with a row that is not there.
Comparison compare(MirrorWorld& world, MirrorRun& run, bool canary);

}  // namespace edged::soak
