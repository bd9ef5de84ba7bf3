// SPDX-License-Identifier: Apache-2.0
// What became of each tick in the cron soak. Every answer of PostgreSQL is entered here, in the
// order of its epochs, and judged: a tick that runs twice, two runs of a job at a time, a take-over
// of a run whose worker lives, an end by one who lost the run, a refusal without a reason. One
// thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/soak/cron_oracle.h"

namespace edged::soak {

struct CronFigures {
  std::uint64_t ticks = 0;  // that have a run
  std::uint64_t late = 0;   // of those, more than a minute after they were due
  std::uint64_t refused = 0;
  std::uint64_t taken_over = 0;
  std::uint64_t fenced = 0;  // ends and renewals of a run that was lost
  std::uint64_t renewed = 0;
  std::uint64_t violations = 0;
};

// Who has a run.
struct RunHolder {
  std::string worker;
  std::string process;
};

class CronLedger {
 public:
  static constexpr UnixMs kLease = 60'000;

  explicit CronLedger(std::size_t jobs) : jobs_(jobs) {}

  struct Running {
    std::int64_t id = 0;
    std::int64_t epoch = 0;
    UnixMs due = 0;
    UnixMs lease_until = 0;  // by its holder's clock
    RunHolder holder;
    UnixMs since = 0;  // real time
  };
  // The run of the job that is under way, or whose worker is dead.
  const std::optional<Running>& running(std::size_t job) const { return jobs_[job].running; }
  bool has_run(std::size_t job, UnixMs due) const { return jobs_[job].ran.contains(due); }
  // The latest tick up to `reading` that has a run.
  std::optional<UnixMs> latest_run(std::size_t job, UnixMs reading) const;
  const std::vector<BusyStretch>& busy(std::size_t job) const { return jobs_[job].busy; }
  const CronFigures& figures() const { return figures_; }

  // True if whoever looks now may take the job's run over.
  bool may_take_over(std::size_t job, const RunHolder& who, UnixMs reading) const;

  // `at` is real time, `reading` what the worker's clock shows.
  void started(std::size_t job, Running run, UnixMs at, UnixMs reading);
  void taken_over(
      std::size_t job, std::int64_t id, std::int64_t epoch, const RunHolder& who, UnixMs reading);
  // `ours`: whether PostgreSQL said so.
  void renewed(std::size_t job, std::int64_t epoch, bool ours, UnixMs reading);
  // `stretch` is when its worker had it.
  void ended(std::size_t job, std::int64_t epoch, bool ours, BusyStretch stretch);
  // Nothing was begun for the tick. Call after all that was asked at the same time is entered.
  void refused(std::size_t job, UnixMs due);

  void violation(const std::string& what);
  bool broken() const { return figures_.violations > 0; }

 private:
  struct Job {
    std::optional<Running> running;
    std::set<UnixMs> ran;
    std::vector<BusyStretch> busy;
  };
  std::vector<Job> jobs_;
  CronFigures figures_;
};

}  // namespace edged::soak
