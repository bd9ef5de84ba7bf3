// SPDX-License-Identifier: Apache-2.0
// Records decisions together: when enough wait, or a moment after the first of them. One recording
// is under way at a time; a failed one is tried again. Executor's thread; the object outlives its
// coroutines.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <optional>
#include <vector>

#include "proto/base/backoff.h"
#include "proto/net/condition.h"
#include "worker/queue/consumer.h"
#include "worker/queue/queue_store.h"

namespace edged::queue {

class Completer {
 public:
  Completer(boost::asio::any_io_executor executor,
            QueueStore& store,
            const ConsumerOptions& options);

  void set_dead_queue(std::optional<std::int64_t> queue_id) { dead_queue_id_ = queue_id; }
  void add(Decision decision);
  // Until nothing waits to be recorded, at most until `deadline`. True: nothing does.
  boost::asio::awaitable<bool> wait_until_recorded(net::AsyncCondition::Time deadline);
  const ConsumerCounts& counts() const { return counts_; }
  const Status& last_error() const { return last_error_; }

 private:
  boost::asio::awaitable<void> flush();
  boost::asio::awaitable<Status> record(std::vector<Decision> decisions);
  bool is_full() const { return waiting_.size() >= options_.flush_max; }

  boost::asio::any_io_executor executor_;
  QueueStore& store_;
  const ConsumerOptions& options_;
  std::optional<std::int64_t> dead_queue_id_;
  std::vector<Decision> waiting_;
  bool flushing_ = false;
  bool hurry_ = false;  // somebody waits for the recording
  net::AsyncCondition changed_;
  ConsumerCounts counts_;
  Status last_error_;
};

}  // namespace edged::queue
