// SPDX-License-Identifier: Apache-2.0
// Asks a running node or worker whether it can work, as `edged health` does. Blocks until the
// answer or the time-out; one thread.
#pragma once

#include <chrono>
#include <string>

#include "proto/base/status.h"
#include "tools/edged/config.h"

namespace edged {

// GET /readyz at "HOST:PORT". Errors: kUnavailable (nobody listens, or it answers that it is not
// ready: the message has the reason it gives), kDeadlineExceeded, kInvalidArgument (the address).
Status ask_readiness(const std::string& address, std::chrono::milliseconds timeout);

// The node of the configuration: by HTTP, at the address in its ports.json, else the configured
// one; where HTTP is spoken over TLS, by a ping through its unix socket. Where it was asked is put
// into `asked`. Errors: those above.
Status ask_node(const config::Config& config,
                std::chrono::milliseconds timeout,
                std::string& asked);

// The worker of the configuration, at the address in worker-ports.json, else the configured one.
Status ask_worker(const config::Config& config,
                  std::chrono::milliseconds timeout,
                  std::string& asked);

}  // namespace edged
