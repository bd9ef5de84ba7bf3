// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/worker_service.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json.hpp>
#include <csignal>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "proto/base/backoff.h"
#include "proto/base/log.h"
#include "proto/base/service_manager.h"
#include "proto/http/health.h"
#include "proto/http/process_metrics.h"
#include "proto/http/server.h"
#include "proto/json/write_json.h"
#include "proto/net/condition.h"
#include "proto/net/spawn.h"
#include "tools/edged/duties.h"
#include "tools/edged/exit_code.h"
#include "tools/edged/http_hosts.h"
#include "tools/edged/mirror_service.h"
#include "tools/edged/node_access.h"
#include "tools/edged/queue_service.h"
#include "tools/edged/schedules.h"
#include "tools/edged/state_dir.h"
#include "tools/edged/version.h"
#include "tools/edged/watchdog.h"
#include "tools/edged/worker_parts.h"
#include "worker/cron/cron_http.h"
#include "worker/cron/run_json.h"
#include "worker/cron/ticker.h"
#include "worker/db/schema_check.h"
#include "worker/status/status_publisher.h"

namespace edged {
namespace {
using boost::asio::awaitable;
constexpr auto kAwait = boost::asio::as_tuple(boost::asio::use_awaitable);
constexpr const char* kPortsFile = "worker-ports.json";
constexpr std::chrono::milliseconds kDrainTimeout{8'000}, kMirrorEndTimeout{1'000};

// The database was reached, and must be changed before a worker can use it.
bool is_unfit(const Status& status) {
  return status.code() == Code::kDenied || status.code() == Code::kNotFound ||
         status.code() == Code::kUnsupported || status.code() == Code::kInvalidArgument;
}

class WorkerService {
 public:
  WorkerService(const config::Config& config, StateDir state_dir, std::function<void()> reload)
      : config_(config),
        state_dir_(std::move(state_dir)),
        reload_(std::move(reload)),
        duties_(duties_of(config)),
        parts_(io_.get_executor(), config, state_dir_.worker_name(), duties_),
        mirror_(io_.get_executor(), config, parts_, state_dir_.worker_name()),
        queues_(io_.get_executor(), config, parts_, state_dir_.worker_name()),
        http_(io_.get_executor(),
              {.address = config.worker.http, .hosts = config::worker_http_hosts(config)}),
        end_(io_, SIGTERM, SIGINT),
        hangup_(io_, SIGHUP) {}

  Status start();
  void run() {
    watchdog_.start();
    manager_.ready();
    io_.run();
  }

 private:
  Status listen();
  Status readiness() const;
  boost::json::object describe() const;
  awaitable<worker::StatusDocuments> collect_status();
  void spawn(awaitable<void> task);
  // Waits so long, or until the worker is stopped.
  awaitable<void> pause(std::chrono::milliseconds duration);
  awaitable<Status> check_database();
  awaitable<Status> admit_trigger();
  awaitable<void> begin_work();
  awaitable<bool> begin_ticks();
  awaitable<void> run_tick(WallTime due_at);
  awaitable<void> check_database_again();
  awaitable<void> wait_for_end();
  awaitable<void> wait_for_hangup();

