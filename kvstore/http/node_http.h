// SPDX-License-Identifier: Apache-2.0
// The node's HTTP face: /healthz, /readyz, /metrics with the store's and the process's figures, and
// the dashboard. The figures are read when a page is asked for. The executor's thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <mutex>

#include "kvstore/access/access_table.h"
#include "kvstore/http/dashboard_events.h"
#include "kvstore/storage/store.h"
#include "proto/base/clock.h"
#include "proto/base/metrics.h"
#include "proto/base/status.h"
#include "proto/http/server.h"

namespace edged::kv_http {

class NodeHttp {
 public:
  // `store`, `metrics` and `clock` outlive the object, and the object outlives the registry's last
  // rendering: its gauges ask it. `ready` must not block. If `access` (which outlives this too, or
  // is null) wants tokens, /metrics and the dashboard's figures want one with the scope metrics.
  NodeHttp(boost::asio::any_io_executor executor,
           http::ServerOptions options,
           const storage::Store& store,
           MetricsRegistry& metrics,
           const Clock& clock,
           std::function<Status()> ready,
           const access::AccessTable* access = nullptr);

  // For routes of other parts, before listen().
  http::Server& server() { return server_; }

  Status listen() { return server_.listen(); }
  std::string address() const { return server_.address(); }
  boost::asio::awaitable<void> drain(std::chrono::milliseconds timeout) {
    events_.stop();
    return server_.drain(timeout);
  }

 private:
  void add_store_metrics(MetricsRegistry& metrics);
  void add_mirror_metrics(MetricsRegistry& metrics);
  storage::StoreStats stats();

  http::Server server_;
  const storage::Store& store_;
  const Clock& clock_;
  DashboardEvents events_;

  std::mutex mutex_;  // guards the two below
  std::chrono::milliseconds read_at_{-1'000'000};
  storage::StoreStats stats_;
};

}  // namespace edged::kv_http
