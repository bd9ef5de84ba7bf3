// SPDX-License-Identifier: Apache-2.0
// What only the worker knows, published in the node for dashboards: keys "status:…" of a namespace
// of its own, each a JSON object that lives 60 s, so what a dead worker said goes by itself.
// Nothing here fails the worker: a node that is away or refuses is logged once until it takes them
// again. The executor's thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "proto/net/client.h"
#include "proto/net/system_namespace.h"

namespace edged::worker {

struct StatusOptions {
  std::string ns_title = net::kSystemNamespaceTitle;
  std::string ns_id = net::kSystemNamespaceId;
  std::chrono::milliseconds interval{15'000};
  std::chrono::milliseconds ttl{60'000};
};

// Keys and their values.
using StatusDocuments = std::vector<std::pair<std::string, std::string>>;

class StatusPublisher {
 public:
  using Collect = std::function<boost::asio::awaitable<StatusDocuments>()>;

  // `client` outlives this object.
  StatusPublisher(boost::asio::any_io_executor executor,
                  net::Client& client,
                  StatusOptions options,
                  Collect collect);

  // Publishes at once and at every interval, until stop(). Creates the namespace if the node lacks
  // it.
  boost::asio::awaitable<void> run();
  void wake();  // publishes now: something has changed
  void stop();

 private:
  boost::asio::awaitable<Status> publish();
  boost::asio::awaitable<Status> create_namespace();
  void note(const Status& status);

  net::Client& client_;
  StatusOptions options_;
  Collect collect_;
  boost::asio::steady_timer timer_;
  bool woken_ = false;
  bool stopped_ = false;
  int failures_ = 0;  // in a row; the first is not told, since a node may start after us
};

}  // namespace edged::worker
