// SPDX-License-Identifier: Apache-2.0
// Everything a worker is made of, built in order from the configuration: PostgreSQL, the KV client,
// the upstream, the job, the outbox. Shared by `edged worker` and `edged cron run`. One thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "proto/base/clock.h"
#include "proto/base/metrics.h"
#include "proto/net/client.h"
#include "tools/edged/config.h"
#include "worker/db/pg_pool.h"
#include "worker/mail/maildir.h"
#include "worker/mail/outbox.h"
#include "worker/monitor/class_monitor.h"
#include "worker/monitor/history_keeper.h"
#include "worker/upstream/fetcher.h"
#include "worker/upstream/http_client.h"
#include "worker/upstream/json_source.h"
#include "worker/upstream/scraper_source.h"

namespace edged {

// How long a state lives in the node in the classic flow: 1 h or the `ttl` of its rule, or if ticks
// are rarer than that, their distance and a quarter of an hour more, so that the next run still
// finds it. Its epoch, not its age, says whether it is fresh.
std::chrono::milliseconds state_ttl(const config::Config& config, WallTime now);

class WorkerParts {
 public:
  // `worker_name` is the same after a restart. Connects to nothing yet.
  WorkerParts(boost::asio::any_io_executor executor,
              const config::Config& config,
              std::string worker_name);
  // A mirror keeps these of the job's keys.
  void set_mirrored(monitor::MirroredKeys mirrored);

  WorkerParts(const WorkerParts&) = delete;
  WorkerParts& operator=(const WorkerParts&) = delete;

  SystemClock clock;
  MetricsRegistry metrics;
  db::PgPool pool;
  std::unique_ptr<net::Client> kv_client;  // null: no namespace is configured
  monitor::KvStates kv;
  upstream::HttpClient http_client;
  std::unique_ptr<upstream::AttemptSource> source;
  upstream::Fetcher fetcher;
  mail::MaildirTransport transport;
  mail::OutboxDelivery outbox;
  monitor::RunStore run_store;
  monitor::ClassMonitor class_monitor;
  std::function<void()> on_run_end;                 // may be set at any time
  std::unique_ptr<monitor::HistoryKeeper> history;  // null: it is kept forever
};

}  // namespace edged
