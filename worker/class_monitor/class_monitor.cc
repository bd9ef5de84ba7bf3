// SPDX-License-Identifier: Apache-2.0
#include "worker/class_monitor/class_monitor.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <optional>
#include <utility>

#include "proto/base/log.h"
#include "proto/net/spawn.h"

namespace edged::class_monitor {
namespace {

using boost::asio::awaitable;
using std::chrono::steady_clock;
constexpr auto kAwait = boost::asio::as_tuple(boost::asio::use_awaitable);
constexpr std::size_t kOutcomesKept = 16;
constexpr std::size_t kAbsentNamed = 5;  // sections in one line of the log
constexpr std::chrono::milliseconds kRecordPollInterval{200};

Status already_running() {
  return Status(Code::kConflict, "class-monitor is already running, or has run for this tick");
}

std::string cause_text(worker::Cause cause) {
  return cause == worker::Cause::kSchedule ? "schedule" : "manual";
}

// The same text whether this process ran the run or read its row.
Status failure_of(std::int64_t run_id, const std::string& error) {
  return Status(Code::kInternal,
                "run " + std::to_string(run_id) + " failed" + (error.empty() ? "" : ": " + error));
}

Result<std::string> outcome_of(const worker::RunRecord& record) {
  if (record.status == "succeeded") return record.summary_json;
  return failure_of(record.run_id, record.error);
}

}  // namespace

ClassMonitor::ClassMonitor(boost::asio::any_io_executor executor,
                           RunTools tools,
                           ClassMonitorOptions options,
                           MetricsRegistry& metrics)
    : executor_(std::move(executor)),
      tools_(std::move(tools)),
      options_(options),
      finished_(executor_),
      take_over_(executor_),
      succeeded_(metrics.counter("edged_job_runs_total",
                                 "Runs of a job by result",
                                 {{"job", kJobName}, {"result", "succeeded"}})),
      failed_(metrics.counter("edged_job_runs_total",
                              "Runs of a job by result",
                              {{"job", kJobName}, {"result", "failed"}})),
      sections_checked_(metrics.counter("edged_monitor_sections_checked_total",
                                        "Sections the upstream answered for")),
      sections_failed_(metrics.counter(
          "edged_monitor_sections_failed_total",
          "Sections that could not be checked: no answer, or refused by the database")),
      last_success_seconds_(metrics.gauge("edged_monitor_last_success_timestamp_seconds",
                                          "When a run last succeeded, as Unix time")),
      run_seconds_(metrics.histogram("edged_monitor_run_seconds", "How long runs took")) {}

awaitable<Result<std::int64_t>> ClassMonitor::start(worker::StartRequest request) {
  BeginRequest begin_request;
  begin_request.due_at = request.due_at;
  begin_request.cause = cause_text(request.cause);
  begin_request.idempotency_key = std::move(request.idempotency_key);
  auto id = co_await begin(std::move(begin_request));
  co_return id;
}

// drain() waits for the begins that are counted here, so that it does not overlook a run that has
// just been written.
awaitable<Result<std::int64_t>> ClassMonitor::begin(BeginRequest request) {
  if (stopping_) co_return Status(Code::kUnavailable, "the worker is stopping");
  ++beginning_;
  auto id = co_await begin_now(std::move(request));
  --beginning_;
  finished_.notify_all();
  co_return id;
}

awaitable<Result<std::int64_t>> ClassMonitor::begin_now(BeginRequest request) {
  const bool keyed = !request.idempotency_key.empty();
  if (current_ && !keyed) co_return already_running();
  if (current_) {
    auto known = co_await find_run_of(std::move(request.idempotency_key));
    co_return known;
  }
  const auto started = steady_clock::now();
  db::StatementCounter counter;
  auto begun = co_await tools_.store.begin(request, tools_.clock.wall_now(), &counter);
  if (!begun) co_return begun.error();
  if (!*begun && keyed) {
    // Another worker may have begun the key's run at the same moment.
    auto known = co_await find_run_of(std::move(request.idempotency_key));
    co_return known;
  }
  if (!*begun) co_return already_running();
  const std::int64_t id = (*begun)->hold.id;
  if ((*begun)->known) co_return id;
  if ((*begun)->hold.resumed) {
    log::warn("took over run " + std::to_string(id) +
              ", because its worker stopped renewing its lease");
  }
  const bool of_key = (*begun)->of_key;
  report_terms(**begun);
  current_ =
      std::make_shared<Run>(executor_, tools_, options_.run, std::move(**begun), counter, started);
  net::spawn(executor_, execute(current_));
  if (!of_key) co_return already_running();
  co_return id;
}

awaitable<Result<std::int64_t>> ClassMonitor::find_run_of(std::string idempotency_key) {
  const auto known = co_await tools_.store.run_of_key(std::move(idempotency_key));
  if (!known) co_return known.error();
  if (!*known) co_return already_running();
  co_return **known;
}

awaitable<void> ClassMonitor::execute(std::shared_ptr<Run> run) {
  const auto started = steady_clock::now();
  auto outcome = co_await run->execute();
  const RunSummary& summary = run->summary();
  run_seconds_.observe(steady_clock::now() - started);
  sections_checked_.add(summary.fetched + summary.absent);
  sections_failed_.add(summary.failed);
  const Status failure = outcome ? Status() : failure_of(run->id(), outcome.error().message());
  if (outcome) {
    succeeded_.add();
    last_success_seconds_.set(to_unix_ms(tools_.clock.wall_now()) / 1000);
    log::info("run " + std::to_string(run->id()) + " is done: " + *outcome);
  } else {
    failed_.add();
    log::error(failure.message());
  }
  unrecorded_.erase(run->id());
  if (run->recorded()) {
    if (!outcome) outcome = failure;
    outcomes_.insert_or_assign(run->id(), std::move(outcome));
    if (outcomes_.size() > kOutcomesKept) outcomes_.erase(outcomes_.begin());
  } else if (outcome.error().code() != Code::kConflict) {
    unrecorded_.emplace(run->id(), outcome.error());
    if (unrecorded_.size() > kOutcomesKept) unrecorded_.erase(unrecorded_.begin());
  }
  report_absent(*run);
  if (current_ == run) current_.reset();  // the next run may have begun meanwhile
  if (tools_.on_end) tools_.on_end();
  finished_.notify_all();
}

// Callers that waited for a run whose end could not be written get that error. Later callers get
// what PostgreSQL has, because another worker may have ended the run.
awaitable<Result<std::string>> ClassMonitor::wait(std::int64_t run_id) {
  const bool was_here = current_ && current_->id() == run_id;
  co_await finished_.wait([this, run_id] { return !current_ || current_->id() != run_id; });
  if (const auto known = outcomes_.find(run_id); known != outcomes_.end()) co_return known->second;
  const auto failed = unrecorded_.find(run_id);
  if (was_here && failed != unrecorded_.end()) co_return failed->second;
  while (true) {
    const auto record = co_await tools_.store.record(run_id);
    if (!record) co_return record.error();
    if (record->status != "running") co_return outcome_of(*record);
    boost::asio::steady_timer pause(executor_, kRecordPollInterval);
    co_await pause.async_wait(kAwait);
  }
}

awaitable<Result<std::vector<worker::RunRecord>>> ClassMonitor::newest_runs(int limit) {
  auto runs = co_await tools_.store.newest_runs(limit);
  co_return runs;
}

awaitable<Result<std::optional<WallTime>>> ClassMonitor::last_tick() {
  auto tick = co_await tools_.store.last_tick(tools_.clock.wall_now());
  co_return tick;
}

awaitable<void> ClassMonitor::take_over_once() {
  if (current_ || stopping_) co_return;
  BeginRequest request;
  request.cause = cause_text(worker::Cause::kSchedule);
  const auto taken = co_await begin(std::move(request));
  if (!taken && taken.code() != Code::kConflict && !stopping_) {
    log::warn("could not look for abandoned runs: " + taken.error().message());
  }
}

awaitable<void> ClassMonitor::take_over_abandoned() {
  while (!stopping_) {
    co_await take_over_once();
    take_over_.expires_after(options_.take_over_interval);
    co_await take_over_.async_wait(kAwait);
  }
}

awaitable<void> ClassMonitor::rest() {
  co_await finished_.wait([this] { return !current_ && beginning_ == 0; });
}

awaitable<bool> ClassMonitor::drain(std::chrono::milliseconds timeout) {
  stopping_ = true;
  take_over_.cancel();
  const auto deadline = steady_clock::now() + timeout;
  const bool rests =
      co_await finished_.wait_until(deadline, [this] { return !current_ && beginning_ == 0; });
  co_return rests;
}

void ClassMonitor::report_terms(const BegunRun& begun) {
  if (begun.past_terms != past_terms_ && !begun.past_terms.empty()) {
    log::info("watches of past terms are not checked: " + begun.past_terms +
              " (jobs.class-monitor.past_term_after)");
  }
  past_terms_ = begun.past_terms;
  for (const WatchedSection& section : begun.sections) {
    if (section.ignored_terms.empty() || !reported_.insert(section.class_nbr).second) continue;
    log::warn("section " + section.class_nbr + " is watched in several terms; term " +
              section.term + " is checked, these are not: " + section.ignored_terms);
  }
}

// Names each absent section once, until it is found again.
void ClassMonitor::report_absent(const Run& run) {
  for (const auto& [class_nbr, requested_at] : run.checked()) absent_reported_.erase(class_nbr);
  std::string named;
  std::size_t reported = 0;
  for (const Run::AbsentSection& section : run.absent()) {
    if (!absent_reported_.insert(section.class_nbr).second) continue;
    if (++reported > kAbsentNamed) continue;
    named += (named.empty() ? "" : "; ") + section.class_nbr + " (" + section.why + ")";
  }
  if (reported == 0) return;
  if (reported > kAbsentNamed)
    named += "; and " + std::to_string(reported - kAbsentNamed) + " more";
  log::warn("run " + std::to_string(run.id()) + ": the upstream does not know " +
            std::to_string(reported) + (reported == 1 ? " watched section" : " watched sections") +
            "; the last known state stands: " + named);
}

}  // namespace edged::class_monitor
