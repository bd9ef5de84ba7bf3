// SPDX-License-Identifier: Apache-2.0
// One loop claims and collects batches, a coroutine a batch runs the handler, one more renews
// leases.
#include "worker/queue/consumer.h"

#include <boost/asio.hpp>
#include <exception>
#include <map>
#include <set>
#include <utility>

#include "proto/base/backoff.h"
#include "proto/base/log.h"
#include "proto/base/units.h"
#include "proto/net/condition.h"
#include "proto/net/spawn.h"
#include "worker/queue/completer.h"
#include "worker/queue/queue_store.h"
#include "worker/queue/read_position.h"

namespace edged::queue {

namespace asio = boost::asio;

namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kHousekeepingInterval{1000};
constexpr std::chrono::milliseconds kSecondLook{25};  // see edged.queue_announced
constexpr std::chrono::milliseconds kRecordPatience{2000};
constexpr Backoff::Options kErrorPause{std::chrono::milliseconds(200),
                                       std::chrono::milliseconds(5000)};

}  // namespace

class Consumer::Impl : public std::enable_shared_from_this<Consumer::Impl> {
 public:
  Impl(asio::any_io_executor executor,
       db::PgPool& pool,
       const Clock& clock,
       MetricsRegistry& metrics,
       ConsumerOptions options,
       Handler handler)
      : executor_(executor),
        store_(pool, clock),
        options_(std::move(options)),
        handler_(std::move(handler)),
        completer_(executor, store_, options_),
        changed_(executor),
        messages_(metrics.counter("edged_queue_messages_total",
                                  "Messages that were given to consumers.",
                                  {{"queue", options_.queue}})) {}

  asio::awaitable<void> run() {
    const auto self = shared_from_this();
    net::spawn(executor_, keep_leases(self));
    Backoff backoff(kErrorPause, 1);
    while (!stopping_) {
      const Status status = co_await step();
      note_outcome(status);
      if (status.ok()) {
        backoff.reset();
      } else {
        co_await wait_for(backoff.next());
      }
    }
  }

  void wake() {
    woken_ = true;
    changed_.notify_all();
  }

  asio::awaitable<void> stop(std::chrono::milliseconds patience) {
    const auto self = shared_from_this();
    stopping_ = true;
    for (const auto& batch : active_) batch->stop();
    changed_.notify_all();
    const auto deadline = SteadyClock::now() + patience;
    (void)co_await changed_.wait_until(deadline,
                                       [this] { return active_.empty() && !collecting_; });
    for (const auto& batch : active_) give_back(*batch);
    (void)co_await completer_.wait_until_recorded(SteadyClock::now() + kRecordPatience);
  }

  asio::awaitable<Status> drain_due() {
    const auto self = shared_from_this();
    for (;;) {
      Status opened = co_await open();
      if (!opened.ok()) co_return opened;
      const Result<Released> released = co_await store_.release_due(queue_id_);
      if (!released) co_return released.error();
      Result<Claimed> claimed = co_await claim(options_.max_batch_size, 0);
      if (!claimed) co_return claimed.error();
      if (claimed->messages.empty()) co_return Status();
      begin(std::move(claimed->messages));
      co_await changed_.wait([this] { return active_.empty(); });
      const auto never = SteadyClock::now() + options_.lease;
      const bool recorded = co_await completer_.wait_until_recorded(never);
      if (!recorded) co_return completer_.last_error();
    }
  }

  ConsumerCounts counts() const { return completer_.counts(); }

 private:
  asio::awaitable<Status> open() {
    if (queue_id_ != 0) co_return Status();
    if (!options_.dead_letter_queue.empty()) {
      const Result<std::int64_t> dead = co_await store_.open(options_.dead_letter_queue);
      if (!dead) co_return dead.error();
      completer_.set_dead_queue(*dead);
    }
    const Result<std::int64_t> id = co_await store_.open(options_.queue);
    if (!id) co_return id.error();
    queue_id_ = *id;
    co_return Status();
  }

  // Claims a batch and begins it, or waits until there may be messages.
  asio::awaitable<Status> step() {
    Status opened = co_await open();
    if (!opened.ok()) co_return opened;
    co_await changed_.wait([this] { return stopping_ || has_room(); });
    if (stopping_) co_return Status();
    Status kept = co_await keep_house();
    if (!kept.ok()) co_return kept;
    const bool woken = std::exchange(woken_, false);
    Result<Claimed> first = co_await claim(options_.max_batch_size, position_.ahead());
    if (!first) co_return first.error();
    if (first->messages.empty()) {
      if (!woken_) co_await wait_for(woken ? kSecondLook : idle_time());
      co_return Status();
    }
    Status collected = co_await collect(&first->messages);
    begin(std::move(first->messages));
    co_return collected;
  }

