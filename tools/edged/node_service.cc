// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/node_service.h"

#include <malloc.h>
#include <sys/resource.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "kvstore/access/access_table.h"
#include "kvstore/http/binding_face.h"
#include "kvstore/http/node_http.h"
#include "kvstore/http/rest_api.h"
#include "kvstore/operations/operations.h"
#include "kvstore/redis/redis_server.h"
#include "kvstore/server/server.h"
#include "kvstore/storage/rocks_store.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/metrics.h"
#include "proto/base/service_manager.h"
#include "tools/edged/config_addresses.h"
#include "tools/edged/descriptors.h"
#include "tools/edged/exit_code.h"
#include "tools/edged/guarded_time.h"
#include "tools/edged/options.h"
#include "tools/edged/ports_file.h"
#include "tools/edged/watchdog.h"
#ifdef EDGED_WITH_WORKER
#include "tools/edged/queue_worker.h"
#endif

namespace edged {
namespace {

constexpr std::chrono::milliseconds kDrainTimeout{10'000};
constexpr std::chrono::seconds kTimeWatchPeriod{5};
// A certificate should have been renewed by then.
constexpr long kCertificateDaysMin = 14;

// As many as the process may have.
DescriptorPlan raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return plan_descriptors(0);
  const rlim_t before = std::exchange(limit.rlim_cur, limit.rlim_max);
  if (before != limit.rlim_max && ::setrlimit(RLIMIT_NOFILE, &limit) != 0) {
    log::warn("could not raise the limit of open file descriptors to the hard limit");
    limit.rlim_cur = before;
  }
  const DescriptorPlan plan = plan_descriptors(limit.rlim_cur);
  if (plan.lowered) log::warn(plan.to_string(limit.rlim_cur));
  return plan;
}

int fail(const Status& status) {
  log::print("edged node: " + status.message());
  switch (status.code()) {
    case Code::kCorruption:
      return kExitCorrupt;
    case Code::kDenied:  // files that must be changed before a start can succeed
    case Code::kInvalidArgument:
      return kExitUsage;
    default:
      return kExitFailed;
  }
}

// Names the id that was meant, if the title exists with another one.
void warn_of_missing(const config::KvNamespace& kv, const std::string& id, storage::Store& store) {
  const std::string missing =
      "KV namespace with id \"" + id + "\" not found (binding \"" + kv.binding + "\"). ";
  const auto titled = store.find_namespace(kv.binding);
  if (!titled) {
    log::warn(missing + "Create it: kvctl namespace create " + kv.binding + " --id " + id);
    return;
  }
  log::warn(missing + "The namespace titled \"" + titled->title + "\" has the id \"" + titled->id +
            "\": if that one is meant, correct the id in kv_namespaces; otherwise create one with "
            "another title: kvctl namespace create TITLE --id " +
            id);
}

// Creates "default" if the configuration names no namespace, and under --dev those that it names.
// Warns of each other one that does not exist.
Status prepare_namespaces(const config::Config& config, storage::Store& store) {
  if (config.kv_namespaces.empty() && !store.find_namespace("default")) {
    const auto created = store.create_namespace("default", "");
    if (!created) return created.error().with_context("could not create namespace \"default\"");
  }
  for (const config::KvNamespace& kv : config.kv_namespaces) {
    const std::string& id = config.id_of(kv);
    if (store.find_namespace(id)) continue;
    if (!config.dev) {
      warn_of_missing(kv, id, store);
      continue;
    }
    // The title may be taken: with --data by the namespace of another id that the binding had.
    const std::string title =
        store.find_namespace(kv.binding) ? kv.binding + "_" + id.substr(0, 8) : kv.binding;
    const auto created = store.create_namespace(title, id);
    if (!created) return created.error().with_context("could not create namespace \"" + id + "\"");
  }
  return {};
}

// What tokens may do must not move with a title.
void resolve_titles(access::AccessTable& access, const storage::Store& store) {
  const Status resolved = access.resolve_titles([&store](const std::string& title) {
    const auto found = store.find_namespace(title);
    return found ? std::optional(found->id) : std::nullopt;
  });
  if (!resolved.ok())
    log::error("could not store the ids of the tokens' namespaces: " + resolved.message());
}

// The node's parts in the order they depend on each other; destroyed the other way round.
class Node {
 public:
  Node(const config::Config& config,
       GuardedTime& access_time,
       access::AccessTable& access,
       std::shared_ptr<net::ServerTls> tls,
       std::unique_ptr<storage::Store> store,
       const DescriptorPlan& plan)
      : access_time_(access_time),
        access_(access),
        tls_(std::move(tls)),
        store_(std::move(store)),
        operations_(*store_, &access_, metrics_, {}),
        server_(server_options(config, access, tls_, plan), operations_, *store_, clock_, metrics_),
        rest_(io_.get_executor(),
              operations_,
              clock_,
              {.account_id = config.node.account_id,
               .access = &access_,
               .queue_pass = make_queue_pass(config)}),
        http_(
            io_.get_executor(),
            node_http_options(config, tls_, metrics_, plan),
            *store_,
            metrics_,
            clock_,
            [this] {
              return draining_ ? Status(Code::kUnavailable, "the node is stopping") : Status();
            },
            &access_) {
    rest_.add_routes(http_.server());
    if (config.node.binding != config::kBindingOff) {
      binding_ =
          std::make_unique<kv_http::BindingFace>(io_.get_executor(),
                                                 node_binding_options(config, tls_, metrics_, plan),
                                                 operations_,
                                                 clock_,
                                                 node_durability(config));
      binding_wanted_ = !config.node.binding.empty();
    }
    if (!config.node.redis.empty()) {
      redis_ = std::make_unique<redis::RedisServer>(
          node_redis_options(config, tls_, plan), operations_, *store_, clock_, metrics_);
    }
    if (tls_) {
      metrics_.callback_gauge(
          "edged_tls_certificate_not_after_seconds",
          "When the certificate in use expires, as a Unix time.",
          [tls = tls_] {
            return static_cast<double>(std::chrono::system_clock::to_time_t(tls->expires_at()));
          });
    }
  }

