// SPDX-License-Identifier: Apache-2.0
#include "worker/cron/tick_plan.h"

#include <algorithm>
#include <utility>

#include "proto/base/hash.h"

namespace edged::worker {

using std::chrono::milliseconds;

std::optional<Misfire> parse_misfire(std::string_view text) {
  if (text == "none") return Misfire::kNone;
  if (text == "last") return Misfire::kLast;
  return std::nullopt;
}

milliseconds stable_jitter(std::string_view job, milliseconds jitter_max) {
  if (jitter_max.count() <= 0) return milliseconds(0);
  // Finished as MurmurHash3 does: FNV-1a alone puts names that differ in their last letter close
  // together.
  std::uint64_t hash = fnv1a_64(job);
  hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccd;
  hash ^= hash >> 33;
  return milliseconds(
      static_cast<std::int64_t>(hash % static_cast<std::uint64_t>(jitter_max.count())));
}

TickPlan::TickPlan(std::vector<Schedule> schedules,
                   Misfire misfire,
                   milliseconds jitter,
                   WallTime start)
    : schedules_(std::move(schedules)), misfire_(misfire), jitter_(jitter), latest_now_(start) {
  settle(start);
}

TickPlan::Step TickPlan::next(WallTime now) {
  if (now < latest_now_ - kBackStepMax) {
    latest_now_ = now;
    settle(now);
  }
  latest_now_ = std::max(latest_now_, now);
  if (!next_due_) return {std::nullopt, kSleepMax};
  const WallTime until = now - jitter_;
  if (*next_due_ > until) return {std::nullopt, std::min(*next_due_ - until, kSleepMax)};
  const std::optional<WallTime> tick = latest_in(settled_, until);
  settle(tick.value_or(until));
  if (tick && (misfire_ == Misfire::kLast || until - *tick <= kLateMax)) return {tick, {}};
  return next(now);  // once: what is due next lies after `until`
}

void TickPlan::settle(WallTime time) {
  settled_ = time;
  next_due_.reset();
  for (const Schedule& schedule : schedules_) {
    const auto due = schedule.next_after(time);
    if (due && (!next_due_ || *due < *next_due_)) next_due_ = due;
  }
}

std::optional<WallTime> TickPlan::latest_in(WallTime after, WallTime until) const {
  std::optional<WallTime> latest;
  for (const Schedule& schedule : schedules_) {
    const auto tick = schedule.latest_in(after, until);
    if (tick && (!latest || *tick > *latest)) latest = tick;
  }
  return latest;
}

}  // namespace edged::worker
