// SPDX-License-Identifier: Apache-2.0
#include "worker/queue/completer.h"

#include <algorithm>
#include <utility>

#include "proto/base/log.h"
#include "proto/net/spawn.h"

namespace edged::queue {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kRecordedMax = 2000;  // in one transaction
constexpr Backoff::Options kRetryPause{std::chrono::milliseconds(100),
                                       std::chrono::milliseconds(5000)};

}  // namespace

Completer::Completer(asio::any_io_executor executor,
                     QueueStore& store,
                     const ConsumerOptions& options)
    : executor_(executor), store_(store), options_(options), changed_(executor) {}

void Completer::add(Decision decision) {
  if (decision.kind == Decision::Kind::kForget) {
    ++counts_.lost;
    return;
  }
  waiting_.push_back(std::move(decision));
  if (!flushing_) {
    flushing_ = true;
    net::spawn(executor_, flush());
  } else if (is_full()) {
    changed_.notify_all();
  }
}

asio::awaitable<bool> Completer::wait_until_recorded(net::AsyncCondition::Time deadline) {
  hurry_ = true;
  changed_.notify_all();
  const bool done = co_await changed_.wait_until(deadline, [this] { return !flushing_; });
  hurry_ = false;
  co_return done;
}

asio::awaitable<void> Completer::flush() {
  Backoff backoff(kRetryPause, 1);
  while (!waiting_.empty()) {
    const auto until = net::AsyncCondition::Time::clock::now() + options_.flush_interval;
    (void)co_await changed_.wait_until(until, [this] { return hurry_ || is_full(); });
    const std::size_t count = std::min(waiting_.size(), kRecordedMax);
    const auto end = waiting_.begin() + static_cast<std::ptrdiff_t>(count);
    std::vector<Decision> batch(waiting_.begin(), end);
    const Status status = co_await record(batch);
    if (status.ok() != last_error_.ok()) {
      if (status.ok()) log::info("[QUEUE] " + options_.queue + ": decisions are recorded again");
      if (!status.ok()) log::warn("[QUEUE] " + options_.queue + ": " + status.message());
    }
    last_error_ = status;
    if (status.ok()) {
      waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(count));
      backoff.reset();
    } else {
      const auto retry_at = net::AsyncCondition::Time::clock::now() + backoff.next();
      (void)co_await changed_.wait_until(retry_at, [] { return false; });
    }
  }
  flushing_ = false;
  changed_.notify_all();
}

// An attempt with an unknown outcome may have been recorded: then its messages are not held any
// more, and what is repeated changes nothing.
asio::awaitable<Status> Completer::record(std::vector<Decision> decisions) {
  std::optional<db::PgStatement> companion;
  if (options_.record) companion = options_.record(decisions);
  Result<QueueStore::Held> held =
      co_await store_.complete(decisions, dead_queue_id_, std::move(companion));
  if (!held) co_return held.error();
  for (const Decision& decision : decisions) {
    if (!held->contains({decision.message.claim, decision.message.id})) {
      ++counts_.lost;
    } else if (decision.kind == Decision::Kind::kAck) {
      ++counts_.acked;
    } else if (decision.kind == Decision::Kind::kRetry) {
      ++counts_.retried;
    } else {
      ++counts_.dead;
    }
  }
  co_return Status();
}

}  // namespace edged::queue