  const config::Config& config_;
  ServiceManager manager_ = ServiceManager::from_environment();
  StateDir state_dir_;
  std::function<void()> reload_;
  boost::asio::io_context io_{1};
  Watchdog watchdog_{io_.get_executor(), manager_};
  const Duties duties_;
  WorkerParts parts_;
  MirrorService mirror_;
  QueueService queues_;
  http::Server http_;
  boost::asio::signal_set end_;
  boost::asio::signal_set hangup_;
  net::AsyncCondition changed_{io_.get_executor()};  // notified when a flag below changes
  Status database_{Code::kUnavailable, "the database was not checked yet"};
  bool database_warned_ = false;
  std::vector<worker::Schedule> schedules_;
  worker::CronJob job_;
  std::unique_ptr<worker::Ticker> ticker_;
  std::unique_ptr<worker::StatusPublisher> status_;
  const WallTime started_at_ = SystemClock().wall_now();
  bool stopping_ = false;
};

void WorkerService::spawn(awaitable<void> task) {
  net::spawn(io_, std::move(task));
}

awaitable<void> WorkerService::pause(std::chrono::milliseconds duration) {
  const auto until = std::chrono::steady_clock::now() + duration;
  (void)co_await changed_.wait_until(until, [this] { return stopping_; });
}

Status WorkerService::start() {
  if (duties_.jobs) {
    auto schedules = parse_schedules(config_);
    if (!schedules) return schedules.error();
    schedules_ = std::move(*schedules);
  }
  if (parts_.transport) {
    const Status ready = parts_.transport->start();
    if (!ready.ok()) return ready;
  }
  tell_duties(config_, duties_, parts_.metrics);
  const Status listening = listen();
  if (!listening.ok()) return listening;
  if (parts_.kv && !parts_.kv->configured()) {
    log::warn("[KV] KV namespace not available, falling back to PostgreSQL");
    log::warn("[KV] the reason: kv_namespaces is not set in the configuration");
  }
  if (parts_.kv_client != nullptr) {
    spawn(tell_missing_token(*parts_.kv_client, config_, duties_));
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
  http::add_process_metrics(parts_.metrics, parts_.clock);
  http::add_health_routes(http_, parts_.metrics, [this] { return readiness(); });
  worker::CronRoutes routes;
  routes.secret = current_cron_secret(config_.worker);
  routes.admit = [this] { return admit_trigger(); };
  routes.why_no_jobs = why_no_jobs(config_);
  if (duties_.jobs) {
    job_.name = class_monitor::kJobName;
    job_.schedules = config_.class_monitor_crons();
    job_.time_zone = config_.class_monitor.time_zone;
    job_.next_due = [this] { return ticker_ ? ticker_->next_due() : std::optional<WallTime>(); };
    job_.runner = parts_.class_monitor.get();
    routes.jobs = {job_};
  }
  worker::add_cron_routes(http_, std::move(routes), parts_.clock);
  if (parts_.mail_queue) parts_.mail_queue->add_routes(http_);
  if (duties_.queue) queues_.add_routes(http_);
  const Status status = http_.listen();
  if (!status.ok()) return status;
  log::info("worker HTTP on " + http_.address());
  boost::json::object ports;
  ports["worker_http"] = http_.address();
  return state_dir_.write(kPortsFile, write_json(ports) + "\n");
}

Status WorkerService::readiness() const {
  if (stopping_) return Status(Code::kUnavailable, "the worker is stopping");
  if (!database_.ok()) return database_;
  if (duties_.any() && !parts_.pool.healthy())
    return Status(Code::kUnavailable, "PostgreSQL does not answer");
  return {};
}

// This worker, as dashboards see it.
boost::json::object WorkerService::describe() const {
  const Status ready = readiness();
  boost::json::object object;
  object["worker"] = state_dir_.worker_name();
  object["version"] = version();
  object["at"] = format_rfc3339(parts_.clock.wall_now());
  object["started_at"] = format_rfc3339(started_at_);
  object["http"] = http_.address();
  object["ready"] = ready.ok();
  if (!ready.ok()) object["why"] = ready.message();
  object["roles"] = boost::json::value_from(config_.worker.roles);
  if (config_.leaves_database_alone()) object["leaves_database_alone"] = true;
  if (duties_.any()) object["postgres"] = parts_.pool.healthy();
  object["mirror"] = mirror_.mode();
  if (parts_.fetcher) object["upstream"] = upstream::describe(parts_.fetcher->figures());
  return object;
}

awaitable<worker::StatusDocuments> WorkerService::collect_status() {
  worker::StatusDocuments documents;
  documents.emplace_back("status:worker:" + state_dir_.worker_name(), write_json(describe()));
  if (!duties_.jobs) co_return documents;
  const boost::json::object job = co_await worker::describe_job(&job_);
  documents.emplace_back("status:job:" + job_.name, write_json(job));
  co_return documents;
}

awaitable<Status> WorkerService::check_database() {
  const auto found = co_await db::check_database(parts_.pool, database_use(duties_, config_));
  if (!found) co_return found.error();
  const Status same = check_dev_database(config_, found->database);
  if (!same.ok()) co_return same;
  if (!database_warned_) {
    for (const std::string& warning : found->warnings) log::warn(warning);
  }
  database_warned_ = true;
  co_return Status();
}

// A run on a database that is not fit could see nothing and succeed. If PostgreSQL is away,
// starting the run says so.
awaitable<Status> WorkerService::admit_trigger() {
  if (database_.ok()) co_return Status();
  Status status = co_await check_database();
  co_return is_unfit(status) ? status : Status();
}

// Waits until the database is there and fit, then starts what the roles name.
awaitable<void> WorkerService::begin_work() {
  Backoff backoff({std::chrono::milliseconds(500), std::chrono::milliseconds(10'000)}, 1);
  std::string told;
  while (!stopping_ && duties_.any()) {
    database_ = co_await check_database();
    if (database_.ok()) break;
    if (database_.message() != told) log::error("cannot work yet: " + database_.message());
    told = database_.message();
    co_await pause(backoff.next());
  }
  if (!duties_.any()) database_ = Status();
  if (stopping_) co_return;
  backoff.reset();
  while (!stopping_ && duties_.mirror) {
    const bool decided = co_await mirror_.begin();
    if (decided) break;
    co_await pause(backoff.next());
  }
  if (duties_.jobs && !duties_.mirror) co_await mirror_.begin_watching();
  if (stopping_) co_return;
  parts_.begin_mails(io_.get_executor());
  if (duties_.queue || duties_.mail) spawn(queues_.run());
  if (duties_.jobs) {
    const bool begun = co_await begin_ticks();
    if (!begun) co_return;
  }
  log::info("ready");
  if (status_) status_->wake();
}

// Take-overs, the schedule and the deletion of history. False: the worker was stopped meanwhile.
awaitable<bool> WorkerService::begin_ticks() {
  spawn(parts_.class_monitor->take_over_abandoned());
  worker::TickerOptions options;
  options.job = class_monitor::kJobName;
  options.schedules = schedules_;
  options.misfire =
      worker::parse_misfire(config_.class_monitor.misfire).value_or(worker::Misfire::kNone);
  options.jitter_max = config_.class_monitor.jitter;
  Backoff backoff({std::chrono::milliseconds(500), std::chrono::milliseconds(10'000)}, 1);
  while (!stopping_) {
    const auto last = co_await parts_.class_monitor->last_tick();
    if (last) options.last_tick = *last;
    if (last) break;
    log::error("cannot work yet: " + last.error().message());
    co_await pause(backoff.next());
  }
  if (stopping_) co_return false;
  if (parts_.history) spawn(parts_.history->run());
  ticker_ = std::make_unique<worker::Ticker>(
      io_.get_executor(), std::move(options), parts_.clock, [this](WallTime due_at) {
        return run_tick(due_at);
      });
  ticker_->start();
  co_return true;
}

// A tick that failed to start because PostgreSQL was away is tried again until the next is due.
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
    const auto id = co_await parts_.class_monitor->start(std::move(request));
    if (id) {
      const auto outcome = co_await parts_.class_monitor->wait(*id);  // the job logs its outcome
      if (outcome && worker::has_no_sections(*outcome)) co_await check_database_again();
      co_return;
    }
    if (id.code() == Code::kConflict) co_return;  // another worker has the tick, or a run goes on
    const auto delay = backoff.next();
    if (next && parts_.clock.wall_now() + delay >= *next) {
      log::error(std::string(class_monitor::kJobName) + " of " + format_rfc3339(due_at) +
                 " was not run, because the next tick is due: " + id.error().message());
      co_return;
    }
    log::warn(std::string(class_monitor::kJobName) + " of " + format_rfc3339(due_at) +
              " could not start, will try again: " + id.error().message());
    co_await pause(delay);
  }
}

// Policies may hide the sections since the start: no tick is run until the database is fit again.
awaitable<void> WorkerService::check_database_again() {
  Backoff backoff({std::chrono::milliseconds(1000), std::chrono::milliseconds(10'000)}, 1);
  while (!stopping_) {
    Status status = co_await check_database();
    const bool unfit = is_unfit(status);
    if (unfit && database_.ok()) log::error("cannot work any more: " + status.message());
    if (status.ok() && !database_.ok())
      log::info("the database check passes again: going on with the schedule");
    if (status.ok() || unfit) database_ = status;
    if (database_.ok()) co_return;
    co_await pause(backoff.next());
  }
}

awaitable<void> WorkerService::wait_for_end() {
  co_await end_.async_wait(kAwait);
  log::info("stopping");
  manager_.stopping();
  stopping_ = true;
  changed_.notify_all();
  hangup_.cancel();
  if (ticker_) ticker_->stop();
  if (status_) status_->stop();
  mirror_.stop();
  if (parts_.class_monitor) {
    const bool finished = co_await parts_.class_monitor->drain(kDrainTimeout);
    if (!finished) log::warn("a run is not finished; the next start of this worker takes it over");
  }
  co_await parts_.stop_mails();
  co_await queues_.stop(QueueService::kPatience);
  if (parts_.history) parts_.history->stop();
  co_await http_.drain(std::chrono::milliseconds(1000));
  const auto mirror_end = std::chrono::steady_clock::now() + kMirrorEndTimeout;
  (void)co_await mirror_.ended(mirror_end);
  state_dir_.remove(kPortsFile);
  io_.stop();
}

awaitable<void> WorkerService::wait_for_hangup() {
  while (!stopping_) {
    const auto [error, signal] = co_await hangup_.async_wait(kAwait);
    if (error) break;
    manager_.reloading();
    if (reload_) reload_();
    manager_.ready();
  }
}

}  // namespace

int run_worker(const config::Config& config, WorkerAction reload, const WorkerAction& on_start) {
  std::signal(SIGHUP, SIG_IGN);   // there is nothing to reload yet
  std::signal(SIGCHLD, SIG_IGN);  // process 1 of a container gets the children of others
  auto state_dir = StateDir::open(config.worker.state_dir);
  if (!state_dir) {
    log::error(state_dir.error().message());
    return kExitFailed;
  }
  WorkerService service(config, std::move(*state_dir), std::move(reload));
  if (const Status status = service.start(); !status.ok()) {
    log::error(status.message());
    return kExitFailed;
  }
  on_start();
  service.run();
  return 0;
}

}  // namespace edged
