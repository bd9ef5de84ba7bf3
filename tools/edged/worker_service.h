// SPDX-License-Identifier: Apache-2.0
// `edged worker`: runs jobs by schedule and on demand, delivers mails, and answers HTTP, until
// SIGTERM or SIGINT. It starts without PostgreSQL, the node or the upstream, and waits for each.
#pragma once

#include <functional>

#include "tools/edged/config.h"

namespace edged {

// The exit code: 0 after a signal, 1 if it could not start. `on_start` is called once it has
// started, `reload` at SIGHUP.
using WorkerAction = std::function<void()>;
int run_worker(const config::Config& config, WorkerAction reload, const WorkerAction& on_start);

}  // namespace edged
