// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/worker_service.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json.hpp>
#include <csignal>
#include <exception>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "proto/base/backoff.h"
#include "proto/base/log.h"
#include "proto/http/health.h"
#include "proto/http/server.h"
#include "tools/edged/mirror_parts.h"
#include "tools/edged/state_dir.h"
#include "tools/edged/worker_parts.h"
#include "worker/cron/cron_http.h"
#include "worker/cron/ticker.h"
#include "worker/db/schema_check.h"
#include "worker/mirror/applier.h"
#include "worker/mirror/mirror.h"
#include "worker/status/status_publisher.h"

namespace edged {
namespace {

using boost::asio::awaitable;
constexpr auto kAwait = boost::asio::as_tuple(boost::asio::use_awaitable);
constexpr const char* kJob = "class-monitor";
constexpr const char* kPortsFile = "worker-ports.json";
constexpr std::chrono::milliseconds kDrainTimeout{8'000};

class WorkerService {
 public:
  WorkerService(const config::Config& config, StateDir state_dir, std::function<void()> reload)
      : config_(config),
        state_dir_(std::move(state_dir)),
        reload_(std::move(reload)),
        parts_(io_.get_executor(), config, state_dir_.worker_name()),
        http_(io_.get_executor(), {.address = config.worker.http}),
        end_(io_, SIGTERM, SIGINT),
        hangup_(io_, SIGHUP) {}

  Status start();
  void run() { io_.run(); }

 private:
  Result<std::vector<worker::Schedule>> parse_schedules() const;
  Status listen();
  Status readiness() const;
  boost::json::object describe() const;
  awaitable<worker::StatusDocuments> collect_status();
  void spawn(awaitable<void> task);
  // Waits so long, or until the worker is stopped.
  awaitable<void> pause(std::chrono::milliseconds duration);
  awaitable<void> begin_work();
  awaitable<bool> begin_mirror();
  awaitable<void> follow_postgres();
  awaitable<void> release_node();
  awaitable<void> run_tick(WallTime due_at);
  awaitable<void> wait_for_end();
  awaitable<void> wait_for_hangup();

  const config::Config& config_;
  StateDir state_dir_;
  std::function<void()> reload_;
  boost::asio::io_context io_{1};
  WorkerParts parts_;
  http::Server http_;
  boost::asio::signal_set end_;
  boost::asio::signal_set hangup_;
  std::set<boost::asio::steady_timer*> pauses_;
  Status schema_{Code::kUnavailable, "the database was not checked yet"};
  std::vector<worker::Schedule> schedules_;
  worker::CronJob job_;
  std::unique_ptr<worker::Ticker> ticker_;
  std::unique_ptr<worker::StatusPublisher> status_;
  const WallTime started_at_ = SystemClock().wall_now();
  std::unique_ptr<net::Client> mirror_client_;
  std::unique_ptr<mirror::Mirror> mirror_;
  std::string mirror_mode_ = "off";
  bool mirroring_ = false;
  bool stopping_ = false;
};

// A task's exception is a bug or exhausted memory: it ends the process, and the supervisor restarts
// it.
void WorkerService::spawn(awaitable<void> task) {
  auto rethrow = [](std::exception_ptr error) {
    if (error) std::rethrow_exception(error);
  };
  boost::asio::co_spawn(io_, std::move(task), rethrow);
}

awaitable<void> WorkerService::pause(std::chrono::milliseconds duration) {
  boost::asio::steady_timer timer(io_, duration);
  pauses_.insert(&timer);
  co_await timer.async_wait(kAwait);
  pauses_.erase(&timer);
}

Result<std::vector<worker::Schedule>> WorkerService::parse_schedules() const {
  auto zone = worker::TimeZone::load(config_.class_monitor.time_zone);
  if (!zone) return zone.error();
  std::vector<worker::Schedule> schedules;
  for (const std::string& cron : config_.class_monitor_crons()) {
    auto schedule = worker::Schedule::parse(cron, *zone);
    if (!schedule) return schedule.error();
    if (const std::string warning = schedule->warning(); !warning.empty()) log::warn(warning);
    schedules.push_back(std::move(*schedule));
  }
  return schedules;
}

Status WorkerService::start() {
  auto schedules = parse_schedules();
  if (!schedules) return schedules.error();
  schedules_ = std::move(*schedules);
  const Status maildir = parts_.transport.prepare();
  if (!maildir.ok()) return maildir;
  const Status listening = listen();
  if (!listening.ok()) return listening;
  if (!parts_.kv.configured()) {
    log::warn("[KV] KV namespace not available, falling back to PostgreSQL");
    log::warn("[KV] the reason: no kv_namespaces are configured");
  }
  if (parts_.kv_client != nullptr) {
    status_ = std::make_unique<worker::StatusPublisher>(
        io_.get_executor(), *parts_.kv_client, worker::StatusOptions{}, [this] {
          return collect_status();
        });
    parts_.on_run_end = [this] { status_->wake(); };
    spawn(status_->run());
  }
  spawn(begin_work());
  spawn(wait_for_end());
  spawn(wait_for_hangup());
  return {};
}

Status WorkerService::listen() {
  http::add_health_routes(http_, parts_.metrics, [this] { return readiness(); });
  job_.name = kJob;
  job_.schedules = config_.class_monitor_crons();
  job_.time_zone = config_.class_monitor.time_zone;
  job_.next_due = [this] { return ticker_ ? ticker_->next_due() : std::optional<WallTime>(); };
  job_.runner = &parts_.class_monitor;
  worker::add_cron_routes(http_, config_.worker.cron_secret, {job_}, parts_.clock);
  const Status status = http_.listen();
  if (!status.ok()) return status;
  log::info("worker HTTP on " + http_.address());
  boost::json::object ports;
  ports["worker_http"] = http_.address();
  return state_dir_.write(kPortsFile, boost::json::serialize(ports) + "\n");
}

Status WorkerService::readiness() const {
  if (stopping_) return Status(Code::kUnavailable, "the worker is stopping");
  if (!schema_.ok()) return schema_;
  if (!parts_.pool.healthy()) return Status(Code::kUnavailable, "PostgreSQL does not answer");
  return {};
}

// This worker, as dashboards see it.
boost::json::object WorkerService::describe() const {
  const Status ready = readiness();
  boost::json::object object;
  object["worker"] = state_dir_.worker_name();
  object["version"] = EDGED_VERSION;
  object["at"] = format_rfc3339(parts_.clock.wall_now());
  object["started_at"] = format_rfc3339(started_at_);
  object["http"] = http_.address();
  object["ready"] = ready.ok();
  if (!ready.ok()) object["why"] = ready.message();
  object["postgres"] = parts_.pool.healthy();
  object["mirror"] = mirror_mode_;
  object["upstream"] = upstream::describe(parts_.fetcher.figures());
  return object;
}

awaitable<worker::StatusDocuments> WorkerService::collect_status() {
  worker::StatusDocuments documents;
  documents.emplace_back("status:worker:" + state_dir_.worker_name(),
                         boost::json::serialize(describe()));
  boost::json::object job = co_await worker::describe_job(&job_);
  documents.emplace_back("status:job:" + job_.name, boost::json::serialize(job));
  co_return documents;
}

// Waits until the database is there and fit, then starts the outbox, take-overs and the schedule.
awaitable<void> WorkerService::begin_work() {
  Backoff backoff({std::chrono::milliseconds(500), std::chrono::milliseconds(10'000)}, 1);
  std::string told;
  while (!stopping_) {
    schema_ = co_await db::check_schema(parts_.pool);
    if (schema_.ok()) break;
    if (schema_.message() != told) log::error("cannot work yet: " + schema_.message());
    told = schema_.message();
    co_await pause(backoff.next());
  }
  if (stopping_) co_return;
  const Result<std::string> hidden = co_await db::find_hidden_rows(parts_.pool);
  if (hidden && !hidden->empty()) log::warn(*hidden);
  backoff.reset();
  while (!stopping_) {
    const bool decided = co_await begin_mirror();
    if (decided) break;
    co_await pause(backoff.next());
  }
  if (stopping_) co_return;
  spawn(parts_.outbox.run());
  spawn(parts_.class_monitor.take_over_abandoned());
  worker::TickerOptions options;
  options.job = kJob;
  options.schedules = schedules_;
  options.misfire =
      worker::parse_misfire(config_.class_monitor.misfire).value_or(worker::Misfire::kNone);
  options.jitter_max = config_.class_monitor.jitter;
  while (!stopping_) {
    const auto last = co_await parts_.class_monitor.last_tick();
    if (last) options.last_tick = *last;
    if (last) break;
    log::error("cannot work yet: " + last.error().message());
    co_await pause(backoff.next());
  }
  if (stopping_) co_return;
  if (parts_.history) spawn(parts_.history->run());
  ticker_ = std::make_unique<worker::Ticker>(
      io_.get_executor(), std::move(options), parts_.clock, [this](WallTime due_at) {
        return run_tick(due_at);
      });
  ticker_->start();
  log::info("ready");
  if (status_) status_->wake();
}

// Decides how the node gets its rows. False: PostgreSQL does not say.
awaitable<bool> WorkerService::begin_mirror() {
  if (!config_.mirror.configured || !parts_.kv.configured()) co_return true;
  const Result<MirrorChoice> choice = co_await choose_mirror(config_, parts_.pool);
  if (!choice) {
    log::error("[mirror] " + choice.error().message());
    co_return false;
  }
  parts_.metrics
      .gauge("edged_mirror_mode",
             "1 for the way in which the node gets its rows",
             {{"mode", choice->logical ? "logical" : "cache-aside"}})
      .set(1);
  mirror_mode_ = choice->logical ? "logical" : "cache-aside";
  log::info(std::string("[mirror] mode ") + (choice->logical ? "logical: " : "cache-aside: ") +
            choice->why);
  const auto executor = io_.get_executor();
  mirror_client_ = std::make_unique<net::Client>(executor, mirror_client_options(config_));
  if (!choice->logical) {
    spawn(release_node());
    co_return true;
  }
  mirror_ = std::make_unique<mirror::Mirror>(executor,
                                             parts_.pool,
                                             *mirror_client_,
                                             parts_.clock,
                                             parts_.metrics,
                                             mirror_options(config_, state_dir_.worker_name()));
  parts_.set_mirrored(mirrored_keys(config_.mirror));
  spawn(follow_postgres());
  co_return true;
}

awaitable<void> WorkerService::follow_postgres() {
  mirroring_ = true;
  co_await mirror_->run();
  mirroring_ = false;
}

// The keys of a mirror that ran before belong to nobody now, and nobody would keep them fresh.
awaitable<void> WorkerService::release_node() {
  mirror::Applier applier(io_.get_executor(), *mirror_client_, config_.worker_namespace_id());
  Backoff backoff({std::chrono::milliseconds(500), std::chrono::milliseconds(30'000)}, 1);
  while (!stopping_) {
    const Result<bool> released = co_await applier.release(state_dir_.worker_name());
    if (released && *released) log::info("[mirror] released the keys of a mirror that ran before");
    if (released || !retryable(released.code())) break;
    co_await pause(backoff.next());
  }
}

// A tick that could not be started because PostgreSQL was away is tried again until the next is
// due.
awaitable<void> WorkerService::run_tick(WallTime due_at) {
  std::optional<WallTime> next;
  for (const worker::Schedule& schedule : schedules_) {
    const auto due = schedule.next_after(due_at);
    if (due && (!next || *due < *next)) next = due;
  }
  Backoff backoff({std::chrono::milliseconds(1000), std::chrono::milliseconds(30'000)},
                  static_cast<std::uint64_t>(to_unix_ms(due_at)));
  while (!stopping_) {
    worker::StartRequest request;
    request.due_at = due_at;
    const auto id = co_await parts_.class_monitor.start(std::move(request));
    if (id) {
      (void)co_await parts_.class_monitor.wait(*id);  // the job logs its outcome
      co_return;
    }
    if (id.code() == Code::kConflict) co_return;  // another worker has the tick, or a run goes on
    const auto delay = backoff.next();
    if (next && parts_.clock.wall_now() + delay >= *next) {
      log::error(std::string(kJob) + " of " + format_rfc3339(due_at) +
                 " is given up: " + id.error().message());
      co_return;
    }
    log::warn(std::string(kJob) + " of " + format_rfc3339(due_at) +
              " could not start, trying again: " + id.error().message());
    co_await pause(delay);
  }
}

awaitable<void> WorkerService::wait_for_end() {
  co_await end_.async_wait(kAwait);
  log::info("stopping");
  stopping_ = true;
  for (boost::asio::steady_timer* timer : pauses_) timer->cancel();
  hangup_.cancel();
  if (ticker_) ticker_->stop();
  if (status_) status_->stop();
  if (mirror_) mirror_->stop();
  const bool finished = co_await parts_.class_monitor.drain(kDrainTimeout);
  if (!finished) log::warn("a run goes on; the next start of this worker takes it over");
  parts_.outbox.stop();
  if (parts_.history) parts_.history->stop();
  co_await http_.drain(std::chrono::milliseconds(1000));
  for (int i = 0; mirroring_ && i < 100; ++i) {
    co_await pause(std::chrono::milliseconds(10));
  }
  state_dir_.remove(kPortsFile);
  io_.stop();
}

awaitable<void> WorkerService::wait_for_hangup() {
  while (!stopping_) {
    const auto [error, signal] = co_await hangup_.async_wait(kAwait);
    if (error) break;
    if (reload_) reload_();
  }
}

}  // namespace

int run_worker(const config::Config& config, std::function<void()> reload) {
  auto state_dir = StateDir::open(config.worker.state_dir);
  if (!state_dir) {
    log::error(state_dir.error().message());
    return 1;
  }
  WorkerService service(config, std::move(*state_dir), std::move(reload));
  const Status status = service.start();
  if (!status.ok()) {
    log::error(status.message());
    return 1;
  }
  service.run();
  return 0;
}

}  // namespace edged
