// SPDX-License-Identifier: Apache-2.0
// Keeps tables of PostgreSQL in the node, whatever happens to either: sessions that load if they
// must, follow the stream, and begin anew after a failure. One for each mirrored namespace. The
// executor's thread.
#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proto/base/backoff.h"
#include "proto/base/clock.h"
#include "proto/base/metrics.h"
#include "proto/base/status.h"
#include "proto/net/client.h"
#include "worker/db/pg_pool.h"
#include "worker/db/pg_replication.h"
#include "worker/mirror/applier.h"
#include "worker/mirror/catalogue.h"
#include "worker/mirror/heartbeat.h"
#include "worker/mirror/slot.h"
#include "worker/mirror/stream.h"

namespace edged::mirror {

struct MirrorOptions {
  std::string ns;  // id of the mirrored namespace
  std::vector<Rule> rules;
  std::string slot;
  std::string publication;
  bool temporary_slot = false;  // reloads with each session; never keeps PostgreSQL's log
  std::chrono::milliseconds heartbeat{1000};
  std::string who;  // this worker, for people
  // Larger transactions come in parts.
  std::size_t batch_changes_max = Applier::kBatchChangesMax;
  db::PgConnectOptions postgres;
};

// The names in use if the configuration gives none. Pure.
std::string default_slot(const std::string& ns);

class Mirror {
 public:
  // `pool` and `client` outlive this object; calls of `client` may take long.
  Mirror(boost::asio::any_io_executor executor,
         db::PgPool& pool,
         net::Client& client,
         const Clock& clock,
         MetricsRegistry& metrics,
         MirrorOptions options);

  // Until stop(). Call once.
  boost::asio::awaitable<void> run();
  void stop();

 private:
  template <typename T>
  using Awaitable = boost::asio::awaitable<T>;
  struct Metrics;
  struct Session;

  Awaitable<Status> run_session();
  Awaitable<Status> prepare();
  Awaitable<Status> connect(Session* session);
  Awaitable<Status> inspect(Session* session);
  Awaitable<Status> load(Session* session, std::string why);
  Awaitable<Status> resume(Session* session);
  Awaitable<Status> follow(Session* session);
  Awaitable<void> watch_slot();
  void note_progress();
  void note_end(const Status& status);

  const boost::asio::any_io_executor executor_;
  db::PgPool& pool_;
  net::Client& client_;
  const Clock& clock_;
  const MirrorOptions options_;
  const std::shared_ptr<Metrics> metrics_;
  boost::asio::steady_timer pause_;
  boost::asio::steady_timer slot_timer_;
  Backoff backoff_;
  Session* session_ = nullptr;  // the one under way
  bool stopping_ = false;
  std::string told_;
  std::string reload_;  // why the next session must load; empty: it finds out itself
};

}  // namespace edged::mirror
