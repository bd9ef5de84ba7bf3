// SPDX-License-Identifier: Apache-2.0
// The node's way to the worker: passes requests for queues on to the worker's Queues API, with its
// secret. One thread, the executor's; destroy it before its io_context, and after what passes.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <string>

#include "kvstore/http/queue_pass.h"
#include "tools/edged/config_addresses.h"
#include "worker/http/http_client.h"

namespace edged {

class QueueWorker {
 public:
  QueueWorker(boost::asio::any_io_executor executor, const config::WorkerOfNode& worker);
  QueueWorker(const QueueWorker&) = delete;
  QueueWorker& operator=(const QueueWorker&) = delete;

  // The object outlives the call. Errors: those of kv_http::QueuePass.
  boost::asio::awaitable<Result<kv_http::QueueAnswer>> pass(kv_http::QueueRequest request);

 private:
  Status failed(std::string why);

  const std::string url_;
  const std::function<Result<std::string>()> secret_;
  http::HttpClient client_;
  std::string told_;  // what was logged last; empty: the worker answered since
};

}  // namespace edged
