// SPDX-License-Identifier: Apache-2.0
// The job "class-monitor": starts runs, at most one at a time in the whole fleet, takes over runs
// whose worker died, and tells what became of each. On the executor's thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "proto/base/metrics.h"
#include "proto/net/condition.h"
#include "worker/class_monitor/run.h"
#include "worker/cron/job_runner.h"

namespace edged::class_monitor {

struct ClassMonitorOptions {
  RunOptions run;
  std::chrono::milliseconds take_over_interval{10'000};
};

class ClassMonitor final : public worker::JobRunner {
 public:
  // Everything in `tools` outlives this object.
  ClassMonitor(boost::asio::any_io_executor executor,
               RunTools tools,
               ClassMonitorOptions options,
               MetricsRegistry& metrics);

  // Starts the run of a tick and returns its id while it goes on. If the request's key has a run
  // already, returns that run's id. Errors: kConflict: the tick was run already, or another run is
  // under way; kUnavailable: PostgreSQL does not answer.
  boost::asio::awaitable<Result<std::int64_t>> start(worker::StartRequest request) override;

  boost::asio::awaitable<Result<std::string>> wait(std::int64_t run_id) override;

  boost::asio::awaitable<Result<std::vector<worker::RunRecord>>> newest_runs(int limit) override;

  // The latest tick up to now that has a run. Later ticks of the schedule were missed.
  boost::asio::awaitable<Result<std::optional<WallTime>>> last_tick();

  // Looks once for a run whose worker died, and takes it over.
  boost::asio::awaitable<void> take_over_once();
  // Does take_over_once() at once and then at every interval, until drain().
  boost::asio::awaitable<void> take_over_abandoned();

  // Returns once no run of this process is under way.
  boost::asio::awaitable<void> rest();

  // Starts no more runs and waits for the one under way. False if it still goes on at `timeout`:
  // another process of this worker takes it over.
  boost::asio::awaitable<bool> drain(std::chrono::milliseconds timeout);

 private:
  boost::asio::awaitable<Result<std::int64_t>> begin(BeginRequest request);
  boost::asio::awaitable<Result<std::int64_t>> begin_now(BeginRequest request);
  boost::asio::awaitable<Result<std::int64_t>> find_run_of(std::string idempotency_key);
  boost::asio::awaitable<void> execute(std::shared_ptr<Run> run);
  void report_terms(const BegunRun& begun);
  void report_absent(const Run& run);

  boost::asio::any_io_executor executor_;
  RunTools tools_;
  ClassMonitorOptions options_;
  bool stopping_ = false;
  int beginning_ = 0;  // begin statements under way
  std::shared_ptr<Run> current_;
  net::AsyncCondition finished_;  // notified when current_ ends, and when a begin ends
  boost::asio::steady_timer take_over_;
  std::map<std::int64_t, Result<std::string>> outcomes_;  // of this process's last runs
  std::map<std::int64_t, Status> unrecorded_;             // of runs whose end could not be written
  std::string past_terms_;                                // as they were logged last
  std::set<std::string> reported_;                        // sections whose older terms were logged
  std::set<std::string> absent_reported_;  // sections that were logged as absent, until found

  Counter& succeeded_;
  Counter& failed_;
  Counter& sections_checked_;
  Counter& sections_failed_;
  Gauge& last_success_seconds_;
  Histogram& run_seconds_;
};

}  // namespace edged::class_monitor
