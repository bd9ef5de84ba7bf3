// SPDX-License-Identifier: Apache-2.0
// How a request for queues leaves the node: queues are the worker's, and the node does not know how
// to reach one. Plain values; a pass runs on the server's executor.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <string>

#include "proto/base/status.h"

namespace edged::kv_http {

struct QueueRequest {
  std::string method;  // "GET", "POST", "PUT", "PATCH", "DELETE"
  // "/client/v4/accounts/ID/queues/…?query". Each segment of the path has only letters, digits, '-'
  // and '_'; the query is as it came.
  std::string target;
  std::string body;  // as it came; at most 1 MiB
};

struct QueueAnswer {
  int status = 200;
  std::string content_type;
  std::string body;
};

// Errors: kUnavailable, kDeadlineExceeded: no answer of a worker, the message says why;
// kInvalidArgument: the target cannot be used.
using QueuePass = std::function<boost::asio::awaitable<Result<QueueAnswer>>(QueueRequest)>;

}  // namespace edged::kv_http
