// SPDX-License-Identifier: Apache-2.0
// Lets programs outside consume a queue: they pull messages, each with a lease, and acknowledge or
// retry them by their lease ids. Between pulls nothing is held here, so any worker may serve any
// call.
//
// A lease id names one delivery of one message. When the lease's time is over, the message is
// delivered again; a late acknowledgement changes nothing then, and is reported as lost. A message
// that was delivered max_retries + 1 times and not acknowledged becomes dead. Executor's thread;
// the object outlives its coroutines.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "proto/base/clock.h"
#include "proto/base/status.h"
#include "worker/db/pg_pool.h"
#include "worker/queue/message.h"
#include "worker/queue/queue_directory.h"
#include "worker/queue/queue_store.h"
#include "worker/queue/read_position.h"

namespace edged::queue {

struct PulledMessage {
  std::string lease_id;  // opaque
  Message message;       // without its claim
};

struct Pulled {
  std::vector<PulledMessage> messages;
  QueueBacklog backlog;  // these messages included; see QueuePull::backlog
};

struct LeaseRetry {
  std::string lease_id;
  std::optional<std::chrono::milliseconds> delay;  // none: the queue's retry_delay
};

// What became of lease ids. `dead`: to be retried, but no attempt was left. `lost`: the lease is
// over, or there never was one of this id in this queue.
struct Settled {
  std::vector<std::string> acked, retried, dead, lost;
};

class QueuePull {
 public:
  static constexpr int kBatchSizeMax = 100;
  static constexpr std::chrono::milliseconds kVisibilityTimeoutMax{12 * 3'600'000};

  // Everything given by reference outlives the object.
  QueuePull(db::PgPool& pool, const Clock& clock);

  // Up to `batch_size` messages, or none. Does not wait for messages.
  // Errors: kConflict (the queue is paused), kUnsupported (it has no pull consumer),
  // kInvalidArgument (batch_size is not 1 to kBatchSizeMax, or the time-out not 1 ms to
  // kVisibilityTimeoutMax), and those of PgPool::execute.
  boost::asio::awaitable<Result<Pulled>> pull(
      QueueInfo queue, int batch_size, std::optional<std::chrono::milliseconds> visibility_timeout);

  // A lease id in both lists is retried. Errors: those of PgPool::execute.
  boost::asio::awaitable<Result<Settled>> settle(QueueInfo queue,
                                                 std::vector<std::string> acks,
                                                 std::vector<LeaseRetry> retries);

  // Sends all messages or none. Errors: kInvalidArgument (PostgreSQL cannot store a body, or it is
  // too long), and those of PgPool::execute.
  boost::asio::awaitable<Status> send(QueueInfo queue, std::vector<OutgoingMessage> messages);

  // What is not acknowledged yet: counted at most 5 s ago, and what was sent and acknowledged here
  // since. Counting ends at QueueDirectory::kBacklogMax. Errors: those of PgPool::execute.
  boost::asio::awaitable<Result<QueueBacklog>> backlog(std::int64_t queue_id);

 private:
  struct Place {  // in one queue
    ReadPosition position;
    std::optional<WallTime> next_due;
    std::chrono::steady_clock::time_point housekeeping_at{};
    bool keeping_house = false;
    QueueBacklog backlog;
    std::chrono::steady_clock::time_point backlog_until{};
  };
  boost::asio::awaitable<Result<Pulled>> lease(std::int64_t queue_id,
                                               Place* place,
                                               int count,
                                               std::int64_t behind,
                                               std::chrono::milliseconds visibility_timeout);
  boost::asio::awaitable<Result<Pulled>> keep_house(std::int64_t queue_id,
                                                    Place* place,
                                                    int count,
                                                    std::chrono::milliseconds visibility_timeout);

  db::PgPool& pool_;
  const Clock& clock_;
  QueueStore store_;
  QueueDirectory directory_;
  std::map<std::int64_t, Place> places_;  // by queue id
};

}  // namespace edged::queue
