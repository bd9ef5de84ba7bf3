// SPDX-License-Identifier: Apache-2.0
// See push_client.h.
#include "worker/queue_push/push_client.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "proto/base/log.h"
#include "proto/base/printable.h"
#include "worker/http/webhook.h"

namespace edged::queue {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kAnswerBytesMax = 1 << 20;
constexpr std::size_t kShownBytesMax = 200;  // of an answer, in messages
constexpr milliseconds kStopPoll{100};
constexpr milliseconds kRetryAfterMax = std::chrono::hours(24);

http::HttpClientOptions http_options(const PushOptions& options) {
  http::HttpClientOptions http;
  http.body_bytes_max = kAnswerBytesMax;
  http.redirects_max = 0;
  http.ca_file = options.tls_ca;
  return http;
}

Counter& requests(MetricsRegistry& metrics, const std::string& queue, const char* outcome) {
  return metrics.counter("edged_queue_push_requests_total",
                         "Requests of push consumers by outcome: answered, failed, away, gone",
                         {{"queue", queue}, {"outcome", outcome}});
}

bool means_away(int status) {
  return status == 429 || status == 502 || status == 503 || status == 504;
}

// "it answered 500: boom"
std::string describe(const http::HttpAnswer& answer) {
  std::string text = "it answered ";
  text += std::to_string(answer.status);
  if (answer.status >= 300 && answer.status < 400) text += ", and redirections are not followed";
  std::string_view body = answer.body;
  body = body.substr(0, kShownBytesMax);
  body.remove_suffix(unfinished_bytes(body));
  if (body.empty()) return text;
  text += ": ";
  text += printable(body);
  return text;
}

}  // namespace

PushClient::PushClient(boost::asio::any_io_executor executor,
                       PushOptions options,
                       const Clock& clock,
                       MetricsRegistry& metrics)
    : executor_(std::move(executor)),
      options_(std::move(options)),
      clock_(clock),
      client_(executor_, http_options(options_)),
      random_(options_.seed),
      answered_(requests(metrics, options_.queue, "answered")),
      failed_(requests(metrics, options_.queue, "failed")),
      away_(requests(metrics, options_.queue, "away")),
      gone_(requests(metrics, options_.queue, "gone")),
      seconds_(metrics.histogram("edged_queue_push_seconds",
                                 "Duration of requests of push consumers",
                                 {{"queue", options_.queue}})) {}

PushClient::Judged PushClient::judge(Result<http::HttpAnswer> answer,
                                     const std::vector<PushMessage>& messages) {
  Judged judged;
  PushResult& result = judged.result;
  if (!answer) {
    // Most likely it is being restarted. A time-out may be the messages' own fault.
    judged.is_away = answer.code() == Code::kUnavailable || answer.code() == Code::kDenied;
    result.error = answer.error();
    return judged;
  }
  if (answer->retry_after) {
    result.retry_after =
        std::min<milliseconds>(std::chrono::milliseconds(*answer->retry_after), kRetryAfterMax);
  }
  if (answer->status >= 200 && answer->status < 300) {
    auto decisions = parse_push_answer(answer->body, messages);
    if (decisions) {
      result.kind = PushResult::Kind::kAnswered;
      result.decisions = *std::move(decisions);
    } else {
      result.error = decisions.error();
    }
    return judged;
  }
  judged.is_away = means_away(answer->status);
  if (answer->status == 410) result.kind = PushResult::Kind::kGone;
  result.error = Status(Code::kUnavailable, describe(*answer));
  return judged;
}

boost::asio::awaitable<PushClient::Judged> PushClient::post(
    std::string id, std::string body, const std::vector<PushMessage>* messages) {
  Judged judged;
  const Result<std::vector<std::string>> keys = http::parse_webhook_secrets(options_.secret());
  if (!keys) {
    judged.result.error = keys.error().with_context("the secret of queue_push");
    judged.is_away = true;  // it may be put right while the program runs
    co_return judged;
  }
  const std::int64_t now = to_unix_ms(clock_.wall_now()) / 1000;
  http::HttpRequest request;
  request.method = "POST";
  request.url = options_.url;
  request.timeout = options_.timeout;
  request.headers = http::webhook_headers(*keys, id, now, body);
  request.headers.emplace_back("content-type", "application/json");
  request.body = std::move(body);
  const auto begin = std::chrono::steady_clock::now();
  Result<http::HttpAnswer> answer = co_await client_.perform(std::move(request));
  seconds_.observe(std::chrono::steady_clock::now() - begin);
  judged = judge(std::move(answer), *messages);
  co_return judged;
}

void PushClient::tell(const Judged& judged) {
  const PushResult& result = judged.result;
  const bool good = result.kind == PushResult::Kind::kAnswered;
  const bool gone = result.kind == PushResult::Kind::kGone;
  Counter& counter = good ? answered_ : gone ? gone_ : judged.is_away ? away_ : failed_;
  counter.add();
  if (good && !told_.empty()) {
    log::info("queue \"" + options_.queue + "\": " + http::printable_url(options_.url) +
              " accepts batches again");
  }
  const std::string message = good ? std::string() : result.error.message();
  if (message != told_ && !good) {
    std::string line = "could not push a batch of queue \"";
    line += options_.queue;
    line += "\" to ";
    line += http::printable_url(options_.url);
    line += ": ";
    line += message;
    line += judged.is_away ? ". The batch is held and posted again" : ". Its messages are retried";
    log::warn(line);
  }
  told_ = message;
}

boost::asio::awaitable<void> PushClient::pause(milliseconds duration,
                                               const std::function<bool()>* stopping) {
  const auto until = std::chrono::steady_clock::now() + duration;
  boost::asio::steady_timer timer(executor_);
  while (std::chrono::steady_clock::now() < until && !(*stopping)()) {
    timer.expires_at(std::min(until, std::chrono::steady_clock::now() + kStopPoll));
    const auto waited =
        co_await timer.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    (void)waited;
  }
}

boost::asio::awaitable<PushResult> PushClient::deliver(std::string id,
                                                       std::vector<PushMessage> messages,
                                                       std::function<bool()> stopping) {
  const std::string body = make_push_body(options_.queue, messages);
  const auto until = std::chrono::steady_clock::now() + options_.hold_max;
  for (int attempt = 0;; ++attempt) {
    if (stopping()) co_return PushResult{.kind = PushResult::Kind::kStopped};
    Judged judged = co_await post(id, body, &messages);
    tell(judged);
    if (!judged.is_away) co_return std::move(judged.result);
    const milliseconds backoff = Backoff::delay(options_.hold, attempt, random_);
    const milliseconds wait = std::max(backoff, judged.result.retry_after.value_or(backoff));
    if (std::chrono::steady_clock::now() + wait >= until) co_return std::move(judged.result);
    co_await pause(wait, &stopping);
  }
}

milliseconds PushClient::retry_delay(int attempts, const PushResult& failed) {
  const milliseconds delay = Backoff::delay(options_.retry, std::max(0, attempts - 1), random_);
  return std::max(delay, failed.retry_after.value_or(delay));
}

}  // namespace edged::queue
