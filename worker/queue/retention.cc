// SPDX-License-Identifier: Apache-2.0
// See retention.h.
#include "worker/queue/retention.h"

#include <string>
#include <utility>

#include "proto/base/log.h"

namespace edged::queue {
namespace {

using boost::asio::awaitable;

constexpr int kSeenMax = 5000;  // in one statement

}  // namespace

Retention::Retention(boost::asio::any_io_executor executor,
                     db::PgPool& pool,
                     const Clock& clock,
                     MetricsRegistry& metrics)
    : store_(pool, clock),
      changed_(executor),
      expired_(metrics.counter("edged_queue_expired_total",
                               "Messages that were deleted because nobody took them in their "
                               "queue's retention.")) {}

awaitable<void> Retention::run() {
  while (!stopping_) {
    const Result<std::int64_t> deleted = co_await run_once();
    if (!deleted) log::warn("[QUEUE] " + deleted.error().message());
    if (deleted && *deleted > 0) {
      log::warn("[QUEUE] deleted " + std::to_string(*deleted) +
                " messages that nobody took in their queue's retention");
    }
    const auto until = std::chrono::steady_clock::now() + kInterval;
    (void)co_await changed_.wait_until(until, [this] { return stopping_; });
  }
}

void Retention::stop() {
  stopping_ = true;
  changed_.notify_all();
}

awaitable<Result<std::int64_t>> Retention::run_once() {
  std::int64_t deleted = 0;
  std::int64_t behind_id = 0;
  for (bool is_end = false; !is_end && !stopping_;) {
    const Result<Expired> expired = co_await store_.delete_expired(behind_id, kSeenMax);
    if (!expired) co_return expired.error();
    deleted += expired->deleted;
    expired_.add(static_cast<std::uint64_t>(expired->deleted));
    is_end = expired->is_end;
    behind_id = expired->last_id;
  }
  const Result<std::int64_t> dead = co_await store_.delete_old_dead(kDeadAge);
  if (!dead) co_return dead.error();
  co_return deleted;
}

}  // namespace edged::queue
