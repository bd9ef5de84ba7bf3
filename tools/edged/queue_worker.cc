// SPDX-License-Identifier: Apache-2.0
// See queue_worker.h.
#include "tools/edged/queue_worker.h"

#include <chrono>
#include <utility>

#include "proto/base/log.h"
#include "tools/edged/mail_transport.h"

namespace edged {
namespace {

using boost::asio::awaitable;

constexpr std::chrono::seconds kTimeout{60};
constexpr std::chrono::seconds kConnectTimeout{5};
// 100 messages of control characters, each of which JSON writes as six bytes.
constexpr std::size_t kAnswerBytesMax = 96 * 1024 * 1024;

http::HttpClientOptions client_options() {
  http::HttpClientOptions options;
  options.body_bytes_max = kAnswerBytesMax;
  options.redirects_max = 0;  // they would take the secret elsewhere
  options.connect_timeout = kConnectTimeout;
  options.proxy = "none";
  return options;
}

}  // namespace

QueueWorker::QueueWorker(boost::asio::any_io_executor executor, const config::WorkerOfNode& worker)
    : url_(worker.url),
      secret_(current_secret(worker.secret, worker.secret_file, worker.file_key)),
      client_(std::move(executor), client_options()) {}

Status QueueWorker::failed(std::string why) {
  std::string text("the worker at ");
  text.append(url_).append(" ").append(why);
  if (text != told_) log::warn("queues: " + text);
  told_ = text;
  return {Code::kUnavailable, std::move(text)};
}

awaitable<Result<kv_http::QueueAnswer>> QueueWorker::pass(kv_http::QueueRequest request) {
  const Result<std::string> secret = secret_();
  if (!secret) co_return failed("cannot be asked: " + secret.error().message());
  http::HttpRequest passed;
  passed.method = std::move(request.method);
  passed.url = url_ + request.target;
  passed.headers.emplace_back("Authorization", "Bearer " + *secret);
  passed.headers.emplace_back("Content-Type", "application/json");
  passed.body = std::move(request.body);
  passed.timeout = kTimeout;
  Result<http::HttpAnswer> answer = co_await client_.perform(std::move(passed));
  if (!answer && answer.code() == Code::kInvalidArgument) co_return answer.error();
  if (!answer) co_return failed("does not answer: " + answer.error().message());
  if (answer->status == 401) {
    co_return failed("does not take node.worker_secret: it must be its worker.queue_secret");
  }
  if (answer->status < 200 || (answer->status >= 300 && answer->status < 400)) {
    co_return failed("answers with status " + std::to_string(answer->status));
  }
  told_.clear();
  kv_http::QueueAnswer result;
  result.status = answer->status;
  result.content_type = std::move(answer->content_type);
  result.body = std::move(answer->body);
  co_return result;
}

}  // namespace edged
