// SPDX-License-Identifier: Apache-2.0
// Deletes what is kept for a time alone: messages that nobody took in their queue's retention, and
// dead messages after 90 days. Any number of workers may do it. Executor's thread; the object
// outlives its coroutines.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>

#include "proto/base/clock.h"
#include "proto/base/metrics.h"
#include "proto/base/status.h"
#include "proto/net/condition.h"
#include "worker/db/pg_pool.h"
#include "worker/queue/queue_store.h"

namespace edged::queue {

class Retention {
 public:
  static constexpr std::chrono::seconds kInterval{60};
  static constexpr std::chrono::hours kDeadAge{90 * 24};

  // Everything given by reference outlives the object.
  Retention(boost::asio::any_io_executor executor,
            db::PgPool& pool,
            const Clock& clock,
            MetricsRegistry& metrics);

  // Once each kInterval, until stop(). Errors are logged.
  boost::asio::awaitable<void> run();
  void stop();
  // How many messages were deleted, dead ones not counted. Errors: those of PgPool::execute.
  boost::asio::awaitable<Result<std::int64_t>> run_once();

 private:
  QueueStore store_;
  net::AsyncCondition changed_;
  Counter& expired_;
  bool stopping_ = false;
};

}  // namespace edged::queue
