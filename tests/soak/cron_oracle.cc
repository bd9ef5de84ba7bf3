// SPDX-License-Identifier: Apache-2.0
#include "tests/soak/cron_oracle.h"

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <string>

namespace edged::soak {
namespace {

constexpr UnixMs kMinute = 60'000;
constexpr UnixMs kHour = 60 * kMinute;
constexpr UnixMs kBackStepMax = 3 * kHour;
constexpr UnixMs kLateMax = kMinute;
constexpr UnixMs kCalmBefore = kBackStepMax + 10 * kMinute;
constexpr UnixMs kBusyMax = 24 * kHour;  // no run, dead or not, is under way for longer
constexpr UnixMs kCalmAfter = 32'000;    // a sleep, and what it takes to begin

// The C library's zone while this lives.
class CurrentZone {
 public:
  explicit CurrentZone(const char* zone) {
    const char* before = std::getenv("TZ");
    if (before != nullptr) before_ = before;
    had_ = before != nullptr;
    setenv("TZ", zone, 1);
    tzset();
  }
  ~CurrentZone() {
    if (had_) {
      setenv("TZ", before_.c_str(), 1);
    } else {
      unsetenv("TZ");
    }
    tzset();
  }
  CurrentZone(const CurrentZone&) = delete;
  CurrentZone& operator=(const CurrentZone&) = delete;

  // What clocks on the wall show, also as minutes since 1970-01-01 00:00 of the wall.
  static std::tm local(UnixMs at) {
    const std::time_t seconds = at / 1000;
    std::tm shown{};
    localtime_r(&seconds, &shown);
    return shown;
  }
  static std::int64_t wall_minutes(std::tm shown) { return timegm(&shown) / 60; }

 private:
  bool had_ = false;
  std::string before_;
};

// The reading `minutes` of the wall as a calendar time.
std::tm reading(std::int64_t minutes) {
  const std::time_t seconds = minutes * 60;
  std::tm shown{};
  gmtime_r(&seconds, &shown);
  return shown;
}

// Every minute there is, in order. A fixed time counts once for each reading: at the first moment
// that shows it, or, if clocks skip it, at the moment they jump over it.
void add_by_minutes(const CronRule& rule, UnixMs from, UnixMs until, std::vector<UnixMs>& due) {
  constexpr UnixMs kWarmUp = 48 * kHour;
  std::int64_t latest = 0;
  for (UnixMs at = from - kWarmUp; at < until; at += kMinute) {
    const std::tm shown = CurrentZone::local(at);
    const std::int64_t now = CurrentZone::wall_minutes(shown);
    if (at == from - kWarmUp) latest = now;
    bool is_due = false;
    if (rule.real_time) {
      is_due = rule.matches(shown);
    } else {
      for (std::int64_t minute = latest + 1; minute <= now; ++minute) {
        is_due = is_due || rule.matches(reading(minute));
      }
    }
    latest = std::max(latest, now);
    if (is_due && at >= from) due.push_back(at);
  }
}

}  // namespace

std::vector<UnixMs> due_times(const CronJobSpec& job, UnixMs from, UnixMs until) {
  const CurrentZone zone(job.zone);
  std::vector<UnixMs> due;
  for (const CronRule& rule : job.rules) {
    if (rule.every.count() == 0) {
      add_by_minutes(rule, from, until, due);
      continue;
    }
    const UnixMs every = rule.every.count();
    for (UnixMs at = (from + every - 1) / every * every; at < until; at += every) due.push_back(at);
  }
  std::sort(due.begin(), due.end());
  due.erase(std::unique(due.begin(), due.end()), due.end());
  return due;
}

ZoneChanges zone_changes(const char* name, UnixMs from, UnixMs until) {
  const CurrentZone zone(name);
  ZoneChanges changes;
  std::int64_t before = CurrentZone::wall_minutes(CurrentZone::local(from));
  for (UnixMs at = from + kMinute; at < until; at += kMinute) {
    const std::int64_t now = CurrentZone::wall_minutes(CurrentZone::local(at));
    if (now > before + 1) ++changes.forwards;
    if (now < before + 1) ++changes.backwards;
    before = now;
  }
  return changes;
}

std::optional<UnixMs> PlanOracle::look(UnixMs now) {
  if (now < latest_reading_ - kBackStepMax) {
    latest_reading_ = now;
    seen_ = now;
  }
  latest_reading_ = std::max(latest_reading_, now);
  const UnixMs until = now - jitter_;
  const auto next = std::upper_bound(due_->begin(), due_->end(), until);
  if (next == due_->begin() || *(next - 1) <= seen_) return std::nullopt;
  const UnixMs tick = *(next - 1);
  seen_ = tick;
  if (misfire_ == worker::Misfire::kLast || until - tick <= kLateMax) return tick;
  return std::nullopt;
}

bool must_have_run(UnixMs due,
                   UnixMs jitter,
                   const std::vector<std::vector<CalmStretch>>& calm,
                   const std::vector<BusyStretch>& busy) {
  const auto was_in_time = [&](const CalmStretch& stretch) {
    const UnixMs at = due + jitter - stretch.offset;  // when its clock shows the tick
    if (stretch.from + kCalmBefore > at || at + kCalmAfter > stretch.until) return false;
    const auto first = std::partition_point(
        busy.begin(), busy.end(), [at](const BusyStretch& run) { return run.until + 1'000 < at; });
    for (auto run = first; run != busy.end() && run->until < at + kBusyMax; ++run) {
      if (run->due != due && run->from <= at + kCalmAfter) return false;
    }
    return true;
  };
  return std::any_of(calm.begin(), calm.end(), [&](const std::vector<CalmStretch>& of_worker) {
    return std::any_of(of_worker.begin(), of_worker.end(), was_in_time);
  });
}

}  // namespace edged::soak
