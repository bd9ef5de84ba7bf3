// SPDX-License-Identifier: Apache-2.0
// Five simulated workers over years of simulated time, one real PostgreSQL. Events are taken in the
// order of real time; what several workers ask at about the same moment is asked at once. Clocks
// are stepped, machines sleep, processes are stopped, killed and started again, also in the midst
// of runs. One thread.
#pragma once

#include <cstdint>
#include <queue>
#include <random>
#include <string>
#include <vector>

#include "tests/soak/cron_database.h"
#include "tests/soak/cron_ledger.h"
#include "tests/soak/cron_worker.h"

namespace edged::soak {

enum class CronCanary { kNone, kTwice, kMissing };

struct CronFleetOptions {
  std::uint64_t seed = 0;
  std::uint64_t ticks = 0;  // end after so many
  UnixMs from = 0;
  UnixMs until = 0;  // the end of the oracle's tables
  std::chrono::seconds time_limit{0};
  CronCanary canary = CronCanary::kNone;
};

struct ChaosFigures {
  std::uint64_t steps_forward = 0, steps_back = 0, large_steps_back = 0;
  std::uint64_t sleeps = 0, stops = 0, kills = 0, kills_in_runs = 0, blackouts = 0;
  std::uint64_t looks = 0, asked = 0, asked_at_once_max = 0;
};

class CronFleet {
 public:
  static constexpr std::size_t kWorkers = 5;

  // Everything outlives this object; `due` by job.
  CronFleet(CronDatabase& database,
            CronLedger& ledger,
            const std::vector<std::vector<UnixMs>>& due,
            CronFleetOptions options);

  // Until enough ticks have run, or something is broken. Runs under way come to their end.
  void run();

  UnixMs jitter(std::size_t job) const { return jitters_[job].count(); }
  UnixMs now() const { return now_; }
  std::vector<std::vector<CalmStretch>> calm_stretches() const;
  const ChaosFigures& figures() const { return figures_; }

 private:
  enum class What {
    kWake,     // a ticker looks at its clock
    kPoll,     // a worker looks for a dead run
    kRenew,    // a lease is renewed
    kEnd,      // a run comes to its end
    kStart,    // a worker starts
    kKill,     // a worker is killed
    kFreeze,   // stands still
    kThaw,     // goes on
    kStep,     // its clock is stepped by `amount`
    kCorrect,  // its clock is right again, within seconds
    kDisturb,  // one of these is chosen
    kBlackout  // all are killed
  };
  struct Event {
    UnixMs at = 0;
    std::uint64_t order = 0;
    What what = What::kWake;
    std::size_t worker = 0;
    std::size_t job = 0;
    std::int64_t number =
        0;  // sleep of a wake, epoch of a run, amount of a step, length of a freeze
    std::uint64_t process = 0;
    bool operator>(const Event& other) const {
      return at != other.at ? at > other.at : order > other.order;
    }
  };
  struct Ask {
    std::size_t worker = 0;
    std::size_t job = 0;
    UnixMs due = 0;
    UnixMs at = 0;
  };

  void push(Event event);
  Event pop();
  bool enough() const;
  void handle(const Event& event);
  void handle_chaos(const Event& event);

  // cron_fleet.cc: the scheduler's side.
  void look(std::size_t worker, std::size_t job, UnixMs at);
  void sleep_until(std::size_t worker, std::size_t job, UnixMs at, UnixMs wake);
  void wake_soon(std::size_t worker, std::size_t job, UnixMs at);
  void gather_asks();
  void settle_asks();
  void take_run(const Ask& ask, const class_monitor::BegunRun& run, UnixMs not_before);
  void plan_run(std::size_t worker, std::size_t job, UnixMs at, UnixMs not_before);
  void start_polling(std::size_t job, UnixMs at);
  void poll(const Event& event);
  bool try_take_over(std::size_t worker, std::size_t job, UnixMs at);
  void renew(const Event& event);
  void end(const Event& event);

  // cron_chaos.cc: what happens to workers.
  void start(std::size_t worker, UnixMs at);
  void kill(std::size_t worker, UnixMs at, UnixMs down);
  void freeze(std::size_t worker, UnixMs at, UnixMs length);
  void step(std::size_t worker, UnixMs at, UnixMs amount);
  void disturb(std::size_t worker, UnixMs at);
  void catch_up(std::size_t worker, UnixMs at);
  void blackout(UnixMs at);

  UnixMs between(UnixMs low, UnixMs high);
  bool chance(double probability);
  UnixMs rarely(UnixMs mean);  // exponential

  CronDatabase& database_;
  CronLedger& ledger_;
  const std::vector<std::vector<UnixMs>>& due_;
  CronFleetOptions options_;
  std::mt19937_64 random_;
  std::vector<std::vector<worker::Schedule>> schedules_;  // by job
  std::vector<std::chrono::milliseconds> jitters_;
  std::vector<CronWorker> workers_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::uint64_t order_ = 0;
  std::vector<Ask> asks_;
  UnixMs now_ = 0;
  bool ending_ = false;  // no more ticks, no more chaos
  ChaosFigures figures_;
};

}  // namespace edged::soak
