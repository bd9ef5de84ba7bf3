// SPDX-License-Identifier: Apache-2.0
// CronFleet: what happens to its workers.
#include <algorithm>

#include "tests/soak/cron_fleet.h"

namespace edged::soak {
namespace {

using worker::TickPlan;
constexpr UnixMs kSleepMax = TickPlan::kSleepMax.count();
constexpr UnixMs kSecond = 1'000;
constexpr UnixMs kMinute = 60 * kSecond;
constexpr UnixMs kHour = 60 * kMinute;
constexpr UnixMs kDay = 24 * kHour;

}  // namespace

void CronFleet::handle_chaos(const Event& event) {
  CronWorker& worker = workers_[event.worker];
  const bool void_by_now = event.process != worker.process;
  if (event.what == What::kStart) return start(event.worker, event.at);
  if (event.what == What::kThaw) {
    if (!void_by_now && !ending_) worker.begin_stretch(event.at);
    return;
  }
  if (ending_) return;
  switch (event.what) {
    case What::kKill:
      if (void_by_now || !worker.up) return;
      ++figures_.kills_in_runs;
      return kill(event.worker, event.at, event.number);
    case What::kFreeze:
      if (!void_by_now) freeze(event.worker, event.at, event.number);
      return;
    case What::kStep:
      return step(event.worker, event.at, event.number);
    case What::kCorrect:
      return step(event.worker, event.at, between(-3'000, 3'000) - worker.offset);
    case What::kBlackout:
      return blackout(event.at);
    default:
      disturb(event.worker, event.at);
      push({.at = event.at + rarely(12 * kHour), .what = What::kDisturb, .worker = event.worker});
  }
}

// As a worker does it: a run that was left is taken over, then the schedule goes on after the
// latest tick that has a run.
void CronFleet::start(std::size_t index, UnixMs at) {
  CronWorker& worker = workers_[index];
  ++worker.process;
  worker.up = true;
  worker.started_at = at;
  if (!ending_) worker.begin_stretch(at);
  const UnixMs reading = worker.reading(at);
  for (std::size_t job = 0; job < due_.size(); ++job) {
    CronPost& post = worker.posts[job];
    const std::uint64_t sleep = post.sleep;
    post = CronPost();
    post.sleep = sleep;
    const RunHolder holder = worker.holder();
    post.store = database_.make_store(cron_jobs()[job].name, holder.worker, holder.process);
    if (ledger_.running(job) || chance(0.2)) (void)try_take_over(index, job, at);
    if (ledger_.running(job)) start_polling(job, at);
    if (ending_) continue;
    const auto last = database_.last_tick(*post.store, from_unix_ms(reading));
    if (!last) return ledger_.violation(last.error().to_string());
    const std::optional<UnixMs> expected = ledger_.latest_run(job, reading);
    if (last->has_value() != expected.has_value() ||
        (expected && to_unix_ms(**last) != *expected)) {
      return ledger_.violation(std::string("the last tick of ") + cron_jobs()[job].name +
                               " is another one than that which ran");
    }
    const UnixMs from = expected.value_or(reading);
    const worker::Misfire misfire = cron_jobs()[job].misfire;
    post.plan.emplace(schedules_[job], misfire, jitters_[job], from_unix_ms(from));
    post.oracle.emplace(due_[job], misfire, jitters_[job], from);
    look(index, job, at);
  }
}

void CronFleet::kill(std::size_t index, UnixMs at, UnixMs down) {
  CronWorker& worker = workers_[index];
  if (!worker.up) return;
  worker.end_stretch(at);
  worker.up = false;
  worker.frozen_until = 0;
  ++worker.process;  // all that it meant to do is void
  for (CronPost& post : worker.posts) post = CronPost{.sleep = post.sleep};
  push({.at = at + down, .what = What::kStart, .worker = index});
}

void CronFleet::freeze(std::size_t index, UnixMs at, UnixMs length) {
  CronWorker& worker = workers_[index];
  if (!worker.up || worker.frozen(at)) return;
  catch_up(index, at);
  worker.end_stretch(at);
  worker.frozen_from = at;
  worker.frozen_until = at + length;
  worker.machine_sleeps = chance(0.5);
  ++(worker.machine_sleeps ? figures_.sleeps : figures_.stops);
  push(
      {.at = worker.frozen_until, .what = What::kThaw, .worker = index, .process = worker.process});
}

void CronFleet::step(std::size_t index, UnixMs at, UnixMs amount) {
  CronWorker& worker = workers_[index];
  ++(amount > 0 ? figures_.steps_forward : figures_.steps_back);
  if (amount < -TickPlan::kBackStepMax.count()) ++figures_.large_steps_back;
  const bool runs = worker.up && !worker.frozen(at);
  if (runs) catch_up(index, at);
  if (runs) worker.end_stretch(at);
  worker.offset += amount;
  if (runs) worker.begin_stretch(at);
}

void CronFleet::disturb(std::size_t index, UnixMs at) {
  const int kind = static_cast<int>(between(0, 99));
  if (kind < 30) {
    ++figures_.kills;
    return kill(
        index, at, chance(0.7) ? between(kSecond, 2 * kMinute) : between(kMinute, 10 * kHour));
  }
  if (kind < 60) {
    return freeze(
        index, at, chance(0.5) ? between(kSecond, 2 * kMinute) : between(kMinute, 6 * kHour));
  }
  UnixMs amount = between(1, 30 * kSecond);
  if (kind >= 80) amount = between(kMinute, kHour);
  if (kind >= 90) amount = between(kHour, 5 * kHour);
  if (kind >= 98) amount = between(kDay, 3 * kDay);
  // Never further from the truth than the oracle's tables go beyond it.
  if (chance(0.5) || workers_[index].offset + amount > 4 * kDay) amount = -amount;
  step(index, at, amount);
  push({.at = at + between(10 * kMinute, kDay), .what = What::kCorrect, .worker = index});
}

// The sleeps that were taken as one end at `at`: the last look before it is made up for, and the
// next one comes as it would have come.
void CronFleet::catch_up(std::size_t index, UnixMs at) {
  CronWorker& worker = workers_[index];
  for (std::size_t job = 0; job < due_.size(); ++job) {
    CronPost& post = worker.posts[job];
    if (!post.asleep || post.wakes_at <= at || post.wakes_at - post.looked_at <= kSleepMax)
      continue;
    const UnixMs slept = (at - 1 - post.looked_at) / kSleepMax * kSleepMax;
    const UnixMs looked_at = post.looked_at + std::max<UnixMs>(0, slept);
    if (slept > 0) {
      look(index, job, looked_at);
      if (!asks_.empty()) ledger_.violation("a plan wants to run in the midst of a sleep");
    }
    sleep_until(index, job, looked_at, looked_at + kSleepMax);
  }
}

void CronFleet::blackout(UnixMs at) {
  ++figures_.blackouts;
  const UnixMs length = between(5 * kMinute, 12 * kHour);
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    kill(i, at, length + between(0, 10 * kMinute));
  }
  push({.at = at + rarely(40 * kDay), .what = What::kBlackout});
}

}  // namespace edged::soak
