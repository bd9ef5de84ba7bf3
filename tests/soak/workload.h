// SPDX-License-Identifier: Apache-2.0
// Random bursts of writes, written into a Journal before they are submitted and checked against it
// when they are answered. One thread; answers come on the store's writer thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <random>
#include <string>

#include "proto/base/clock.h"
#include "tests/soak/journal.h"

namespace edged::soak {

// A clock that can be shared with a process to come. Only advance() moves it.
class SharedClock final : public Clock {
 public:
  WallTime wall_now() const override { return from_unix_ms(kBootedAtMs + boot_ms_.load()); }
  std::chrono::milliseconds boot_now() const override {
    return std::chrono::milliseconds(boot_ms_.load());
  }
  std::int64_t now_ms() const { return kBootedAtMs + boot_ms_.load(); }
  void advance(std::int64_t ms) { boot_ms_.fetch_add(ms); }

 private:
  static constexpr std::int64_t kBootedAtMs = 1'767'225'600'000;  // 2026-01-01T00:00:00Z
  std::atomic<std::int64_t> boot_ms_{3'600'000};
};

class Workload {
 public:
  // `sync_one_in`: how seldom a write asks for kSync. `last_value` is counted up for every value.
  Workload(SharedClock& clock,
           std::mt19937_64& random,
           std::atomic<std::uint64_t>& last_value,
           unsigned sync_one_in)
      : clock_(clock), random_(random), last_value_(last_value), sync_one_in_(sync_one_in) {}

  enum class Ended { kAnswered, kFailed, kWrong };

  // Submits 1 to 16 operations at once and waits for all answers. kFailed: at least one was
  // answered with an error Status, so what became of it is not known. kWrong: see wrong().
  // `acknowledge_early` breaks the promise on purpose.
  Ended burst(storage::Store& store,
              storage::NamespaceNumber ns,
              Journal& journal,
              bool acknowledge_early);
  const std::string& wrong() const { return wrong_; }

  std::uint64_t pick(std::uint64_t below) { return random_() % below; }

  // Takes over what the journal says, after an audit.
  void begin(const Journal& journal) { model_ = journal.base; }

 private:
  Planned plan(bool race, std::uint32_t race_key);
  void plan_all(Journal& journal, std::uint64_t first, std::uint64_t count);
  void judge(Journal& journal, std::uint64_t first);

  SharedClock& clock_;
  std::mt19937_64& random_;
  std::atomic<std::uint64_t>& last_value_;
  const unsigned sync_one_in_;
  std::array<KeyState, kKeys> model_;
  std::string wrong_;
};

}  // namespace edged::soak
