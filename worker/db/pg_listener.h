// SPDX-License-Identifier: Apache-2.0
// Listens on one channel of PostgreSQL (LISTEN) over a connection of its own, and says when there
// was a notification. It is a hint alone: notifications sent while the connection is down are lost,
// and a pooler in transaction mode swallows all. So callers also look by themselves now and then.
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
  // `channel`: a lower-case SQL name. `on_notify` is called once for notifications that come
  // together, and once after each connecting, because some may have been missed.
  PgListener(boost::asio::any_io_executor executor,
             PgConnectOptions options,
             std::string channel,
             std::function<void()> on_notify,
             MetricsRegistry& metrics);

  // Until stop().
  boost::asio::awaitable<void> run();
  void stop();

 private:
  boost::asio::awaitable<Status> listen();

  boost::asio::any_io_executor executor_;
  const PgConnectOptions options_;
  const std::string channel_;
  const std::function<void()> on_notify_;
  Gauge& listening_;
  net::AsyncCondition changed_;
  std::unique_ptr<PgConnection> connection_;
  bool stopping_ = false;
};

}  // namespace edged::db
