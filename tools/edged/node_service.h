// SPDX-License-Identifier: Apache-2.0
// `edged node`: the store with its binary and HTTP faces, until SIGTERM or SIGINT. Needs nothing
// else. The calling thread waits for signals and runs HTTP.
#pragma once

#include <functional>

#include "tools/edged/config.h"

namespace edged {

// The exit code: 0 after a signal; 1 if it could not start, after one line on stderr that says why;
// 6 if the data is damaged. `on_start` is called once it has started, `reload` at SIGHUP.
int run_node(const config::Config& config,
             std::function<void()> reload,
             const std::function<void()>& on_start);

}  // namespace edged