  // Waits for more messages until the batch is full or its time is over. What was claimed when an
  // error comes is a batch.
  asio::awaitable<Status> collect(std::vector<Message>* messages) {
    const auto wanted = static_cast<std::size_t>(options_.max_batch_size);
    const auto deadline = SteadyClock::now() + options_.max_batch_timeout;
    collecting_ = messages;
    Status status;
    while (messages->size() < wanted && !stopping_ && SteadyClock::now() < deadline) {
      const auto pause = std::min(deadline, SteadyClock::now() + options_.poll_interval);
      woken_ = false;
      (void)co_await changed_.wait_until(pause, [this] { return stopping_ || woken_; });
      if (stopping_) break;
      const int missing = static_cast<int>(wanted - messages->size());
      Result<Claimed> more = co_await claim(missing, position_.ahead());
      if (!more) {
        status = more.error();
        break;
      }
      for (Message& message : more->messages) messages->push_back(std::move(message));
    }
    collecting_ = nullptr;
    co_return status;
  }

  asio::awaitable<Result<Claimed>> claim(int count, std::int64_t behind) {
    const auto end = SteadyClock::now() + options_.lease;
    Result<Claimed> claimed =
        co_await store_.claim(queue_id_, count, behind, options_.name, options_.lease);
    if (!claimed) co_return claimed;
    position_.advance(claimed->last_position);
    if (!claimed->messages.empty()) lease_ends_[claimed->messages.front().claim] = end;
    co_return claimed;
  }

  // Each second: what is due, what dead consumers held, and what was committed late.
  asio::awaitable<Status> keep_house() {
    const auto now = SteadyClock::now();
    const bool is_due = next_due_ && store_.now() >= *next_due_;
    if (now < housekeeping_at_ && !is_due) co_return Status();
    housekeeping_at_ = now + kHousekeepingInterval;
    const Result<Released> released = co_await store_.release_due(queue_id_);
    if (!released) co_return released.error();
    next_due_ = released->next_due;
    const Result<std::int64_t> taken = co_await store_.give_back_expired();
    if (!taken) co_return taken.error();
    if (*taken > 0) {
      log::info("[QUEUE] took over " + std::to_string(*taken) + " batches of consumers that died");
    }
    const Result<TransactionBounds> bounds = co_await store_.look_back();
    if (!bounds) co_return bounds.error();
    const std::int64_t from = position_.begin_look_back(*bounds);
    Result<Claimed> late = co_await claim(options_.max_batch_size, from);
    if (!late) co_return late.error();
    const auto full = static_cast<std::size_t>(options_.max_batch_size);
    position_.end_look_back(late->messages.size() < full);
    if (late->messages.size() == full) housekeeping_at_ = now;
    if (!late->messages.empty()) begin(std::move(late->messages));
    co_return Status();
  }

  std::chrono::milliseconds idle_time() const {
    if (!next_due_) return options_.poll_interval;
    const auto until_due =
        std::chrono::duration_cast<std::chrono::milliseconds>(*next_due_ - store_.now());
    return std::clamp(until_due, std::chrono::milliseconds(1), options_.poll_interval);
  }

  asio::awaitable<void> wait_for(std::chrono::milliseconds duration) {
    const auto until = SteadyClock::now() + duration;
    (void)co_await changed_.wait_until(until, [this] { return stopping_ || woken_; });
  }

  bool has_room() const {
    return active_.size() < static_cast<std::size_t>(options_.max_concurrency);
  }

  void begin(std::vector<Message> messages) {
    messages_.add(messages.size());
    const auto self = shared_from_this();
    auto batch = std::make_shared<Batch>(std::move(messages), [this, self](Decision decision) {
      completer_.add(settle(std::move(decision)));
    });
    for (std::size_t i = 0; i < batch->messages().size(); ++i) {
      const Message& message = batch->messages()[i];
      if (message.attempts > options_.max_retries + 1) {
        batch->bury(i,
                    std::to_string(message.attempts - 1) + " attempts ended with their consumer");
      }
    }
    if (stopping_) give_back(*batch);
    if (batch->undecided() == 0) return forget_leases(*batch);
    hold(*batch);
    active_.insert(batch);
    net::spawn(executor_, handle(self, batch));
  }

  static asio::awaitable<void> handle(std::shared_ptr<Impl> self, std::shared_ptr<Batch> batch) {
    Status status;
    try {
      status = co_await self->handler_(batch);
    } catch (const std::exception& error) {
      status = Status(Code::kInternal, error.what());
    }
    if (!status.ok()) {
      log::warn("[QUEUE] the handler of " + self->options_.queue + " failed: " + status.message());
    }
    for (std::size_t i = 0; i < batch->messages().size(); ++i) {
      if (batch->is_decided(i)) continue;
      if (batch->is_stopping() || batch->is_lost()) {
        batch->give_back(i);
      } else if (status.ok()) {
        batch->ack(i);
      } else {
        batch->retry(i, std::nullopt);
      }
    }
    self->forget_leases(*batch);
    self->active_.erase(batch);
    self->changed_.notify_all();
  }