  Status start(const std::string& ports_path) {
    if (tls_) log_certificate();
    Status started = server_.start();
    if (!started.ok()) return started;
    started = http_.listen();
    if (!started.ok()) return started;
    started = listen_for_workers();
    if (!started.ok()) return started;
    if (redis_ && !(started = redis_->start()).ok()) return started;
    const NodePorts ports{server_.addresses(),
                          server_.unix_path(),
                          http_.address(),
                          binding_ ? binding_->address() : std::string(),
                          redis_ ? redis_->address() : std::string()};
    started = write_ports_file(ports_path, ports);
    if (!started.ok()) return started;
    log::info("ready: " + render_ports(ports));
    return {};
  }

  // Until SIGTERM or SIGINT.
  void run(const std::function<void()>& reload, ServiceManager& manager) {
    Watchdog watchdog(io_.get_executor(), manager);
    end_.async_wait([&](boost::system::error_code error, int) {
      if (error) return;
      manager.stopping();
      hangup_.cancel();
      time_watch_.cancel();
      begin_drain();
    });
    std::function<void()> wait_hup = [&] {
      hangup_.async_wait([&](boost::system::error_code error, int) {
        if (error) return;
        manager.reloading();
        reload();
        reload_tokens();
        reload_certificate();
        manager.ready();
        wait_hup();
      });
    };
    wait_hup();
    watch_time();
    watchdog.start();
    manager.ready();
    io_.run();
    if (server_drain_.joinable()) server_drain_.join();
    if (redis_drain_.joinable()) redis_drain_.join();
    operations_.stop();  // what answers to io_ does so while it is there
  }

 private:
  kv_http::QueuePass make_queue_pass(const config::Config& config) {
    const auto worker = config::worker_of_node(config);
    if (!worker) return nullptr;
#ifdef EDGED_WITH_WORKER
    queue_worker_ = std::make_unique<QueueWorker>(io_.get_executor(), *worker);
    return
        [this](kv_http::QueueRequest request) { return queue_worker_->pass(std::move(request)); };
#else
    log::warn("this edged was built without the worker: requests for queues are not passed on");
    return nullptr;
#endif
  }

  // Nobody asked for the default address: a second node of the machine starts without it.
  Status listen_for_workers() {
    if (!binding_) return {};
    const Status listening = binding_->listen();
    if (listening.ok() || binding_wanted_ || listening.code() != Code::kUnavailable) {
      return listening;
    }
    log::warn("the Workers binding is off: " + listening.message() +
              ". Set node.binding to another address, or to \"off\"");
    binding_.reset();
    return {};
  }

  // Tokens follow a step of the wall clock when the store does.
  void watch_time() {
    time_watch_.expires_after(kTimeWatchPeriod);
    time_watch_.async_wait([this](boost::system::error_code error) {
      if (error) return;
      if (access_time_.pending()) {
        access_time_.set(clock_.wall_now() - store_->stats().clock_step);
      }
      watch_time();
    });
  }

  void reload_tokens() {
    const Status reloaded = access_.reload();
    if (!reloaded.ok()) {
      log::error("tokens not reloaded, those of before stay in use: " + reloaded.message());
      return;
    }
    resolve_titles(access_, *store_);
    log::info("tokens reloaded: " + std::to_string(access_.snapshot()->tokens().size()));
  }

  void reload_certificate() {
    if (!tls_) return;
    const Status reloaded = tls_->reload();
    if (!reloaded.ok()) {
      log::error("certificate not reloaded, that of before stays in use: " + reloaded.message());
      return;
    }
    log_certificate();
  }

