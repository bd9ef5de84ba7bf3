// SPDX-License-Identifier: Apache-2.0
// See mirror_run.h.
#include "tests/soak/mirror_run.h"

#include <cstdio>

namespace edged::soak {
namespace {

constexpr std::uint64_t kPrintedMax = 30;
// Within so long the worker has seen that a table has changed.
constexpr std::int64_t kShapePatienceMs = 20'000;

}  // namespace

void Gate::enter() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !closed_; });
  ++inside_;
}

void Gate::leave() {
  const std::lock_guard lock(mutex_);
  --inside_;
  changed_.notify_all();
}

void Gate::close() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !closed_; });
  closed_ = true;
  changed_.wait(lock, [this] { return inside_ == 0; });
}

void Gate::open() {
  const std::lock_guard lock(mutex_);
  closed_ = false;
  changed_.notify_all();
}

bool MirrorRun::unsettled(const Answer& answer) const {
  const std::int64_t changed = shape_changed_ms.load();
  const bool seen = answer.fresh_ms && *answer.fresh_ms > changed;
  return !seen && answer.asked_ms - changed < kShapePatienceMs;
}

void MirrorRun::violation(const std::string& what) {
  if (figures.violations.fetch_add(1) >= kPrintedMax) return;
  std::printf("VIOLATION at %lld: %s\n", static_cast<long long>(wall_ms()), what.c_str());
  std::fflush(stdout);
}

}  // namespace edged::soak
