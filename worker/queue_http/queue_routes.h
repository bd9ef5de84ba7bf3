// SPDX-License-Identifier: Apache-2.0
// Cloudflare's Queues API on the worker's HTTP server, below /client/v4/accounts/ACCOUNT/queues, in
// Cloudflare's envelope, so that its SDKs can send and pull: docs/queues.md, "Over HTTP". Any
// ACCOUNT is taken. A queue is named by its id or its name. Executor's thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "proto/base/clock.h"
#include "proto/http/server.h"
#include "worker/db/pg_pool.h"

namespace edged::queue {

struct QueueRoutes {
  // As it is now, asked for each request. Empty: none is configured, and nobody is let in.
  std::function<std::string()> secret;
  // Queues that this worker or its configuration consumes: they get no pull consumer, and are not
  // deleted.
  std::vector<std::string> consumed;
};

// Before Server::listen(). What is given by reference outlives the server.
void add_queue_routes(http::Server& server,
                      QueueRoutes routes,
                      db::PgPool& pool,
                      const Clock& clock);

}  // namespace edged::queue
