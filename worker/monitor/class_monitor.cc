// SPDX-License-Identifier: Apache-2.0
#include "worker/monitor/class_monitor.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <optional>
#include <utility>

#include "proto/base/log.h"

namespace edged::monitor {
namespace {

using boost::asio::awaitable;
using std::chrono::steady_clock;
constexpr auto kAwait = boost::asio::as_tuple(boost::asio::use_awaitable);
constexpr std::size_t kOutcomesKept = 16;
constexpr std::chrono::milliseconds kRecordPollInterval{200};

Status already_running() {
  return Status(Code::kConflict, "class-monitor is already running, or has run for this tick");
}

Result<std::string> outcome_of(const worker::RunRecord& record) {
  if (record.status == "succeeded") return record.summary_json;
  return Status(Code::kInternal,
                "run " + std::to_string(record.run_id) + " failed" +
                    (record.error.empty() ? "" : ": " + record.error));
}

}  // namespace

ClassMonitor::ClassMonitor(boost::asio::any_io_executor executor,
                           RunTools tools,
                           ClassMonitorOptions options,
                           MetricsRegistry& metrics)
    : executor_(std::move(executor)),
      tools_(std::move(tools)),
      options_(options),
      finished_(executor_, steady_clock::time_point::max()),
      take_over_(executor_),
      succeeded_(metrics.counter("edged_job_runs_total",
                                 "Runs of a job by result",
                                 {{"job", "class-monitor"}, {"result", "succeeded"}})),
      failed_(metrics.counter("edged_job_runs_total",
                              "Runs of a job by result",
                              {{"job", "class-monitor"}, {"result", "failed"}})),
      sections_checked_(metrics.counter("edged_monitor_sections_checked_total",
                                        "Sections the upstream answered for")),
      sections_failed_(metrics.counter("edged_monitor_sections_failed_total",
                                       "Sections the upstream did not answer for")),
      last_success_seconds_(metrics.gauge("edged_monitor_last_success_timestamp_seconds",
                                          "When a run last succeeded, as Unix time")),
      run_seconds_(metrics.histogram("edged_monitor_run_seconds", "How long runs took")) {}

awaitable<Result<std::int64_t>> ClassMonitor::start(WallTime due_at, worker::Cause cause) {
  auto id = co_await begin(due_at, cause == worker::Cause::kSchedule ? "schedule" : "manual");
  co_return id;
}

awaitable<Result<std::int64_t>> ClassMonitor::begin(std::optional<WallTime> due_at,
                                                    std::string cause) {
  if (stopping_) co_return Status(Code::kUnavailable, "the worker is stopping");
  if (current_) co_return already_running();
  const auto started = steady_clock::now();
  db::StatementCounter counter;
  auto begun = co_await tools_.store.begin(due_at, cause, tools_.clock.wall_now(), &counter);
  if (!begun) co_return begun.error();
  if (!*begun) co_return already_running();
  if ((*begun)->resumed) {
    log::warn("took over run " + std::to_string((*begun)->id) + ", whose worker had died");
  }
  report_ignored_terms(**begun);
  current_ =
      std::make_shared<Run>(executor_, tools_, options_.run, std::move(**begun), counter, started);
  const std::int64_t id = current_->id();
  auto rethrow = [](std::exception_ptr error) {
    if (error) std::rethrow_exception(error);
  };
  boost::asio::co_spawn(executor_, execute(current_), rethrow);
  co_return id;
}

awaitable<void> ClassMonitor::execute(std::shared_ptr<Run> run) {
  const auto started = steady_clock::now();
  auto outcome = co_await run->execute();
  const RunSummary& summary = run->summary();
  run_seconds_.observe(steady_clock::now() - started);
  sections_checked_.add(summary.fetched + summary.absent);
  sections_failed_.add(summary.failed);
  if (outcome) {
    succeeded_.add();
    last_success_seconds_.set(to_unix_ms(tools_.clock.wall_now()) / 1000);
    log::info("run " + std::to_string(run->id()) + " is done: " + *outcome);
  } else {
    failed_.add();
    log::error("run " + std::to_string(run->id()) + " failed: " + outcome.error().message());
  }
  outcomes_.insert_or_assign(run->id(), std::move(outcome));
  if (outcomes_.size() > kOutcomesKept) outcomes_.erase(outcomes_.begin());
  current_.reset();
  finished_.cancel();
}

awaitable<Result<std::string>> ClassMonitor::wait(std::int64_t run_id) {
  while (current_ && current_->id() == run_id) {
    co_await finished_.async_wait(kAwait);
  }
  if (const auto known = outcomes_.find(run_id); known != outcomes_.end()) co_return known->second;
  while (true) {
    const auto record = co_await tools_.store.record(run_id);
    if (!record) co_return record.error();
    if (record->status != "running") co_return outcome_of(*record);
    boost::asio::steady_timer pause(executor_, kRecordPollInterval);
    co_await pause.async_wait(kAwait);
  }
}

awaitable<Result<std::optional<worker::RunRecord>>> ClassMonitor::last_run() {
  auto record = co_await tools_.store.last_run();
  co_return record;
}

awaitable<void> ClassMonitor::take_over_abandoned() {
  while (!stopping_) {
    if (!current_) {
      const auto taken = co_await begin(std::nullopt, "schedule");
      if (!taken && taken.code() != Code::kConflict && !stopping_) {
        log::warn("could not look for abandoned runs: " + taken.error().message());
      }
    }
    take_over_.expires_after(options_.take_over_interval);
    co_await take_over_.async_wait(kAwait);
  }
}

awaitable<bool> ClassMonitor::drain(std::chrono::milliseconds timeout) {
  stopping_ = true;
  take_over_.cancel();
  const auto deadline = steady_clock::now() + timeout;
  boost::asio::steady_timer limit(executor_, deadline);
  limit.async_wait([this](const boost::system::error_code& error) {
    if (!error) finished_.cancel();
  });
  while (current_ && steady_clock::now() < deadline) {
    co_await finished_.async_wait(kAwait);
  }
  co_return current_ == nullptr;
}

void ClassMonitor::report_ignored_terms(const BegunRun& begun) {
  for (const WatchedSection& section : begun.sections) {
    if (section.ignored_terms.empty() || !reported_.insert(section.class_nbr).second) continue;
    log::warn("section " + section.class_nbr + " is watched in several terms; monitoring " +
              section.term + ", not " + section.ignored_terms);
  }
}

}  // namespace edged::monitor
