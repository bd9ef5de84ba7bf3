// SPDX-License-Identifier: Apache-2.0
// The worker's role "queue": creates and sets the queues that the configuration names, runs a
// consumer for each entry of queue_push, serves the Queues API, and deletes old messages. Listens
// for new messages, also for the role "mail". One thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "proto/http/server.h"
#include "tools/edged/config.h"
#include "tools/edged/worker_parts.h"
#include "worker/db/pg_listener.h"
#include "worker/db/pg_pool.h"
#include "worker/queue/queue_admin.h"
#include "worker/queue/queue_directory.h"
#include "worker/queue/retention.h"
#include "worker/queue_push/push_handler.h"

namespace edged {

class QueueService {
 public:
  static constexpr std::chrono::milliseconds kPatience{2'000};

  // Everything given by reference outlives the object. `name`: this worker's.
  QueueService(boost::asio::any_io_executor executor,
               const config::Config& config,
               WorkerParts& parts,
               std::string name);
  QueueService(const QueueService&) = delete;
  QueueService& operator=(const QueueService&) = delete;

  // Before the server listens: the Queues API.
  void add_routes(http::Server& server);
  // Creates the queues, consumes and listens, until stop(). Without the role: only listens.
  boost::asio::awaitable<void> run();
  // Gives back what is not done, at the latest after `patience`.
  boost::asio::awaitable<void> stop(std::chrono::milliseconds patience);

 private:
  struct Push {
    std::unique_ptr<queue::PushClient> client;
    std::unique_ptr<queue::PushHandlerParts> parts;
    std::unique_ptr<queue::Consumer> consumer;
  };
  // What the configuration says of a queue.
  struct Wanted {
    std::string name;
    queue::QueueChange change;
  };
  static std::vector<Wanted> wanted_queues(const config::Config& config);
  void wake_consumers();
  void add_push(const config::Config& config, const config::QueuePush& push);

  boost::asio::any_io_executor executor_;
  const config::Config& config_;
  db::PgPool& pool_;
  const Clock& clock_;
  MetricsRegistry& metrics_;
  const std::string name_;
  WorkerParts& parts_;
  queue::QueueAdmin admin_;
  queue::QueueDirectory directory_;
  queue::Retention retention_;
  std::unique_ptr<db::PgListener> listener_;  // null: a pooler may stand between
  std::vector<Wanted> queues_;
  std::vector<Push> pushes_;
  bool stopping_ = false;
};

// The options that `queues.consumers` has for a queue, or the defaults.
queue::ConsumerOptions consumer_options(const config::Config& config,
                                        const std::string& queue,
                                        std::string consumer_name);

}  // namespace edged
