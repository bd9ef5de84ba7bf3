// SPDX-License-Identifier: Apache-2.0
// The handler of a queue that a URL consumes: hands each batch to a PushClient and decides its
// messages as the application answers. One thread.
#pragma once

#include <chrono>
#include <functional>

#include "proto/base/clock.h"
#include "worker/queue/consumer.h"
#include "worker/queue_push/push_client.h"

namespace edged::queue {

struct PushHandlerParts {
  PushClient& client;
  const Clock& clock;
  std::chrono::milliseconds retry_delay{0};  // the queue's
  // After 410: stops the delivery of the queue's messages.
  std::function<boost::asio::awaitable<Status>()> pause_queue;
};

// `parts` outlives the handler.
Handler make_push_handler(const PushHandlerParts& parts);

}  // namespace edged::queue
