// SPDX-License-Identifier: Apache-2.0
// Deletes rows of edged.cron_runs and edged.mails that are over and older than the history to keep.
// Several workers may do so at once. Its statements count to no run. docs/jobs.md, "History". On
// the executor's thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <string>

#include "proto/base/clock.h"
#include "proto/base/metrics.h"
#include "proto/base/status.h"
#include "worker/class_monitor/run_store.h"
#include "worker/db/pg_pool.h"

namespace edged::class_monitor {

struct HistoryKeeperOptions {
  std::string job = kJobName;
  // At least as long as a claim lasts (RunStoreOptions::claim_lifetime): a notification that
  // stands for a valid claim must be known.
  std::chrono::milliseconds history{std::chrono::days(90)};
  std::chrono::milliseconds interval{std::chrono::hours(1)};
  int batch = 1000;                            // rows a statement deletes at most
  std::chrono::milliseconds batch_pause{100};  // for others who want the connections
};

struct DeletedHistory {
  std::int64_t runs = 0;
  std::int64_t notifications = 0;
};

class HistoryKeeper {
 public:
  // `pool`, `clock` and `metrics` outlive this object.
  HistoryKeeper(boost::asio::any_io_executor executor,
                db::PgPool& pool,
                const Clock& clock,
                HistoryKeeperOptions options,
                MetricsRegistry& metrics);

  // Deletes at once and then at every interval, until stop(). Errors are logged, and what is left
  // is deleted the next time.
  boost::asio::awaitable<void> run();
  void stop();

  // Deletes all that is too old, batch by batch.
  boost::asio::awaitable<Result<DeletedHistory>> delete_old();

 private:
  boost::asio::awaitable<Result<std::int64_t>> delete_all(std::string statement,
                                                          db::PgParameters parameters);

  db::PgPool& pool_;
  const Clock& clock_;
  HistoryKeeperOptions options_;
  boost::asio::steady_timer timer_;
  bool stopping_ = false;
  Counter& runs_deleted_;
  Counter& notifications_deleted_;
};

}  // namespace edged::class_monitor
