// SPDX-License-Identifier: Apache-2.0
// Consumes a queue: claims messages in batches, by size or time, gives each batch to a handler, and
// records what the handler decides, message by message.
//
// Any number of consumers work on one queue; each message goes to one of them. A consumer renews
// the leases of its batches. If it dies, its leases end, and any other consumer takes the messages
// over. Decisions of all batches are recorded together, soon after they are made; what was decided
// and not recorded when a consumer dies is delivered again. Executor's thread; the object outlives
// its coroutines.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proto/base/clock.h"
#include "proto/base/metrics.h"
#include "proto/base/status.h"
#include "worker/db/pg_pool.h"
#include "worker/queue/batch.h"

namespace edged::queue {

// ok: what is undecided is done. Error: what is undecided comes again. If the batch is stopping,
// what is undecided is given back. An exception counts as an error.
using Handler = std::function<boost::asio::awaitable<Status>(std::shared_ptr<Batch>)>;

struct ConsumerOptions {
  std::string queue;
  std::string name;  // of the consumer, as edged.queue_claims shows it
  int max_batch_size = 10;
  // How long a batch that is not full waits for more messages. Zero: not at all.
  std::chrono::milliseconds max_batch_timeout{5000};
  int max_concurrency = 1;  // batches at once
  int max_retries = 3;      // then a message is dead
  std::chrono::milliseconds retry_delay{0};
  std::string dead_letter_queue;  // empty: dead messages are kept in edged.queue_dead
  std::chrono::milliseconds lease{30'000};
  std::chrono::milliseconds poll_interval{1000};
  // Decisions are recorded when so many wait, or so long after the first of them.
  std::size_t flush_max = 100;
  std::chrono::milliseconds flush_interval{20};
  // Makes a statement of decisions that are to be recorded, which runs in the same transaction. It
  // may run again for the same decisions if PostgreSQL's answer was lost.
  std::function<std::optional<db::PgStatement>(const std::vector<Decision>&)> record;
};

struct ConsumerCounts {
  std::uint64_t acked = 0, retried = 0, dead = 0, lost = 0;
};

class Consumer {
 public:
  // Everything given by reference outlives the object.
  Consumer(boost::asio::any_io_executor executor,
           db::PgPool& pool,
           const Clock& clock,
           MetricsRegistry& metrics,
           ConsumerOptions options,
           Handler handler);
  ~Consumer();
  Consumer(const Consumer&) = delete;
  Consumer& operator=(const Consumer&) = delete;

  // Consumes until stop(). Errors of PostgreSQL are logged once and tried again.
  boost::asio::awaitable<void> run();
  // There may be messages: look at once.
  void wake();
  // Claims nothing more, tells the handlers' batches to stop, waits for them for at most
  // `patience`, and gives back at once what they have not decided. run() has returned afterwards,
  // or will with its last handler.
  boost::asio::awaitable<void> stop(std::chrono::milliseconds patience);

  // For tests: consumes until nothing is due and all of it is recorded. Not beside run().
  // Errors: of PostgreSQL.
  boost::asio::awaitable<Status> drain_due();

  ConsumerCounts counts() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace edged::queue
