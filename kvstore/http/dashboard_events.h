// SPDX-License-Identifier: Apache-2.0
// The dashboard's live figures: GET /dashboard/events is answered with server-sent events (HTML
// standard, section 9.2), one snapshot of the node each second until the reader goes or the node
// stops. All readers get the same snapshot: it is made once a second, and not at all while nobody
// reads. A reader that is slow misses snapshots and gets the newest. At most `listeners_max` read
// at a time; more are answered 503. Thread: the server's executor.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "proto/http/health.h"
#include "proto/http/server.h"

namespace edged::kv_http {

struct DashboardEventsOptions {
  std::size_t listeners_max = 64;
  std::chrono::milliseconds interval{1000};
};

class DashboardEvents {
 public:
  // `snapshot` makes one text without line ends. `may_read` judges the request's token before each
  // event, so a token that was revoked stops working. Both outlive the server.
  DashboardEvents(boost::asio::any_io_executor executor,
                  std::function<std::string()> snapshot,
                  http::MayRead may_read,
                  DashboardEventsOptions options = {});
  ~DashboardEvents();

  // Before Server::listen().
  void add_routes(http::Server& server);
  // Ends all streams. Call it before Server::drain(), which waits for them.
  void stop();

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace edged::kv_http
