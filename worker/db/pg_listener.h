// SPDX-License-Identifier: Apache-2.0
// Listens on one channel of PostgreSQL (LISTEN) over a connection of its own, and says when there
// was a notification. It is a hint alone: notifications sent while the connection is down are lost,
// and a pooler in transaction mode swallows all. So callers also look by themselves now and then.
//
// A pooler in transaction mode takes LISTEN and then passes nothing on. So after each connecting a
// notification is sent the way that others send theirs (`probe`); if it does not arrive within 5 s,
// a warning says so, and the gauge edged_pg_listening stays 0 until one arrives.
//
// A connection that is lost is made again, with pauses of 0.1 to 10 s; one that is silent is probed
// each 30 s. Executor's thread; the object outlives its coroutine.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <string>

#include "proto/base/metrics.h"
#include "proto/base/status.h"
#include "proto/net/condition.h"
#include "worker/db/pg_connection.h"
#include "worker/db/pg_target.h"

namespace edged::db {

class PgListener {
 public:
  using Probe = std::function<boost::asio::awaitable<Status>()>;

  // `channel`: a lower-case SQL name. `probe`: sends a notification on it; empty: nothing is
  // checked. `on_notify` is called once for notifications that come together, and once after each
  // connecting, because some may have been missed.
  PgListener(boost::asio::any_io_executor executor,
             PgConnectOptions options,
             std::string channel,
             Probe probe,
             std::function<void()> on_notify,
             MetricsRegistry& metrics);

  // Until stop().
  boost::asio::awaitable<void> run();
  void stop();

 private:
  boost::asio::awaitable<Status> listen();
  // Whether notifications arrive; true also if none could be sent.
  boost::asio::awaitable<Result<bool>> verify();
  void set_listening();

  boost::asio::any_io_executor executor_;
  const PgConnectOptions options_;
  const std::string channel_;
  const Probe probe_;
  const std::function<void()> on_notify_;
  Gauge& listening_;
  net::AsyncCondition changed_;
  std::unique_ptr<PgConnection> connection_;
  bool stopping_ = false;
  bool deaf_told_ = false;
};

}  // namespace edged::db
