// SPDX-License-Identifier: Apache-2.0
#include "tests/soak/cron_ledger.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "proto/base/clock.h"

namespace edged::soak {
namespace {

constexpr std::uint64_t kViolationsTold = 10;

std::string tick_of(std::size_t job, UnixMs due) {
  return std::string(cron_jobs()[job].name) + " of " + format_rfc3339(from_unix_ms(due));
}

}  // namespace

std::optional<UnixMs> CronLedger::latest_run(std::size_t job, UnixMs reading) const {
  const std::set<UnixMs>& ran = jobs_[job].ran;
  const auto next = ran.upper_bound(reading);
  if (next == ran.begin()) return std::nullopt;
  return *std::prev(next);
}

bool CronLedger::may_take_over(std::size_t job, const RunHolder& who, UnixMs reading) const {
  const std::optional<Running>& running = jobs_[job].running;
  if (!running) return false;
  const bool restarted =
      running->holder.worker == who.worker && running->holder.process != who.process;
  return restarted || running->lease_until <= reading;
}

void CronLedger::started(std::size_t job, Running run, UnixMs at, UnixMs reading) {
  Job& entry = jobs_[job];
  if (!entry.ran.insert(run.due).second) violation(tick_of(job, run.due) + " was started twice");
  if (entry.running) {
    violation(tick_of(job, run.due) + " was started during the run of " +
              tick_of(job, entry.running->due));
  }
  if (reading - run.due > 60'000) ++figures_.late;
  ++figures_.ticks;
  run.since = at;
  run.lease_until = reading + kLease;
  entry.running = std::move(run);
}

void CronLedger::taken_over(
    std::size_t job, std::int64_t id, std::int64_t epoch, const RunHolder& who, UnixMs reading) {
  std::optional<Running>& running = jobs_[job].running;
  if (!running || running->id != id) {
    violation("run " + std::to_string(id) + " was taken over, and was over");
    return;
  }
  if (!may_take_over(job, who, reading)) {
    violation(tick_of(job, running->due) + " was taken over from " + running->holder.process +
              ", which lives, by " + who.process);
  }
  ++figures_.taken_over;
  running->epoch = epoch;
  running->holder = who;
  running->lease_until = reading + kLease;
}

void CronLedger::renewed(std::size_t job, std::int64_t epoch, bool ours, UnixMs reading) {
  std::optional<Running>& running = jobs_[job].running;
  const bool expected = running && running->epoch == epoch;
  if (ours != expected) {
    violation(std::string("the lease of a run of ") + cron_jobs()[job].name +
              (ours ? " was renewed by one who had lost it" : " was refused to its holder"));
  }
  if (ours && running) running->lease_until = reading + kLease;
  ++(ours ? figures_.renewed : figures_.fenced);
}

void CronLedger::ended(std::size_t job, std::int64_t epoch, bool ours, BusyStretch stretch) {
  Job& entry = jobs_[job];
  const bool expected = entry.running && entry.running->epoch == epoch;
  if (ours != expected) {
    violation(std::string("a run of ") + cron_jobs()[job].name +
              (ours ? " was ended by one who had lost it" : " could not be ended by its holder"));
  }
  if (ours && entry.running) {
    stretch.from = std::min(stretch.from, entry.running->since);
    entry.running.reset();
  } else {
    ++figures_.fenced;
  }
  entry.busy.push_back(stretch);
}

void CronLedger::refused(std::size_t job, UnixMs due) {
  ++figures_.refused;
  if (jobs_[job].running || jobs_[job].ran.contains(due)) return;
  violation(tick_of(job, due) + " was refused, has no run, and no other run is under way");
}

void CronLedger::violation(const std::string& what) {
  if (++figures_.violations <= kViolationsTold) std::printf("BROKEN: %s\n", what.c_str());
}

}  // namespace edged::soak
