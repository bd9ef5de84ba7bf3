// SPDX-License-Identifier: Apache-2.0
// Hands batches of a queue to a URL of the application by HTTP POST, signed as Standard Webhooks
// have it (worker/http/webhook.h), and reads the answer.
//
// An application that is away costs no attempts: while it cannot be reached, or answers 429, 502,
// 503 or 504, deliver() holds the batch and posts it again with growing pauses, for hold_max.
// Everything else that is no 2xx is a failure of the batch.
//
// One thread: that of the executor. Several deliveries may be under way at once.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "proto/base/backoff.h"
#include "proto/base/clock.h"
#include "proto/base/metrics.h"
#include "proto/base/status.h"
#include "worker/http/http_client.h"
#include "worker/queue_push/push_format.h"

namespace edged::queue {

struct PushOptions {
  std::string queue;
  std::string url;
  std::function<std::string()> secret;  // as it is now; see parse_webhook_secrets()
  std::chrono::milliseconds timeout{30'000};
  std::string tls_ca;  // PEM file; empty: the system's authorities
  // Of a batch that is held, and of one that failed.
  Backoff::Options hold{std::chrono::seconds(1), std::chrono::seconds(30), Jitter::kHalf};
  std::chrono::milliseconds hold_max = std::chrono::minutes(10);
  Backoff::Options retry{std::chrono::seconds(1), std::chrono::minutes(10), Jitter::kHalf};
  std::uint64_t seed = 0;
};

struct PushResult {
  enum class Kind {
    kAnswered,  // `decisions` has one for each message
    kFailed,    // all messages are to be retried, see PushClient::retry_delay()
    kGone,      // 410: the application wants no more of this queue
    kStopped,   // this program stops; nothing is known
  };
  Kind kind = Kind::kFailed;
  std::vector<PushDecision> decisions = {};
  Status error = {};  // of kFailed and kGone
  std::optional<std::chrono::milliseconds> retry_after = {};
};

class PushClient {
 public:
  PushClient(boost::asio::any_io_executor executor,
             PushOptions options,
             const Clock& clock,
             MetricsRegistry& metrics);

  // `id` names the batch: the header webhook-id, the same each time this batch is posted. While
  // nothing is posted, `stopping` is asked several times a second.
  boost::asio::awaitable<PushResult> deliver(std::string id,
                                             std::vector<PushMessage> messages,
                                             std::function<bool()> stopping);

  // How long a message waits after a failed delivery, its `attempts`-th.
  std::chrono::milliseconds retry_delay(int attempts, const PushResult& failed);

  const std::string& queue() const { return options_.queue; }
  const PushOptions& options() const { return options_; }

 private:
  struct Judged {
    PushResult result;
    bool is_away = false;  // hold the batch and try again
  };
  boost::asio::awaitable<Judged> post(std::string id,
                                      std::string body,
                                      const std::vector<PushMessage>* messages);
  Judged judge(Result<http::HttpAnswer> answer, const std::vector<PushMessage>& messages);
  boost::asio::awaitable<void> pause(std::chrono::milliseconds duration,
                                     const std::function<bool()>* stopping);
  void tell(const Judged& judged);

  boost::asio::any_io_executor executor_;
  const PushOptions options_;
  const Clock& clock_;
  http::HttpClient client_;
  std::mt19937_64 random_;
  std::string told_;  // the failure that was logged last; empty: it works
  Counter& answered_;
  Counter& failed_;
  Counter& away_;
  Counter& gone_;
  Histogram& seconds_;
};

}  // namespace edged::queue
