// SPDX-License-Identifier: Apache-2.0
#include "tests/soak/cron_fleet.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "proto/base/check.h"

namespace edged::soak {
namespace {

using worker::TickPlan;
constexpr UnixMs kSleepMax = TickPlan::kSleepMax.count();
constexpr UnixMs kPollInterval = 10'000;
constexpr UnixMs kRenewal = 15'000;
constexpr UnixMs kRecordPoll = 200;

std::string time_text(std::optional<UnixMs> time) {
  return time ? format_rfc3339(from_unix_ms(*time)) : "nothing";
}

}  // namespace

CronFleet::CronFleet(CronDatabase& database,
                     CronLedger& ledger,
                     const std::vector<std::vector<UnixMs>>& due,
                     CronFleetOptions options)
    : database_(database),
      ledger_(ledger),
      due_(due),
      options_(options),
      random_(options.seed),
      now_(options.from) {
  for (const CronJobSpec& spec : cron_jobs()) {
    const auto zone = worker::TimeZone::load(spec.zone);
    KV_CHECK(zone.has_value());
    std::vector<worker::Schedule>& schedules = schedules_.emplace_back();
    for (const CronRule& rule : spec.rules) {
      auto schedule = worker::Schedule::parse(rule.text, *zone);
      KV_CHECK(schedule.has_value());
      schedules.push_back(std::move(*schedule));
    }
    jitters_.push_back(worker::stable_jitter(spec.name, spec.jitter_max));
  }
  for (std::size_t i = 0; i < kWorkers; ++i) {
    workers_.emplace_back("worker-" + std::to_string(i), schedules_.size());
    workers_.back().offset = between(-3'000, 3'000);
    push({.at = now_ + between(0, 60'000), .what = What::kStart, .worker = i});
    push({.at = now_ + rarely(12 * 3'600'000), .what = What::kDisturb, .worker = i});
  }
  push({.at = now_ + rarely(UnixMs{40} * 24 * 3'600'000), .what = What::kBlackout});
}

void CronFleet::push(Event event) {
  event.order = order_++;
  events_.push(event);
}

CronFleet::Event CronFleet::pop() {
  const Event event = events_.top();
  events_.pop();
  now_ = std::max(now_, event.at);
  return event;
}

bool CronFleet::enough() const {
  constexpr UnixMs kAhead = UnixMs{5} * 24 * 3'600'000;  // as far as a clock may be ahead
  return ledger_.figures().ticks >= options_.ticks || now_ + kAhead >= options_.until;
}

void CronFleet::run() {
  const auto begin = std::chrono::steady_clock::now();
  auto told = begin;
  while (!events_.empty() && !ledger_.broken()) {
    const auto clock = std::chrono::steady_clock::now();
    const bool late = options_.time_limit.count() != 0 && clock - begin >= options_.time_limit;
    if (!ending_ && (enough() || late)) {
      ending_ = true;
      for (CronWorker& worker : workers_) {
        if (worker.up && !worker.frozen(now_)) worker.end_stretch(now_);
      }
    }
    bool under_way = false;
    for (std::size_t job = 0; job < due_.size(); ++job) {
      under_way = under_way || ledger_.running(job).has_value();
    }
    if (ending_ && !under_way) return;
    if (clock - told >= std::chrono::seconds(10)) {
      told = clock;
      std::printf("seed %llu: %s, %llu ticks, %llu statements\n",
                  static_cast<unsigned long long>(options_.seed),
                  format_rfc3339(from_unix_ms(now_)).c_str(),
                  static_cast<unsigned long long>(ledger_.figures().ticks),
                  static_cast<unsigned long long>(database_.statements()));
      std::fflush(stdout);
    }
    handle(pop());
    if (!asks_.empty()) {
      gather_asks();
      settle_asks();
    }
  }
  if (!ledger_.broken()) ledger_.violation("a run is under way, and nobody is left to end it");
}

void CronFleet::handle(const Event& event) {
  CronWorker& worker = workers_[event.worker];
  if (event.what >= What::kStart) return handle_chaos(event);
  if (!worker.up || event.process != worker.process) return;
  if (worker.frozen(event.at)) {
    Event later = event;
    later.at = worker.after_freeze(event.at);
    return push(later);
  }
  CronPost& post = worker.posts[event.job];
  switch (event.what) {
    case What::kWake:
      if (static_cast<std::uint64_t>(event.number) == post.sleep && !ending_) {
        look(event.worker, event.job, event.at);
      }
      break;
    case What::kPoll:
      poll(event);
      break;
    case What::kRenew:
      if (post.current && post.current->epoch == event.number) renew(event);
      break;
    default:
      if (post.current && post.current->epoch == event.number) end(event);
      break;
  }
}

// A ticker looks at its clock: the plan must want what the oracle wants.
void CronFleet::look(std::size_t worker, std::size_t job, UnixMs at) {
  CronPost& post = workers_[worker].posts[job];
  const UnixMs reading = workers_[worker].reading(at);
  ++figures_.looks;
  const TickPlan::Step step = post.plan->next(from_unix_ms(reading));
  const std::optional<UnixMs> expected = post.oracle->look(reading);
  std::optional<UnixMs> wanted;
  if (step.run) wanted = to_unix_ms(*step.run);
  if (wanted != expected) {
    ledger_.violation(std::string(cron_jobs()[job].name) + " at " + time_text(reading) + " in " +
                      workers_[worker].holder().process + ": the plan wants " + time_text(wanted) +
                      ", the oracle " + time_text(expected));
    return;
  }
  post.looked_at = at;
  post.asleep = false;
  if (wanted) {
    asks_.push_back({worker, job, *wanted, at});
    return;
  }
  UnixMs sleep = step.sleep.count();
  if (sleep == kSleepMax && post.plan->next_due()) {
    // Sleeps in which nothing can happen are taken as one; catch_up() cuts it if something does.
    const UnixMs left = to_unix_ms(*post.plan->next_due()) + jitter(job) - reading;
    sleep = std::max<UnixMs>(1, (left - 1) / kSleepMax) * kSleepMax;
  }
  sleep_until(worker, job, at, at + sleep);
}

void CronFleet::sleep_until(std::size_t worker, std::size_t job, UnixMs at, UnixMs wake) {
  CronPost& post = workers_[worker].posts[job];
  post.looked_at = at;
  post.wakes_at = wake;
  post.asleep = true;
  push({.at = wake,
        .what = What::kWake,
        .worker = worker,
        .job = job,
        .number = static_cast<std::int64_t>(++post.sleep),
        .process = workers_[worker].process});
}

void CronFleet::wake_soon(std::size_t worker, std::size_t job, UnixMs at) {
  sleep_until(worker, job, at, at);
}

// Others that ask at about the same moment ask at once.
void CronFleet::gather_asks() {
  const UnixMs window = chance(0.6) ? 0 : chance(0.5) ? 100 : 5'000;
  const UnixMs until = asks_.front().at + window;
  while (!events_.empty() && events_.top().what == What::kWake && events_.top().at <= until) {
    handle(pop());
  }
}

void CronFleet::settle_asks() {
  std::vector<Ask> asks;
  std::vector<Beginning> beginnings;
  UnixMs last = 0;
  for (const Ask& ask : std::exchange(asks_, {})) {
    last = std::max(last, ask.at);
    CronWorker& worker = workers_[ask.worker];
    CronPost& post = worker.posts[ask.job];
    // A tick that has run is refused; to be told so by PostgreSQL each time would add nothing.
    const bool told = ledger_.has_run(ask.job, ask.due) && chance(0.6);
    const bool swallowed = options_.canary == CronCanary::kMissing && ask.due / 60'000 % 101 == 0;
    if (post.current || told || swallowed) {  // it has a run already, as far as it knows
      wake_soon(ask.worker, ask.job, ask.at + 1);
      continue;
    }
    Beginning beginning;
    beginning.store = post.store.get();
    beginning.request.due_at = from_unix_ms(ask.due);
    beginning.request.cause = "schedule";
    beginning.now = from_unix_ms(worker.reading(ask.at));
    beginnings.push_back(std::move(beginning));
    asks.push_back(ask);
  }
  database_.begin(beginnings);
  figures_.asked += asks.size();
  figures_.asked_at_once_max = std::max<std::uint64_t>(figures_.asked_at_once_max, asks.size());
  // In the order in which PostgreSQL granted them.
  std::vector<std::size_t> order(asks.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const auto epoch = [&](std::size_t i) {
      return beginnings[i].run ? beginnings[i].run->hold.epoch : INT64_MAX;
    };
    return epoch(a) < epoch(b);
  });
  for (const std::size_t i : order) {
    if (!beginnings[i].status.ok()) ledger_.violation(beginnings[i].status.to_string());
    if (beginnings[i].run) take_run(asks[i], *beginnings[i].run, last + 1);
  }
  for (std::size_t i = 0; i < asks.size(); ++i) {
    if (beginnings[i].run) continue;
    ledger_.refused(asks[i].job, asks[i].due);
    wake_soon(asks[i].worker, asks[i].job, std::max(asks[i].at, last) + 1);
  }
}

// A tick got a run: its own, or one that was left by a dead worker.
void CronFleet::take_run(const Ask& ask, const class_monitor::BegunRun& run, UnixMs not_before) {
  CronWorker& worker = workers_[ask.worker];
  const UnixMs reading = worker.reading(ask.at);
  UnixMs due = ask.due;
  if (run.hold.resumed) {
    ledger_.taken_over(ask.job, run.hold.id, run.hold.epoch, worker.holder(), reading);
    if (ledger_.running(ask.job)) due = ledger_.running(ask.job)->due;
  } else {
    CronLedger::Running running;
    running.id = run.hold.id;
    running.epoch = run.hold.epoch;
    running.due = due;
    running.holder = worker.holder();
    ledger_.started(ask.job, running, ask.at, reading);
  }
  worker.posts[ask.job].current = CronPost::Current{run.hold.id, run.hold.epoch, due, ask.at, true};
  plan_run(ask.worker, ask.job, ask.at, not_before);
  start_polling(ask.job, not_before);
}

// How long it takes, and whether its worker lives that long.
void CronFleet::plan_run(std::size_t worker, std::size_t job, UnixMs at, UnixMs not_before) {
  const std::int64_t epoch = workers_[worker].posts[job].current->epoch;
  const std::uint64_t process = workers_[worker].process;
  UnixMs length = between(20, 800);
  if (chance(0.3)) length = between(1'000, 8'000);
  if (chance(0.03)) length = between(20'000, 90'000);
  const UnixMs end = std::max(at + length, not_before);
  push({end, 0, What::kEnd, worker, job, epoch, process});
  if (end - at > kRenewal) {
    push({std::max(at + kRenewal, not_before), 0, What::kRenew, worker, job, epoch, process});
  }
  if (ending_) return;
  if (chance(0.008)) {
    push({.at = not_before + between(0, end - not_before),
          .what = What::kKill,
          .worker = worker,
          .number = chance(0.5) ? between(1'000, 40'000) : between(60'000, 3'600'000),
          .process = process});
  } else if (chance(0.008)) {
    push({.at = not_before + between(0, end - not_before),
          .what = What::kFreeze,
          .worker = worker,
          .number = between(5'000, 300'000),
          .process = process});
  }
}

// Every worker looks every 10 s. As long as no run is under way that finds nothing, and is left
// out.
void CronFleet::start_polling(std::size_t job, UnixMs at) {
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    CronWorker& worker = workers_[i];
    if (!worker.up || worker.posts[job].polling) continue;
    worker.posts[job].polling = true;
    const UnixMs turns = (at - worker.started_at) / kPollInterval + 1;
    push({.at = worker.started_at + turns * kPollInterval,
          .what = What::kPoll,
          .worker = i,
          .job = job,
          .process = worker.process});
  }
}

void CronFleet::poll(const Event& event) {
  CronPost& post = workers_[event.worker].posts[event.job];
  post.polling = false;
  if (!ledger_.running(event.job)) return;
  // A run whose worker lives is not taken over; that is tried less often than it is done.
  const CronWorker& worker = workers_[event.worker];
  const bool may = ledger_.may_take_over(event.job, worker.holder(), worker.reading(event.at));
  if (!post.current && (may || chance(0.3))) {
    (void)try_take_over(event.worker, event.job, event.at);
  }
  start_polling(event.job, event.at);
}

// True if the run that is under way became this worker's.
bool CronFleet::try_take_over(std::size_t worker, std::size_t job, UnixMs at) {
  CronPost& post = workers_[worker].posts[job];
  const UnixMs reading = workers_[worker].reading(at);
  const bool expected = ledger_.may_take_over(job, workers_[worker].holder(), reading);
  std::vector<Beginning> beginnings(1);
  beginnings[0].store = post.store.get();
  beginnings[0].request.cause = "schedule";
  beginnings[0].now = from_unix_ms(reading);
  database_.begin(beginnings);
  if (!beginnings[0].status.ok()) ledger_.violation(beginnings[0].status.to_string());
  if (beginnings[0].run.has_value() != expected) {
    ledger_.violation(std::string("a run of ") + cron_jobs()[job].name +
                      (expected ? " could not be taken over" : " was taken over unasked"));
  }
  if (!beginnings[0].run) return false;
  const class_monitor::BegunRun& run = *beginnings[0].run;
  ledger_.taken_over(job, run.hold.id, run.hold.epoch, workers_[worker].holder(), reading);
  const UnixMs due = ledger_.running(job) ? ledger_.running(job)->due : 0;
  post.current = CronPost::Current{run.hold.id, run.hold.epoch, due, at, false};
  plan_run(worker, job, at, at);
  return true;
}

void CronFleet::renew(const Event& event) {
  CronWorker& worker = workers_[event.worker];
  CronPost& post = worker.posts[event.job];
  const UnixMs reading = worker.reading(event.at);
  const auto ours =
      database_.renew(*post.store, {post.current->id, event.number}, from_unix_ms(reading));
  if (!ours) return ledger_.violation(ours.error().to_string());
  ledger_.renewed(event.job, event.number, *ours, reading);
  Event next = event;
  next.at = *ours ? event.at + kRenewal : event.at + 1;
  if (!*ours) next.what = What::kEnd;  // it gives up
  push(next);
}

void CronFleet::end(const Event& event) {
  CronWorker& worker = workers_[event.worker];
  CronPost& post = worker.posts[event.job];
  const CronPost::Current run = *post.current;
  const auto ours =
      database_.finish(*post.store, {run.id, run.epoch}, from_unix_ms(worker.reading(event.at)));
  if (!ours) return ledger_.violation(ours.error().to_string());
  ledger_.ended(event.job, run.epoch, *ours, {run.since, event.at, run.due});
  post.current.reset();
  if (*ours) {
    for (std::size_t i = 0; i < workers_.size(); ++i) {
      CronPost& waiting = workers_[i].posts[event.job];
      if (waiting.waits_for != run.id) continue;
      waiting.waits_for.reset();
      wake_soon(i, event.job, event.at + kRecordPoll);
    }
  }
  if (!run.ticked) return;
  const auto& running = ledger_.running(event.job);
  if (running && running->id == run.id) {
    post.waits_for = run.id;
  } else {
    wake_soon(event.worker, event.job, event.at + 1);
  }
}

std::vector<std::vector<CalmStretch>> CronFleet::calm_stretches() const {
  std::vector<std::vector<CalmStretch>> all;
  for (const CronWorker& worker : workers_) all.push_back(worker.stretches);
  return all;
}

UnixMs CronFleet::between(UnixMs low, UnixMs high) {
  return std::uniform_int_distribution<UnixMs>(low, high)(random_);
}

bool CronFleet::chance(double probability) {
  return std::bernoulli_distribution(probability)(random_);
}

UnixMs CronFleet::rarely(UnixMs mean) {
  return static_cast<UnixMs>(
      std::exponential_distribution<double>(1.0 / static_cast<double>(mean))(random_));
}

}  // namespace edged::soak