  // Until the first of its leases ends.
  void hold(Batch& batch) const {
    auto end = SteadyClock::time_point::max();
    for (const Message& message : batch.messages()) {
      const auto lease = lease_ends_.find(message.claim);
      if (lease != lease_ends_.end()) end = std::min(end, lease->second);
    }
    batch.hold_until(end);
  }

  void forget_leases(const Batch& batch) {
    for (const Message& message : batch.messages()) lease_ends_.erase(message.claim);
  }

  void give_back(Batch& batch) {
    for (std::size_t i = 0; i < batch.messages().size(); ++i) batch.give_back(i);
  }

  // What a decision of the handler means for this queue.
  Decision settle(Decision decision) const {
    if (decision.kind != Decision::Kind::kRetry || decision.uncounted) return decision;
    if (decision.message.attempts > options_.max_retries) {
      decision.kind = Decision::Kind::kDead;
      decision.reason = std::to_string(decision.message.attempts) + " attempts failed";
    } else if (!decision.due_at) {
      decision.due_at = store_.now() + options_.retry_delay;
    }
    return decision;
  }

  static asio::awaitable<void> keep_leases(std::shared_ptr<Impl> self) {
    while (!self->stopping_ || !self->active_.empty()) {
      const auto until = SteadyClock::now() + self->options_.lease / 3;
      (void)co_await self->changed_.wait_until(
          until, [&self] { return self->stopping_ && self->active_.empty(); });
      std::set<std::int64_t> claims = self->undecided_claims();
      if (claims.empty()) continue;
      std::vector<std::int64_t> ids(claims.begin(), claims.end());
      const auto end = SteadyClock::now() + self->options_.lease;
      const Result<std::set<std::int64_t>> held =
          co_await self->store_.renew(std::move(ids), self->options_.lease);
      if (!held) continue;
      self->lose_others(claims, *held);
      for (const std::int64_t claim : *held) {
        const auto lease = self->lease_ends_.find(claim);
        if (lease != self->lease_ends_.end()) lease->second = end;
      }
      for (const auto& batch : self->active_) self->hold(*batch);
    }
  }

  std::set<std::int64_t> undecided_claims() const {
    std::set<std::int64_t> claims;
    if (collecting_ != nullptr) {
      for (const Message& message : *collecting_) claims.insert(message.claim);
    }
    for (const auto& batch : active_) {
      for (std::size_t i = 0; i < batch->messages().size(); ++i) {
        if (!batch->is_decided(i)) claims.insert(batch->messages()[i].claim);
      }
    }
    return claims;
  }

  // Batches that still have an undecided message of a claim that was asked for and is not held.
  void lose_others(const std::set<std::int64_t>& asked, const std::set<std::int64_t>& held) {
    for (const auto& batch : active_) {
      for (std::size_t i = 0; i < batch->messages().size(); ++i) {
        const std::int64_t claim = batch->messages()[i].claim;
        if (!batch->is_decided(i) && asked.contains(claim) && !held.contains(claim)) batch->lose();
      }
    }
  }

  // Says once that the loop fails, and once that it works again.
  void note_outcome(const Status& status) {
    if (status.ok() == last_step_ok_) return;
    last_step_ok_ = status.ok();
    if (status.ok()) log::info("[QUEUE] " + options_.queue + " is consumed again");
    if (!status.ok()) log::warn("[QUEUE] " + options_.queue + ": " + status.message());
  }

  asio::any_io_executor executor_;
  QueueStore store_;
  const ConsumerOptions options_;
  Handler handler_;
  Completer completer_;
  net::AsyncCondition changed_;
  Counter& messages_;
  std::int64_t queue_id_ = 0;  // 0: not opened yet
  ReadPosition position_;
  std::set<std::shared_ptr<Batch>> active_;
  // Of the claims of batches that are active or being collected, by this machine's monotonic clock.
  std::map<std::int64_t, SteadyClock::time_point> lease_ends_;
  std::optional<WallTime> next_due_;
  SteadyClock::time_point housekeeping_at_{};
  bool woken_ = false;
  const std::vector<Message>* collecting_ = nullptr;  // of collect(), which may outlast a lease
  bool stopping_ = false;
  bool last_step_ok_ = true;
};

Consumer::Consumer(asio::any_io_executor executor,
                   db::PgPool& pool,
                   const Clock& clock,
                   MetricsRegistry& metrics,
                   ConsumerOptions options,
                   Handler handler)
    : impl_(std::make_shared<Impl>(
          std::move(executor), pool, clock, metrics, std::move(options), std::move(handler))) {}
Consumer::~Consumer() = default;

asio::awaitable<void> Consumer::run() {
  return impl_->run();
}
void Consumer::wake() {
  impl_->wake();
}
asio::awaitable<void> Consumer::stop(std::chrono::milliseconds patience) {
  return impl_->stop(patience);
}
asio::awaitable<Status> Consumer::drain_due() {
  return impl_->drain_due();
}
ConsumerCounts Consumer::counts() const {
  return impl_->counts();
}

}  // namespace edged::queue
