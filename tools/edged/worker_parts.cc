// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/worker_parts.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "proto/base/hex.h"
#include "proto/net/spawn.h"
#include "tools/edged/mail_transport.h"
#include "tools/edged/postgres_options.h"
#include "tools/edged/upstream_parts.h"

namespace edged {
namespace {

std::unique_ptr<net::Client> make_kv_client(boost::asio::any_io_executor executor,
                                            const config::Config& config) {
  if (config.worker_namespace_id().empty()) return nullptr;
  net::ClientOptions options;
  options.address = config.node_address();
  options.tls_ca_file = config.worker.tls_ca;
  options.credential_file = config.worker.token_file;
  options.call_timeout = config.worker.node_timeout;
  options.connect_timeout = std::min(options.connect_timeout, options.call_timeout);
  return std::make_unique<net::Client>(std::move(executor), std::move(options));
}

upstream::FetcherOptions fetcher_options(const config::Config& config) {
  upstream::FetcherOptions options;
  options.concurrency = config.upstream.concurrency;
  options.retries_max = config.upstream.retries;
  options.seed = random_number();
  return options;
}

class_monitor::ClassMonitorOptions monitor_options(const config::Config& config) {
  class_monitor::ClassMonitorOptions options;
  options.run.concurrency = static_cast<std::size_t>(config.upstream.concurrency);
  options.run.touch_last_checked = config.class_monitor.touch_last_checked;
  return options;
}

std::unique_ptr<class_monitor::HistoryKeeper> make_history_keeper(
    boost::asio::any_io_executor executor,
    db::PgPool& pool,
    const Clock& clock,
    const config::Config& config,
    MetricsRegistry& metrics) {
  if (!config.class_monitor.history) return nullptr;
  class_monitor::HistoryKeeperOptions options;
  options.history = *config.class_monitor.history;
  return std::make_unique<class_monitor::HistoryKeeper>(
      std::move(executor), pool, clock, std::move(options), metrics);
}

// The `ttl` of the rule that mirrors states, if there is one.
std::chrono::milliseconds state_lifetime(const config::Config& config, WallTime now) {
  std::chrono::milliseconds usual = class_monitor::kStateLifetime;
  for (const config::MirrorRule& rule : config.mirror.rules) {
    if (rule.key.starts_with(class_monitor::kStateKeyPrefix) && rule.ttl.count() > 0) {
      usual = rule.ttl;
    }
  }
  const auto zone = worker::TimeZone::load(config.class_monitor.time_zone);
  if (!zone) return usual;
  return class_monitor::state_lifetime(usual, config.class_monitor_crons(), *zone, now);
}

}  // namespace

class_monitor::RunStoreOptions run_store_options(const config::Config& config,
                                                 std::string worker_name) {
  class_monitor::RunStoreOptions options;
  options.worker = std::move(worker_name);
  options.process = to_hex(random_bytes(8));
  options.mail_from = config.mail.from;
  options.mail_url = config.worker.public_url;
  options.mail_valid_for = std::chrono::duration_cast<std::chrono::seconds>(config.mail.valid_for);
  options.past_term_after =
      std::chrono::duration_cast<std::chrono::seconds>(config.class_monitor.past_term_after);
  for (const std::string& placeholder : config.class_monitor.instructor_placeholders) {
    options.placeholders.push_back(placeholder);
  }
  return options;
}

WorkerParts::WorkerParts(boost::asio::any_io_executor executor,
                         const config::Config& config,
                         std::string worker_name,
                         Duties duties)
    : pool(executor, pool_options(config, "edged worker"), metrics),
      kv_client(make_kv_client(executor, config)) {
  const bool asks_for_mails = duties.mail && !config.upstream.url.empty();
  if (duties.jobs || asks_for_mails) make_upstream(executor, config);
  if (duties.mail) make_mail(executor, config);
  if (duties.jobs) make_jobs(executor, config, std::move(worker_name));
}

void WorkerParts::make_upstream(boost::asio::any_io_executor executor,
                                const config::Config& config) {
  http_client = std::make_unique<http::HttpClient>(executor, upstream_client_options(config));
  source = make_upstream_source(*http_client, config);
  fetcher = std::make_unique<upstream::Fetcher>(
      executor, *source, fetcher_options(config), clock, metrics);
}

void WorkerParts::make_mail(boost::asio::any_io_executor executor, const config::Config& config) {
  transport = make_transport(executor, config);
  class_monitor::AskSeats ask;
  if (fetcher) ask = class_monitor::ask_upstream(*fetcher);
  class_monitor::SeatLettersOptions options;
  // The configuration was checked: the zone exists.
  if (auto zone = worker::TimeZone::load(config.class_monitor.time_zone)) options.zone = *zone;
  seat_letters = std::make_unique<class_monitor::SeatLetters>(
      executor, pool, clock, std::move(options), std::move(ask));
  mail_queue = std::make_unique<MailQueue>(executor, config, pool, *transport, clock, metrics);
  mail_queue->add_kind(class_monitor::SeatLetters::kName, *seat_letters);
}

void WorkerParts::make_jobs(boost::asio::any_io_executor executor,
                            const config::Config& config,
                            std::string worker_name) {
  kv = std::make_unique<class_monitor::KvStates>(
      kv_client.get(),
      class_monitor::KvStatesOptions{.ns = config.worker_namespace_id(),
                                     .state_ttl = state_lifetime(config, clock.wall_now())},
      metrics);
  run_store = std::make_unique<class_monitor::RunStore>(
      pool, run_store_options(config, std::move(worker_name)));
  class_monitor::RunTools tools{*run_store,
                                *kv,
                                *fetcher,
                                clock,
                                [this] {
                                  if (mail_queue) mail_queue->wake();
                                },
                                [this] { return fetcher->figures(); },
                                [this] {
                                  if (on_run_end) on_run_end();
                                }};
  class_monitor = std::make_unique<class_monitor::ClassMonitor>(
      executor, std::move(tools), monitor_options(config), metrics);
  history = make_history_keeper(executor, pool, clock, config, metrics);
}

void WorkerParts::begin_mails(boost::asio::any_io_executor executor) {
  if (mail_queue) net::spawn(executor, mail_queue->run());
}

boost::asio::awaitable<void> WorkerParts::stop_mails() {
  if (mail_queue) co_await mail_queue->stop();
}

void WorkerParts::set_mirror(const NodeMirror& mirror) {
  if (!class_monitor) return;
  run_store->set_mirrored(mirror.keys.states && mirror.followed);
  kv->set_mirrored(mirror.keys);
}

}  // namespace edged
