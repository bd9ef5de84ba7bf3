// SPDX-License-Identifier: Apache-2.0
// Everything a worker is made of, built in order from the configuration: PostgreSQL, the KV client,
// the upstream, the mails, the job. What its duties do not need is not made, and has no metrics.
// Shared by `edged worker` and `edged cron run`. One thread.
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
#include "tools/edged/duties.h"
#include "tools/edged/mail_queue.h"
#include "tools/edged/mirror_parts.h"
#include "worker/class_monitor/class_monitor.h"
#include "worker/class_monitor/history_keeper.h"
#include "worker/class_monitor/seat_letters.h"
#include "worker/db/pg_pool.h"
#include "worker/http/http_client.h"
#include "worker/mail/transport.h"
#include "worker/upstream/fetcher.h"
#include "worker/upstream/json_source.h"
#include "worker/upstream/scraper_source.h"

namespace edged {

class WorkerParts {
 public:
  // `worker_name` is the same after a restart. Connects to nothing yet.
  WorkerParts(boost::asio::any_io_executor executor,
              const config::Config& config,
              std::string worker_name,
              Duties duties);
  // What a mirror does with the job's keys, as far as there are jobs.
  void set_mirror(const NodeMirror& mirror);
  // Delivers mails, if that is a duty, until they are stopped; what is not sent is given back.
  void begin_mails(boost::asio::any_io_executor executor);
  boost::asio::awaitable<void> stop_mails();

  WorkerParts(const WorkerParts&) = delete;
  WorkerParts& operator=(const WorkerParts&) = delete;

  SystemClock clock;
  MetricsRegistry metrics;
  db::PgPool pool;
  std::unique_ptr<net::Client> kv_client;  // null: no namespace is configured
  // Null: neither jobs nor mails need it, or upstream.url is not set.
  std::unique_ptr<http::HttpClient> http_client;
  std::unique_ptr<upstream::AttemptSource> source;
  std::unique_ptr<upstream::Fetcher> fetcher;
  // Null: mails are not delivered here.
  std::unique_ptr<mail::Transport> transport;
  std::unique_ptr<class_monitor::SeatLetters> seat_letters;
  std::unique_ptr<MailQueue> mail_queue;
  // Null: jobs are not run here.
  std::unique_ptr<class_monitor::KvStates> kv;
  std::unique_ptr<class_monitor::RunStore> run_store;
  std::unique_ptr<class_monitor::ClassMonitor> class_monitor;
  std::unique_ptr<class_monitor::HistoryKeeper> history;  // also null: it is kept forever
  std::function<void()> on_run_end;                       // may be set at any time

 private:
  void make_upstream(boost::asio::any_io_executor executor, const config::Config& config);
  void make_mail(boost::asio::any_io_executor executor, const config::Config& config);
  void make_jobs(boost::asio::any_io_executor executor,
                 const config::Config& config,
                 std::string worker_name);
};

// Of `edged cron history`, which needs nothing else.
class_monitor::RunStoreOptions run_store_options(const config::Config& config,
                                                 std::string worker_name);

}  // namespace edged
