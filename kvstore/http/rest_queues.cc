// SPDX-License-Identifier: Apache-2.0
// Queues: passed on to the worker once the caller's rights are known.
#include <algorithm>
#include <chrono>
#include <utility>

#include "kvstore/http/rest_body.h"
#include "kvstore/http/rest_call.h"
#include "kvstore/http/rest_envelope.h"

namespace edged::kv_http {
namespace {

constexpr std::string_view kOperation = "queues";
// Of a worker, too.
constexpr std::size_t kBodyBytesMax = 1024 * 1024;
// A pull's answer may have tens of megabytes.
constexpr std::size_t kCallsMax = 32;

class CallCount {
 public:
  explicit CallCount(std::size_t& count) : count_(count) { ++count_; }
  ~CallCount() { --count_; }
  CallCount(const CallCount&) = delete;
  CallCount& operator=(const CallCount&) = delete;

 private:
  std::size_t& count_;
};

// Names, ids and verbs alone. What a client of HTTP would normalise, as "..", would leave the
// queues, and the node's secret with it.
bool is_plain(std::string_view path) {
  const auto plain = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '_';
  };
  path.remove_prefix(kRestPrefix.size());
  for (;;) {
    const std::string_view segment = path.substr(0, path.find('/'));
    if (segment.empty() || !std::all_of(segment.begin(), segment.end(), plain)) return false;
    if (segment.size() == path.size()) return true;
    path.remove_prefix(segment.size() + 1);
  }
}

Code code_of(const Result<QueueAnswer>& answer) {
  if (!answer) return answer.code();
  if (answer->status >= 500) return Code::kUnavailable;
  return answer->status >= 400 ? Code::kInvalidArgument : Code::kOk;
}

QueueRequest request_of(const http::RequestHead& head, std::string body) {
  QueueRequest request;
  request.method = head.method == "HEAD" ? "GET" : head.method;
  request.target = head.target_path;
  if (!head.query.empty()) request.target.append("?").append(head.query);
  request.body = std::move(body);
  return request;
}

// Null: the caller may.
std::optional<http::Response> refuse(RestCall& call) {
  const Status allowed = call.shared.operations.judge_queues(call.caller);
  if (!allowed.ok()) return rest_failure(kOperation, allowed);
  if (!is_plain(call.exchange.head().target_path)) {
    return rest_no_route(call.exchange.head().target_path);
  }
  if (call.shared.queue_pass == nullptr) {
    return rest_failure(
        kOperation,
        Status(Code::kUnavailable,
               "no worker is configured. Queues are the worker's: set node.worker_http to its "
               "address and node.worker_secret to its secret"));
  }
  if (call.shared.queue_calls >= kCallsMax) {
    return rest_failure(kOperation, Status(Code::kBusy, "too many calls"));
  }
  return std::nullopt;
}

}  // namespace

RestEndpoint rest_queues(RestCall& call) {
  const auto start = std::chrono::steady_clock::now();
  std::optional<http::Response> refused = refuse(call);
  if (refused) {
    co_await rest_send(call, *std::move(refused));
    co_return;
  }
  http::Response response;
  {
    const CallCount counted(call.shared.queue_calls);
    Result<std::string> body = co_await read_whole_body(call.exchange, kBodyBytesMax);
    if (!body) {
      co_await rest_send(call, rest_failure(kOperation, body.error()));
      co_return;
    }
    QueueRequest request = request_of(call.exchange.head(), *std::move(body));
    Result<QueueAnswer> answer = co_await call.shared.queue_pass(std::move(request));
    call.shared.operations.count_queues(call.caller.face(), code_of(answer), start);
    if (answer) {
      response.status = answer->status;
      response.content_type = std::move(answer->content_type);
      response.body = std::move(answer->body);
    } else {
      response = rest_failure(kOperation, answer.error());
    }
  }
  co_await rest_send(call, std::move(response));
}

}  // namespace edged::kv_http
