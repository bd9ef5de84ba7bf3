// SPDX-License-Identifier: Apache-2.0
// Lets programs look at the messages that wait in a queue without consuming them, and delete single
// ones. Errors of every method: those of PgPool::execute. Executor's thread; the object outlives
// its coroutines.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "proto/base/clock.h"
#include "proto/base/status.h"
#include "worker/db/pg_pool.h"
#include "worker/queue/message.h"

namespace edged::queue {

struct PeekedMessage {
  std::string ref;  // opaque; names this message of this queue, for purge()
  Message message;  // without a claim; attempts: how often it was delivered
};

class QueuePeek {
 public:
  // Everything given by reference outlives the object.
  QueuePeek(db::PgPool& pool, const Clock& clock) : pool_(pool), clock_(clock) {}

  // Up to `count` messages that are due, in the order of their delivery. They stay where they are.
  boost::asio::awaitable<Result<std::vector<PeekedMessage>>> peek(std::int64_t queue_id, int count);

  // Deletes messages that wait or are delayed. Returns the refs, each once, that name no such
  // message of this queue: a consumer has it, or it is gone, or it never was.
  boost::asio::awaitable<Result<std::vector<std::string>>> purge(std::int64_t queue_id,
                                                                 std::vector<std::string> refs);

 private:
  db::PgPool& pool_;
  const Clock& clock_;
};

}  // namespace edged::queue
