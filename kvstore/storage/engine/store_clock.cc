// SPDX-License-Identifier: Apache-2.0
// The latch between the wall clock and node time (docs/storage-format.md, section 6).
#include "kvstore/storage/engine/store_clock.h"

#include <sys/timex.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <utility>

#include "proto/base/hex.h"
#include "proto/base/log.h"
#include "proto/base/units.h"

namespace edged::storage {
namespace {

// A pending step whose size changes by more than this is another step.
constexpr std::int64_t kSameStepMs = 1000;
// Below this a difference is the rounding of two clocks to milliseconds.
constexpr std::int64_t kJitterMs = 3;
// Node time that is ahead runs at nine tenths until the wall clock has caught up.
constexpr std::int64_t kSlewDivisor = 10;

std::string in_seconds(std::int64_t ms) {
  return (ms < 0 ? "-" : "+") + format_duration(std::chrono::milliseconds(std::abs(ms)));
}

// Where node time starts. On the same boot CLOCK_BOOTTIME tells how long the store was away, so a
// step of the wall clock meanwhile is noticed and left to tick() as a pending one.
std::int64_t start_ms(std::int64_t wall_ms,
                      std::int64_t boot_ms,
                      const std::string& boot_id,
                      const std::optional<ClockMark>& mark) {
  if (!mark) return wall_ms;
  const std::int64_t marked_ms = to_unix_ms(mark->node_time);
  const std::int64_t away_ms = boot_ms - mark->boot.count();
  if (mark->boot_id != boot_id || away_ms < 0) return std::max(wall_ms, marked_ms);
  const std::int64_t expected_ms = marked_ms + away_ms;
  if (wall_ms > expected_ms + StoreClock::kStepMax.count()) return expected_ms;
  return std::max(wall_ms, expected_ms);
}

}  // namespace

bool kernel_says_synchronised(WallTime wall) {
  struct timex state {};
  if (adjtimex(&state) == TIME_ERROR || (state.status & STA_UNSYNC) != 0) return false;
  const std::int64_t kernel_ms = static_cast<std::int64_t>(state.time.tv_sec) * 1000;
  return std::abs(kernel_ms - to_unix_ms(wall)) <=
         2000;  // tv_sec alone: up to 1 s, and 1 s of slack
}

std::string read_boot_id() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string text;
  std::getline(file, text);
  text.erase(std::remove(text.begin(), text.end(), '-'), text.end());
  const auto bytes = from_hex(text);
  return bytes && bytes->size() == 16 ? *bytes : std::string(16, '\0');
}

StoreClock::StoreClock(const Clock& clock,
                       SynchronisedProbe synchronised,
                       std::string boot_id,
                       const std::optional<ClockMark>& mark)
    : clock_(clock), synchronised_(std::move(synchronised)), boot_id_(std::move(boot_id)) {
  const std::int64_t wall_ms = to_unix_ms(clock_.wall_now());
  const std::int64_t boot_ms = clock_.boot_now().count();
  const std::int64_t node_ms = start_ms(wall_ms, boot_ms, boot_id_, mark);
  offset_ms_ = node_ms - boot_ms;
  floor_ms_ = node_ms;
  last_tick_boot_ms_ = boot_ms;
  steady_since_boot_ms_ = boot_ms;
  // A time above the mark comes from this start's wall clock and is not confirmed by the old one,
  // unless it is the old one continued.
  confirmed_ = mark && mark->confirmed && (mark->boot_id == boot_id_ || node_ms != wall_ms);
}

WallTime StoreClock::now() const {
  const std::int64_t node_ms = clock_.boot_now().count() + offset_ms_.load();
  return from_unix_ms(std::max(node_ms, floor_ms_.load()));
}

// Wall and boot time of one moment: read again if the thread was put aside between the two.
std::optional<std::pair<WallTime, std::int64_t>> StoreClock::read_both() const {
  for (int attempt = 0; attempt < 5; ++attempt) {
    const auto before = clock_.boot_now();
    const WallTime wall = clock_.wall_now();
    const auto after = clock_.boot_now();
    if ((after - before).count() <= 1) return std::pair(wall, after.count());
  }
  return std::nullopt;
}

