// SPDX-License-Identifier: Apache-2.0
// See queue_service.h.
#include "tools/edged/queue_service.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <map>
#include <utility>

#include "proto/base/hex.h"
#include "proto/base/log.h"
#include "proto/base/secret_file.h"
#include "proto/net/spawn.h"
#include "tools/edged/mail_transport.h"
#include "tools/edged/postgres_options.h"
#include "worker/queue_http/queue_routes.h"

namespace edged {
namespace {

using boost::asio::awaitable;
constexpr std::chrono::milliseconds kCreatePause{500};

std::function<std::string()> current_secret(const config::QueuePush& push) {
  if (push.secret_file.empty()) {
    return [secret = push.secret] { return secret; };
  }
  const auto file = std::make_shared<SecretFile>(push.secret_file, "queue_push.secret_file");
  (void)file->get();  // so that it stays in use if the file goes
  return [file] {
    const Result<std::string> secret = file->get();
    return secret ? *secret : std::string();
  };
}

queue::PushOptions push_options(const config::QueuePush& push) {
  queue::PushOptions options;
  options.queue = push.queue;
  options.url = push.url;
  options.secret = current_secret(push);
  options.timeout = push.timeout;
  options.tls_ca = push.tls_ca;
  options.seed = random_number();
  return options;
}

}  // namespace

queue::ConsumerOptions consumer_options(const config::Config& config,
                                        const std::string& queue,
                                        std::string consumer_name) {
  config::QueueConsumer from;
  for (const config::QueueConsumer& one : config.queue_consumers) {
    if (one.queue == queue) from = one;
  }
  queue::ConsumerOptions options;
  options.queue = queue;
  options.name = std::move(consumer_name);
  options.max_batch_size = from.max_batch_size;
  options.max_batch_timeout = std::chrono::seconds(from.max_batch_timeout);
  options.max_concurrency = from.max_concurrency;
  options.max_retries = from.max_retries;
  options.retry_delay = std::chrono::seconds(from.retry_delay);
  options.dead_letter_queue = from.dead_letter_queue;
  return options;
}

QueueService::QueueService(boost::asio::any_io_executor executor,
                           const config::Config& config,
                           WorkerParts& parts,
                           std::string name)
    : executor_(std::move(executor)),
      config_(config),
      pool_(parts.pool),
      clock_(parts.clock),
      metrics_(parts.metrics),
      name_(std::move(name)),
      parts_(parts),
      admin_(parts.pool, parts.clock),
      directory_(parts.pool),
      retention_(executor_, parts.pool, parts.clock, parts.metrics),
      queues_(wanted_queues(config)) {
  if (std::optional<db::PgConnectOptions> listen = listen_options(config)) {
    listener_ = std::make_unique<db::PgListener>(
        executor_,
        *std::move(listen),
        "edged_queue",
        [this] { return directory_.notify(); },
        [this] { wake_consumers(); },
        parts.metrics);
  }
  if (!config.worker.has_role(config::kRoleQueue)) return;
  pushes_.reserve(config.queue_push.size());
  for (const config::QueuePush& push : config.queue_push) add_push(config, push);
}

// Each once. A queue that is only named as somebody's dead letter queue is created alone.
std::vector<QueueService::Wanted> QueueService::wanted_queues(const config::Config& config) {
  std::map<std::string, queue::QueueChange> wanted;
  for (const config::QueueProducer& producer : config.queue_producers) {
    wanted[producer.queue].delivery_delay = std::chrono::seconds(producer.delivery_delay);
  }
  for (const config::QueueConsumer& consumer : config.queue_consumers) {
    queue::QueueChange& change = wanted[consumer.queue];
    change.is_pulled = consumer.type == "http_pull";
    change.visibility_timeout = std::chrono::milliseconds(consumer.visibility_timeout_ms);
    change.max_retries = consumer.max_retries;
    change.retry_delay = std::chrono::seconds(consumer.retry_delay);
    change.dead_letter_queue = consumer.dead_letter_queue;
    if (!consumer.dead_letter_queue.empty()) wanted[consumer.dead_letter_queue];
  }
  for (const config::QueuePush& push : config.queue_push) wanted[push.queue].is_pulled = false;
  std::vector<Wanted> queues;
  for (auto& [name, change] : wanted) queues.push_back({name, std::move(change)});
  return queues;
}

void QueueService::add_routes(http::Server& server) {
  queue::QueueRoutes routes;
  const auto current = current_secret(
      config_.worker.queue_secret, config_.worker.queue_secret_file, "worker.queue_secret_file");
  routes.secret = [current] {
    const Result<std::string> secret = current ? current() : Result<std::string>(std::string());
    return secret ? *secret : std::string();
  };
  routes.consumed.emplace_back(config::kEmailQueue);
  for (const config::QueuePush& push : config_.queue_push) routes.consumed.push_back(push.queue);
  queue::add_queue_routes(server, std::move(routes), pool_, clock_);
}

void QueueService::add_push(const config::Config& config, const config::QueuePush& from) {
  queue::ConsumerOptions options = consumer_options(config, from.queue, name_);
  Push push;
  push.client =
      std::make_unique<queue::PushClient>(executor_, push_options(from), clock_, metrics_);
  push.parts = std::unique_ptr<queue::PushHandlerParts>(
      new queue::PushHandlerParts{*push.client, clock_, options.retry_delay, {}});
  push.parts->pause_queue = [this, queue = from.queue] { return admin_.set_paused(queue, true); };
  push.consumer = std::make_unique<queue::Consumer>(executor_,
                                                    pool_,
                                                    clock_,
                                                    metrics_,
                                                    std::move(options),
                                                    queue::make_push_handler(*push.parts));
  pushes_.push_back(std::move(push));
}

void QueueService::wake_consumers() {
  for (Push& push : pushes_) push.consumer->wake();
  if (parts_.mail_queue) parts_.mail_queue->wake();
}

awaitable<void> QueueService::run() {
  if (listener_) {
    net::spawn(executor_, listener_->run());
  } else {
    log::info(
        "[QUEUE] postgres.session_state is false, and a pooler in transaction mode passes no "
        "notifications on: consumers look for messages each second. Set postgres.listen_url to the "
        "address of PostgreSQL itself, or of a pooler in session mode, to wake them at once");
  }
  if (!config_.worker.has_role(config::kRoleQueue)) co_return;
  boost::asio::steady_timer timer(executor_);
  std::string told;
  for (std::size_t i = 0; i < queues_.size() && !stopping_;) {
    queue::QueueChange change = queues_[i].change;
    const Status made = co_await directory_.configure(queues_[i].name, std::move(change));
    if (made.ok()) {
      ++i;
      continue;
    }
    const std::string what =
        "could not create queue \"" + queues_[i].name + "\": " + made.message();
    if (what != told) log::error(what);
    told = what;
    timer.expires_after(kCreatePause);
    const auto waited =
        co_await timer.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    (void)waited;
  }
  if (stopping_) co_return;
  net::spawn(executor_, retention_.run());
  for (Push& push : pushes_) net::spawn(executor_, push.consumer->run());
}

awaitable<void> QueueService::stop(std::chrono::milliseconds patience) {
  stopping_ = true;
  retention_.stop();
  if (listener_) listener_->stop();
  const auto until = std::chrono::steady_clock::now() + patience;
  for (Push& push : pushes_) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        until - std::chrono::steady_clock::now());
    const auto rest = std::max(left, std::chrono::milliseconds(0));
    co_await push.consumer->stop(rest);
  }
}

}  // namespace edged