  void log_certificate() {
    const auto left = tls_->expires_at() - std::chrono::system_clock::now();
    const auto days = std::chrono::duration_cast<std::chrono::hours>(left).count() / 24;
    const std::string text = "the TLS certificate expires in " + std::to_string(days) + " days";
    if (left.count() <= 0) {
      log::warn(
          "the TLS certificate has expired: clients refuse it. Replace the files of node.tls and "
          "send "
          "SIGHUP");
    } else if (days < kCertificateDaysMin) {
      log::warn(text);
    } else {
      log::info(text);
    }
  }

  void begin_drain() {
    log::info("stopping: no new connections are accepted, requests under way are answered");
    draining_ = true;
    // All faces at once, so that together they take no longer than one of them may.
    server_drain_ = std::thread([this] { server_.stop(); });
    if (redis_) redis_drain_ = std::thread([this] { redis_->stop(); });
    const auto drained = [this](std::exception_ptr) {
      if (--draining_faces_ == 0) io_.stop();
    };
    draining_faces_ = binding_ ? 2 : 1;
    boost::asio::co_spawn(io_, http_.drain(kDrainTimeout), drained);
    if (binding_) boost::asio::co_spawn(io_, binding_->drain(kDrainTimeout), drained);
  }

  SystemClock clock_;
  MetricsRegistry metrics_;
  GuardedTime& access_time_;
  access::AccessTable& access_;
  const std::shared_ptr<net::ServerTls> tls_;  // null: none
  // Before io_: coroutines that go with it hold parts of values.
  std::unique_ptr<storage::Store> store_;
  operations::Operations operations_;
  boost::asio::io_context io_{1};
  // From here on signals wait for run(): who reads ports.json may send one at once.
  boost::asio::signal_set end_{io_, SIGTERM, SIGINT};
  boost::asio::signal_set hangup_{io_, SIGHUP};
  boost::asio::steady_timer time_watch_{io_};
  server::Server server_;
  std::atomic<bool> draining_{false};
  std::thread server_drain_, redis_drain_;
  std::unique_ptr<redis::RedisServer> redis_;  // null: off
#ifdef EDGED_WITH_WORKER
  std::unique_ptr<QueueWorker> queue_worker_;  // null: no worker is known
#endif
  kv_http::RestApi rest_;
  kv_http::NodeHttp http_;
  std::unique_ptr<kv_http::BindingFace> binding_;  // null: off
  bool binding_wanted_ = false;                    // the configuration names its address
  int draining_faces_ = 0;
};

int serve_store(const config::Config& config,
                const DescriptorPlan& plan,
                const std::function<void()>& reload,
                const std::function<void()>& on_start,
                ServiceManager& manager) {
  const SystemClock clock;
  GuardedTime access_time(clock);
  const auto access = access::AccessTable::open(access_options(config), access_time);
  if (!access) return fail(access.error());
  if (!config.insecure && is_reachable_from_outside(config) &&
      (*access)->snapshot()->tokens().empty()) {
    return fail({Code::kInvalidArgument,
                 "other machines can reach an address in node.listen, node.http, node.binding or "
                 "node.redis, and there is no token. Create the first one with `kvctl token create "
                 "NAME --scope admin --data " +
                     config.node.data_dir + "`, or pass --insecure to give everyone access"});
  }
  const auto tls = load_tls(config);
  if (!tls) return fail(tls.error());
  auto store = storage::open_rocks_store(store_options(config, plan));
  if (!store) return fail(store.error());
  const Status prepared = prepare_namespaces(config, **store);
  if (!prepared.ok()) return fail(prepared);
  resolve_titles(**access, **store);
  access_time.set(clock.wall_now() - (*store)->stats().clock_step);
  const std::string ports_path = config.node.data_dir + "/ports.json";
  Node node(config, access_time, **access, *tls, std::move(*store), plan);
  const Status started = node.start(ports_path);
  if (!started.ok()) return fail(started);
  on_start();
  node.run(reload, manager);
  std::error_code ignored;
  std::filesystem::remove(ports_path, ignored);
  return kExitDone;
}

}  // namespace

int run_node(const config::Config& config,
             std::function<void()> reload,
             const std::function<void()>& on_start) {
  std::signal(SIGHUP, SIG_IGN);   // there is nothing to reload yet
  std::signal(SIGCHLD, SIG_IGN);  // process 1 of a container gets the children of others
  ::mallopt(M_ARENA_MAX, 2);  // an arena per thread costs megabytes and gains an idle node nothing
  ServiceManager manager = ServiceManager::from_environment();
  const DescriptorPlan plan = raise_descriptor_limit();
  return serve_store(config, plan, reload, on_start, manager);
}

}  // namespace edged