void StoreClock::tick() {
  const std::lock_guard lock(mutex_);
  const auto both = read_both();
  if (!both) return;  // the next second will do
  const auto [wall, boot_ms] = *both;
  const std::int64_t elapsed_ms = std::max<std::int64_t>(0, boot_ms - last_tick_boot_ms_);
  last_tick_boot_ms_ = boot_ms;
  const std::chrono::milliseconds difference(to_unix_ms(wall) - (boot_ms + offset_ms_.load()));
  if (difference > kStepMax || difference < -kStepMax) {
    judge_step(difference, wall, boot_ms);
    return;
  }
  if (pending_ms_ != 0) {
    log::info("clock: the wall clock agrees with node time again; its step was not followed");
    pending_ms_ = 0;
    steady_since_boot_ms_ = boot_ms;
  }
  if (difference.count() > kJitterMs) {
    offset_ms_.fetch_add(difference.count());
  } else if (difference.count() < -kJitterMs) {
    floor_ms_ = std::max(floor_ms_.load(), boot_ms + offset_ms_.load() + 1);
    offset_ms_.fetch_sub(std::min(-difference.count(), elapsed_ms / kSlewDivisor));
  }
  confirmed_ =
      confirmed_ || boot_ms - steady_since_boot_ms_ >= kStableFor.count() || synchronised_(wall);
}

void StoreClock::judge_step(std::chrono::milliseconds difference,
                            WallTime wall,
                            std::int64_t boot_ms) {
  const std::int64_t step_ms = difference.count();
  steady_since_boot_ms_ = boot_ms;
  if (pending_ms_ == 0 || std::abs(step_ms - pending_ms_) > kSameStepMs) {
    log::warn("clock: the wall clock is " + in_seconds(step_ms) +
              " from node time; not followed until it is confirmed");
    pending_ms_ = step_ms;
    pending_since_boot_ms_ = boot_ms;
  }
  const bool stable = boot_ms - pending_since_boot_ms_ >= kStableFor.count();
  // Backwards, stability proves nothing: a clock whose battery died is stable in 1970. And going
  // back from a time that was right revives what had expired.
  const bool follows =
      step_ms > 0 ? stable || synchronised_(wall) : !confirmed_ && synchronised_(wall);
  if (follows) {
    log::warn("clock: step of " + in_seconds(step_ms) + " confirmed and followed");
    follow(step_ms, boot_ms);
  }
}

void StoreClock::follow(std::int64_t difference_ms, std::int64_t boot_ms) {
  pending_ms_ = 0;
  steady_since_boot_ms_ = boot_ms;
  confirmed_ = true;
  if (difference_ms < 0) floor_ms_ = boot_ms + offset_ms_.load() + difference_ms;
  offset_ms_.fetch_add(difference_ms);
}

void StoreClock::raise(WallTime floor) {
  const std::lock_guard lock(mutex_);
  const std::int64_t node_ms = clock_.boot_now().count() + offset_ms_.load();
  if (to_unix_ms(floor) > node_ms) offset_ms_.fetch_add(to_unix_ms(floor) - node_ms);
}

void StoreClock::confirm() {
  const std::lock_guard lock(mutex_);
  const std::int64_t boot_ms = clock_.boot_now().count();
  follow(to_unix_ms(clock_.wall_now()) - (boot_ms + offset_ms_.load()), boot_ms);
}

std::chrono::milliseconds StoreClock::pending_step() const {
  const std::lock_guard lock(mutex_);
  return std::chrono::milliseconds(pending_ms_);
}

bool StoreClock::confirmed() const {
  const std::lock_guard lock(mutex_);
  return confirmed_;
}

ClockMark StoreClock::mark() const {
  const std::lock_guard lock(mutex_);
  const std::int64_t boot_ms = clock_.boot_now().count();
  const std::int64_t node_ms = std::max(boot_ms + offset_ms_.load(), floor_ms_.load());
  return {from_unix_ms(node_ms), std::chrono::milliseconds(boot_ms), boot_id_, confirmed_};
}

}  // namespace edged::storage
