// SPDX-License-Identifier: Apache-2.0
// One run of class-monitor, from the listed sections to the closed run. The upstream is asked for
// the sections in a sliding window, while their states are read from the node. An observation that
// equals its section's fresh KV state is confirmed in bulk at the end; all others are applied in
// batches as they come. A run may be cut off anywhere: what it applied stands, and the next run
// sees the rest. On the executor's thread; kept alive by its own coroutines.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "proto/base/backoff.h"
#include "proto/base/clock.h"
#include "proto/net/condition.h"
#include "worker/class_monitor/kv_states.h"
#include "worker/class_monitor/run_store.h"
#include "worker/class_monitor/run_summary.h"
#include "worker/upstream/fetcher_figures.h"
#include "worker/upstream/section_source.h"

namespace edged::class_monitor {

struct RunOptions {
  std::size_t concurrency = 10;
  std::size_t batch = 100;  // sections per apply_results
  // How long an observation waits for others to share its statement while the upstream is still
  // asked.
  std::chrono::milliseconds apply_delay{10'000};
  // How long a statement is repeated while PostgreSQL does not answer, before the run gives up.
  std::chrono::milliseconds database_patience{60'000};
  std::chrono::milliseconds lease_renewal{15'000};
  bool touch_last_checked = true;
};

// What a run works with; all of it outlives the run.
struct RunTools {
  RunStore& store;
  KvStates& kv;
  upstream::SectionSource& source;
  const Clock& clock;
  std::function<void()> on_mails;  // mails were written
  // What `source` has asked so far, for the summary; empty: not told.
  std::function<upstream::FetcherFigures()> upstream_figures{};
  std::function<void()> on_end{};  // a run has ended
};

// `counter` and `started` include what beginning the run took.
class Run : public std::enable_shared_from_this<Run> {
 public:
  Run(boost::asio::any_io_executor executor,
      RunTools tools,
      RunOptions options,
      BegunRun begun,
      db::StatementCounter counter,
      std::chrono::steady_clock::time_point started);

  // The run's summary as JSON, or why it failed. Call once.
  boost::asio::awaitable<Result<std::string>> execute();

  std::int64_t id() const { return begun_.hold.id; }
  // True if execute() wrote the run's end: it is over for everybody.
  bool recorded() const { return recorded_; }
  const RunSummary& summary() const { return summary_; }
  // A section that the upstream said it does not have, and its words.
  struct AbsentSection {
    std::string class_nbr;
    std::string why;
  };
  const std::vector<AbsentSection>& absent() const { return absent_; }
  // The sections that were checked, with the time of the question.
  const std::vector<std::pair<std::string, WallTime>>& checked() const { return checked_; }

 private:
  template <typename T>
  using Awaitable = boost::asio::awaitable<T>;

  Awaitable<void> read_states();
  Awaitable<void> check_sections();
  Awaitable<void> check_section(WatchedSection watched);
  void classify_observation(CheckedSection checked);
  Awaitable<Status> apply_pending();
  bool batch_is_due() const;
  Awaitable<Status> apply_batch(std::vector<CheckedSection> batch);
  Awaitable<void> publish_applied(std::vector<AppliedSection> applied);
  void note_refused(const CheckedSection& section, const Status& why);
  Awaitable<void> renew_lease();
  Awaitable<Result<ClosedRun>> close(Status outcome);
  Awaitable<void> settle_confirmed(ClosedRun closed);
  struct Retry {
    Backoff backoff;
    std::chrono::steady_clock::time_point give_up_at;
  };
  Retry new_retry() const;
  // False: the failure is not worth repeating, or patience is at an end. `retry` outlives the call.
  Awaitable<bool> pause_before_retry(Status status, Retry& retry);
  RunEnd describe_end(const Status& outcome);

  boost::asio::any_io_executor executor_;
  RunTools tools_;
  RunOptions options_;
  BegunRun begun_;
  db::StatementCounter counter_;
  RunSummary summary_;
  upstream::FetcherFigures asked_before_;
  std::chrono::steady_clock::time_point started_;

  std::map<std::string, StoredState> fresh_;
  bool states_read_ = false;
  std::vector<CheckedSection> early_;  // answers that came before the states
  std::size_t next_ = 0;               // the next section to ask for
  std::size_t pullers_ = 0;            // coroutines that still ask
  bool stopped_ = false;               // ask no more: the run was lost or cannot be stored
  bool done_ = false;
  bool recorded_ = false;
  std::string first_failure_;
  std::size_t stored_ = 0;  // sections that PostgreSQL took

  std::vector<CheckedSection> pending_;
  std::chrono::steady_clock::time_point oldest_pending_{};
  net::AsyncCondition progress_;  // notified whenever pending_ or pullers_ changes
  boost::asio::steady_timer renewal_;
  std::vector<CheckedSection> confirmed_;
  std::vector<std::pair<std::string, WallTime>> checked_;
  std::vector<AbsentSection> absent_;
};

}  // namespace edged::class_monitor
