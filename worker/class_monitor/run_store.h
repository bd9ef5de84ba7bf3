// SPDX-License-Identifier: Apache-2.0
// The run's statements (statements.sql) as typed calls. statements.sql says what a run may rely on;
// this file only carries values in and out. On the executor's thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "proto/base/clock.h"
#include "proto/base/status.h"
#include "worker/class_monitor/section_state.h"
#include "worker/cron/job_runner.h"
#include "worker/db/pg_pool.h"

namespace edged::class_monitor {

inline constexpr const char* kJobName = "class-monitor";

struct WatchedSection {
  std::string class_nbr;
  std::string term;
  std::string subject;
  std::string catalog_nbr;
  std::string ignored_terms;                  // older terms that watches name too; empty: none
  std::optional<std::int64_t> settled_epoch;  // of the run that last settled its state
};

struct BeginRequest {
  std::optional<WallTime> due_at;  // nothing: only a run whose worker died is taken over
  std::string cause;               // edged.cron_runs.cause
  std::string idempotency_key;     // empty: none
};

// A run as one worker holds it. A worker that takes it over has another epoch.
struct RunHold {
  std::int64_t id = 0;
  std::int64_t epoch = 0;
  bool resumed = false;  // taken over from a worker that died
};

struct BegunRun {
  RunHold hold;
  // The request's key has this run already. Nothing was begun, and the fields below are empty.
  bool known = false;
  bool of_key = true;  // false: what was taken over is not the run of the request's key
  // The position at which a mirror has all that was listed, as PostgreSQL writes it; empty: no
  // mirror keeps the states.
  std::string position;
  std::string past_terms;  // whose watches are left alone, "2254, 2257"; empty: none
  std::vector<WatchedSection> sections;
};

struct CheckedSection {
  WatchedSection watched;
  upstream::SectionObservation observation;  // normalized
  WallTime requested_at{};
};

struct AppliedSection {
  SectionState state;
  bool stored = false;  // PostgreSQL holds exactly `state`
  bool changed = false;
  bool opened = false;
  bool assigned = false;
  std::vector<std::string> claims;  // "{class_watch_id}:{type}"
  std::vector<std::string> resets;
};

struct ConfirmedSection {
  std::string class_nbr;
  std::int64_t settled_epoch = 0;
  WallTime requested_at{};
};

struct RunEnd {
  bool succeeded = true;
  std::string summary;  // a JSON object
  std::string error;
  std::vector<ConfirmedSection> confirmed;
  // Sections whose last_checked_at is brought up to date; empty: none.
  std::vector<std::pair<std::string, WallTime>> checked;
};

struct ClosedRun {
  std::optional<std::string>
      summary;  // with notifications; nothing: another worker took the run over
  std::vector<std::string> conflicts;  // confirmed sections that another run settled meanwhile
};

struct RunStoreOptions {
  std::string job = kJobName;
  std::string worker;   // the installation: the same after a restart
  std::string process;  // this process alone
  std::chrono::seconds lease{60};
  std::chrono::seconds claim_lifetime{std::chrono::hours(24)};
  std::chrono::seconds mail_valid_for{std::chrono::minutes(30)};
  // How long after its last new watch a term is past, and its watches are left alone; 0: never.
  std::chrono::seconds past_term_after{0};
  // For an instructor who is not assigned; compared without case and surrounding blanks.
  std::vector<std::string> placeholders{"", "staff", "tba", "instructor unassigned"};
  // Frozen with each mail; empty: what holds when it is sent.
  std::string mail_from;  // "PickMyClass <notify@example.org>"
  std::string mail_url;   // of the application
};

// A mail of a run that will never be sent.
struct DeadMail {
  std::string key;
  std::string class_nbr;
  std::string reason;
};

class RunStore {
 public:
  RunStore(db::PgPool& pool, RunStoreOptions options);

  // Whether a mirror keeps the states and follows PostgreSQL. If so, runs return the position at
  // which it has what they saw.
  void set_mirrored(bool mirrored = true) { mirrored_ = mirrored; }

  std::uint64_t messages_per_statement() const { return pool_.messages_per_statement(); }

  template <typename T>
  using Awaitable = boost::asio::awaitable<T>;

  // Returns nothing if the tick was run already, or a run is under way. With a key also if another
  // worker begins the key's run at this moment; a second call then returns that run.
  Awaitable<Result<std::optional<BegunRun>>> begin(BeginRequest request,
                                                   WallTime now,
                                                   db::StatementCounter* counter);
  // The run that the key has, or nothing.
  Awaitable<Result<std::optional<std::int64_t>>> run_of_key(std::string idempotency_key);
  // False: the run was taken over.
  Awaitable<Result<bool>> renew_lease(RunHold run, WallTime now);
  // Safe to repeat with the same run and epoch after an unknown outcome. kInvalidArgument: the
  // database refuses a row of these sections; nothing was stored.
  Awaitable<Result<std::vector<AppliedSection>>> apply(std::vector<CheckedSection> sections,
                                                       RunHold run,
                                                       WallTime now,
                                                       db::StatementCounter* counter);
  // Safe to repeat, as apply.
  Awaitable<Result<ClosedRun>> finish(RunEnd end,
                                      RunHold run,
                                      WallTime now,
                                      db::StatementCounter* counter);
  // kNotFound if there is no such run.
  Awaitable<Result<worker::RunRecord>> record(std::int64_t run_id);
  // The latest tick up to `now` that has a run; nothing: none.
  Awaitable<Result<std::optional<WallTime>>> last_tick(WallTime now);
  // How many mails of a run are in the queue.
  Awaitable<Result<std::int64_t>> mails_waiting(std::int64_t run_id);
  Awaitable<Result<std::vector<DeadMail>>> dead_mails(std::int64_t run_id);
  // The newest runs of any cause, the newest first.
  Awaitable<Result<std::vector<worker::RunRecord>>> newest_runs(int limit);

 private:
  db::PgPool& pool_;
  RunStoreOptions options_;
  std::string letter_;  // what all mails have in common, as JSON
  bool mirrored_ = false;
};

}  // namespace edged::class_monitor
