// SPDX-License-Identifier: Apache-2.0
// What a program says of itself when it starts: what runs where, who can reach it, and what the
// configuration leaves out. For the log; holds no secrets. Pure; any thread.
#pragma once

#include <string>
#include <vector>

#include "tools/edged/config.h"

namespace edged::config {

enum class Runs { kServe, kNode, kWorker };

struct StartFacts {
  Runs runs = Runs::kServe;
  bool has_tokens = false;  // the node has at least one
};

// One to four sentences, each a line of the log.
std::vector<std::string> start_summary(const Config& config, const StartFacts& facts);

}  // namespace edged::config
